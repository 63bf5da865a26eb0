// A proxy on a thread of its own, what it recorded, and clients that say exactly what a test wants said.
#pragma once

#include "producer/agent/proxy.hpp"

#include "tests/support/raw_socket.hpp"
#include "tests/support/wait_until.hpp"
#include "tests/unit/agent/recorded.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace runfold::agent::test {

inline const std::string kGet = "GET /a HTTP/1.1\r\nHost: proxy\r\n\r\n";

class ProxyRig {
 public:
  explicit ProxyRig(const std::string& upstream, ProxyOptions options = {}) {
    options.upstream = upstream;
    proxy_ = Proxy::listen(io_.get_executor(), recorded_.sink(), std::move(options)).value();
    running_ = std::make_unique<Running<Proxy>>(*proxy_, io_);
  }

  [[nodiscard]] std::uint16_t port() const {
    const std::string url = proxy_->url();
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  [[nodiscard]] runfold::test::RawSocket connect() const { return runfold::test::RawSocket::connect(port()); }

  /// What was recorded, once it is `count` records; whatever there is when that takes too long.
  [[nodiscard]] std::vector<v1::LogRecord> logs(std::size_t count) {
    static_cast<void>(runfold::test::wait_until([&] { return recorded_.logs().size() >= count; }));
    return recorded_.logs();
  }
  [[nodiscard]] std::vector<v1::LogRecord> logs() { return recorded_.logs(); }

 private:
  boost::asio::io_context io_{1};
  Recorded recorded_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<Running<Proxy>> running_;
};

}  // namespace runfold::agent::test

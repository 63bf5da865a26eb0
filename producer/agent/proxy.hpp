// A reverse proxy in front of the Container API that records every call that fails.
#pragma once

#include "producer/agent/error.hpp"
#include "producer/agent/sink.hpp"
#include "transport/http/client.hpp"
#include "transport/http/server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace runfold::agent {

struct ProxyOptions {
  /// The Container API as the connector would have called it, for example https://api.example.com/platform/v2.
  std::string upstream;
  /// A PEM file of further certificate authorities for it. Empty: the system's alone.
  std::string ca_file;
  /// Bodies are held whole, both ways, up to this; larger ones are refused with 413 or 502.
  std::size_t body_bytes = 64 * 1024 * 1024;
  /// How much of a failing call's response body is recorded.
  std::size_t recorded_body_bytes = 16 * 1024;
  /// From the connector's request to the upstream's last byte. Long: to give up is the connector's business.
  std::chrono::milliseconds limit{std::chrono::minutes(30)};
  /// The step under way, for the record; may be absent.
  std::function<std::string()> step;
};

/// Forwards what the connector sends to a free port of 127.0.0.1 and gives back what the upstream answers, unchanged but
/// for hop-by-hop headers. An absolute target's scheme and host are left out: calls go to the upstream and nowhere else. A response of 400
/// and above, and a call with no response (502 to the connector), becomes a log record of the container_api stream. Request headers are
/// never recorded, nor what without_credentials() removes. Thread: the executor's.
class Proxy {
 public:
  /// Errors: kInvalid when the upstream is not an http:// or https:// URL.
  [[nodiscard]] static Result<std::unique_ptr<Proxy>> listen(boost::asio::any_io_executor executor, RunSink sink, ProxyOptions options);

  /// What the connector is to use in the upstream's place: its user info and path, on http://127.0.0.1:PORT.
  [[nodiscard]] std::string url() const;

  /// Serves until stop().
  [[nodiscard]] boost::asio::awaitable<void> run() { return server_->run(); }
  void stop(std::chrono::milliseconds grace) { server_->stop(grace); }

 private:
  Proxy(boost::asio::any_io_executor executor, RunSink sink, ProxyOptions options);
  [[nodiscard]] boost::asio::awaitable<http::Response> forward(http::Request& request);

  RunSink sink_;
  ProxyOptions options_;
  /// scheme://host:port of the upstream, its user info, its path.
  std::string origin_;
  std::string user_info_;
  std::string base_path_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<http::Server> server_;
};

/// One call that failed, as the proxy saw it.
struct FailedCall {
  std::string method;
  /// The URL called.
  std::string url;
  /// Absent when there was no response; then `transport_error` says why.
  const http::Response* response = nullptr;
  std::string transport_error;
  std::chrono::nanoseconds duration{0};
};

/// The log record of a failed call.
[[nodiscard]] v1::LogRecord make_failure_record(const FailedCall& call, std::size_t recorded_body_bytes);

}  // namespace runfold::agent

// A client's connection to one host, plain or TLS.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <tuple>

namespace runfold::http {

/// Thread: the executor's. Whoever waits on it is answered with an error after close().
class Link {
 public:
  explicit Link(const boost::asio::any_io_executor& executor) : socket_(executor) {}

  [[nodiscard]] boost::asio::awaitable<boost::system::error_code> connect(boost::asio::ip::tcp::endpoint endpoint);

  /// Makes it a TLS connection whose certificate is verified for `host`. On an error, `why` holds what OpenSSL found.
  [[nodiscard]] boost::asio::awaitable<boost::system::error_code> handshake(boost::asio::ssl::context& context, const std::string& host,
                                                                            std::string& why);

  [[nodiscard]] boost::asio::awaitable<std::tuple<boost::system::error_code, std::size_t>> read_some(boost::asio::mutable_buffer space);
  [[nodiscard]] boost::asio::awaitable<boost::system::error_code> write(std::span<const boost::asio::const_buffer> parts);

  /// Whether it stands and nothing has come while it was idle.
  [[nodiscard]] bool is_quiet();
  void close() noexcept;

  /// When it was last put aside.
  std::chrono::steady_clock::time_point idle_since;

 private:
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  /// Parts put together for TLS, which would make a record of each.
  std::string joined_;
};

}  // namespace runfold::http

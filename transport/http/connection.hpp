// One client's connection to the server: reads requests, runs their handlers, writes the responses.
#pragma once

#include "transport/http/router.hpp"
#include "transport/http/server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace runfold::http {

/// What all connections of a server share.
struct Serving {
  Router router;
  ServerLimits limits;
  std::function<void(const std::string&)> on_error;
  /// See ServerLimits::bodies_bytes. Thread: the executor's.
  mutable std::size_t bodies_bytes = 0;

  void report(const std::string& message) const {
    if (on_error) on_error(message);
  }
};

/// What the server asks of a connection, whatever it serves. Thread: the executor's.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// One that answers by a router.
  [[nodiscard]] static std::shared_ptr<Connection> create(boost::asio::ip::tcp::socket socket, std::shared_ptr<const Serving> serving);
  virtual ~Connection() = default;

  /// Serves requests until either side ends the connection. Never throws.
  [[nodiscard]] virtual boost::asio::awaitable<void> serve() = 0;

  /// Since when it waits for the first byte of a request; absent when one is under way.
  [[nodiscard]] virtual std::optional<std::chrono::steady_clock::time_point> idle_since() const noexcept = 0;

  /// The server stops: ends it if it is idle or waits for the next part of an event stream, else after the response under way.
  virtual void drain() = 0;

  /// Ends it at once, whatever is under way; serve() then completes. A handler under way is cancelled.
  virtual void close() = 0;
};

}  // namespace runfold::http

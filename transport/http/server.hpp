// An HTTP/1.1 server with a bound on everything.
#pragma once

#include "transport/http/error.hpp"
#include "transport/http/router.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace runfold::http {

class Connection;

struct ServerLimits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 1024 * 1024;
  /// What has come of the bodies of all connections together, beside those of at most 16 KiB. One that is alone may be larger. Of more,
  /// the one that has just grown is refused with 503: clients that send slowly would otherwise fill connections times body_bytes.
  std::size_t bodies_bytes = 8 * 1024 * 1024;
  std::size_t connections = 256;
  /// From the first byte of a request to its last; not renewed by each read.
  std::chrono::milliseconds request_time{10'000};
  /// From the handler's start to its response's last byte; streams with next_chunk have it a chunk each.
  std::chrono::milliseconds response_time{30'000};
  /// How long a connection may stand idle between requests.
  std::chrono::milliseconds idle_time{60'000};
};

/// Serves a router on one address until stopped.
///
/// Thread: the executor's, which runs one thing at a time; handlers run on it as coroutines, and are cancelled when their time
/// is over or the server closes. Of idle connections, the one idle longest gives way when the last place is taken. A handler that throws is
/// a 500 problem document that does not show the exception's text, and is told to `on_error`. More connections than the limit wait in the
/// kernel's backlog. What a request's head alone refuses (its path, its method, a route's gate) is answered without its body, and ends
/// the connection if that has not come yet.
class Server {
 public:
  /// Binds and listens at once. `listen` is HOST:PORT; port 0 picks a free one.
  /// Errors: kAddressInUse names the address and says to choose another with --listen; kInvalid names what is wrong with it.
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(boost::asio::any_io_executor executor, std::string_view listen, Router router,
                                                              ServerLimits limits = {},
                                                              std::function<void(const std::string&)> on_error = {});
  /// The same with connections of another kind, at most so many at a time.
  using MakeConnection = std::function<std::shared_ptr<Connection>(boost::asio::ip::tcp::socket)>;
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(boost::asio::any_io_executor executor, std::string_view listen,
                                                              MakeConnection make, std::size_t connections,
                                                              std::function<void(const std::string&)> on_error = {});
  /// Closes every connection.
  virtual ~Server() = default;

  /// HOST:PORT, with the port that was picked.
  [[nodiscard]] virtual std::string address() const = 0;

  /// Accepts until stop(), and completes when the last connection has ended. Cancel: as stop(0).
  [[nodiscard]] virtual boost::asio::awaitable<void> run() = 0;

  /// Stops accepting, lets requests under way finish within `grace`, closes the rest. run() then completes. An event stream
  /// (text/event-stream) never finishes by itself: it is ended at once.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace runfold::http

// A connection whose requests go on to one upstream while they come, and its responses back.
#pragma once

#include "transport/http/connection.hpp"
#include "transport/http/url.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace runfold::http {

/// A call that did not go well.
struct FailedCall {
  std::string method;
  /// Path and query, as sent to the upstream.
  std::string target;
  /// Of the response, as far as one came.
  std::optional<unsigned> status;
  std::string content_encoding;
  /// The beginning of the response's body, the limit and one byte at most, and how long the body was as far as it came.
  std::string body;
  std::uint64_t body_bytes = 0;
  /// Why there was no whole response; empty when there was one.
  std::string error;
  /// From the request's head to the response's last byte or the failure.
  std::chrono::nanoseconds duration{0};
};

/// Bounds of one relay.
struct RelayLimits {
  /// Of a request's head and of a response's.
  std::size_t header_bytes = 64 * 1024;
  /// Between two requests, and from the first byte of one to the end of its head.
  std::chrono::milliseconds idle_time{std::chrono::minutes(2)};
  std::chrono::milliseconds header_time{std::chrono::seconds(30)};
  /// To resolve, connect and agree on TLS.
  std::chrono::milliseconds connect_time{std::chrono::seconds(30)};
  /// From the request's last byte to the first of its response. Long: to give up is the client's business.
  std::chrono::milliseconds response_time{std::chrono::minutes(30)};
  /// For a transfer under way of which no byte moves, either way: a slow one goes on as long as it likes.
  std::chrono::milliseconds stall_time{std::chrono::minutes(10)};
};

/// What all relays of a proxy share.
struct Relaying {
  /// Where to; its target and authorization do not count.
  Url upstream;
  /// For an https upstream: see client_tls().
  std::shared_ptr<boost::asio::ssl::context> tls;
  /// Told of each response of 400 and above and of each call without a whole response, before the client gets its last byte.
  std::function<void(FailedCall)> on_failure;
  /// How much of a failing call's body on_failure gets.
  std::size_t kept_body_bytes = 16 * 1024;
  RelayLimits limits;
};

/// Requests and responses stream through unchanged but for hop-by-hop fields and framing, in a read's worth of memory each way. One
/// that comes before its request is whole goes back at once. An upstream connection is kept for the next request of the same client.
///
/// No response at all is a 502 problem document, or 504 when the time was over; one that breaks off cuts the client's connection: it is
/// never taken for whole. A request without a body whose method is idempotent is sent once more when a kept connection was found dead.
[[nodiscard]] std::shared_ptr<Connection> make_relay(boost::asio::ip::tcp::socket client, std::shared_ptr<const Relaying> relaying);

}  // namespace runfold::http

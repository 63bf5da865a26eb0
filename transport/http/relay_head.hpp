// What a relay writes of a message's head: the end-to-end fields as they came, the rest by itself.
#pragma once

#include "transport/http/stream_reader.hpp"
#include "transport/http/url.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace runfold::http {

/// Path and query of a request's target, as sent; of an absolute one, what follows its host. Nothing: it is neither.
[[nodiscard]] std::optional<std::string> path_and_query(std::string_view target);

/// Why a request cannot be passed on. Nothing: it can.
[[nodiscard]] std::optional<Problem> refusal(const StreamHead& request);

/// The request line and header for the upstream.
[[nodiscard]] std::string relayed_request(const StreamHead& request, const std::string& target, const Url& upstream);

struct RelayedFraming {
  /// The client's protocol version.
  bool http_1_0 = false;
  /// Whether the response has a body; its stated length goes on in either case.
  bool has_body = true;
  bool keep_alive = true;

  [[nodiscard]] bool chunked(const StreamHead& response) const noexcept { return has_body && !response.content_length && !http_1_0; }
};

/// The status line and header for the client.
[[nodiscard]] std::string relayed_response(const StreamHead& response, const RelayedFraming& framing);

/// An interim (1xx) response for the client.
[[nodiscard]] std::string relayed_interim(const StreamHead& response);

}  // namespace runfold::http

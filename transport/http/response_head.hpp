// Writes the head of a response: status line, fields, and how the body is framed.
#pragma once

#include "transport/http/message.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace runfold::http {

struct ResponseFraming {
  bool http_1_0 = false;
  bool head_request = false;
  bool keep_alive = true;
};

struct ResponseHead {
  std::string text;
  /// Whether a body follows.
  bool has_body = true;
  bool chunked = false;
  /// Whether the connection can serve another request.
  bool keep_alive = true;
  /// What the handler promised for a stream, in bytes.
  std::optional<std::uint64_t> content_length;
};

/// Errors: nothing when the handler's fields cannot be written as they are (a control character, a name that is no token,
/// a Content-Length of a stream that is not a number) or the status is not 200 to 599; `why` then says so.
[[nodiscard]] std::optional<ResponseHead> response_head(const Response& response, ResponseFraming framing, std::string& why);

}  // namespace runfold::http

// Which failing Container API calls are the same trouble: their shape, with what differs from call to call taken out.
#pragma once

#include "collector/rows.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// What is kept of a URI template and of a body's shape. Unit: bytes.
inline constexpr std::size_t kMaxShapeBytes = 512;

/// A request URI with {id} for path segments that look like an identifier, and its query's keys in order, each once, with {}
/// for their values. Credentials and the fragment are left out.
/// Identifiers are numbers, UUIDs, 8 or more hexadecimal digits, e-mail addresses, words with four or more digits, and long
/// words that mix digits with letters of both cases; an extension as of a file stays, and so do "v2" and "oauth2".
[[nodiscard]] std::string uri_template(std::string_view request_uri);

/// A body with white space collapsed and {n} for identifiers as above, for quoted words with a digit, and for numbers, a list
/// of which is one. Only its beginning counts.
[[nodiscard]] std::string body_shape(std::string_view body);

/// `body`: of the response, or what went wrong where none came. The fingerprint is "v1:" and 16 hexadecimal digits of a hash
/// of method, URI template, code and body shape. A change to any rule here makes other groups: it needs another version.
[[nodiscard]] ApiFailureKind api_failure_kind(std::string_view method, std::string_view request_uri,
                                              const std::optional<std::uint32_t>& code, std::string_view body);

}  // namespace runfold::collector

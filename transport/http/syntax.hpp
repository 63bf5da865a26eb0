// The small grammar of HTTP that both edges share: percent-encoding, tokens, field values, UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace runfold::http {

/// Decodes %XX. Nothing when an escape is malformed or when the outcome holds NUL or is not UTF-8.
/// `plus_is_space`: as forms and URLSearchParams write queries.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

/// A method or a field name: RFC 9110 token.
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// A method whose request may be sent twice: the second time changes nothing more (RFC 9110, 9.2.2).
[[nodiscard]] bool is_idempotent(std::string_view method) noexcept;

/// A field value that cannot end its line: no control characters but tab.
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;

/// Compares without regard to ASCII case.
[[nodiscard]] bool equal_fold(std::string_view a, std::string_view b) noexcept;

/// Whether a comma-separated list holds `token`, without regard to case.
[[nodiscard]] bool list_holds(std::string_view list, std::string_view token) noexcept;

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// The text with every byte that is not UTF-8 replaced by U+FFFD, cut after `max_bytes`: for messages that quote a client.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = 200);

}  // namespace runfold::http

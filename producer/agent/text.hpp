// Makes text safe to keep: valid UTF-8, bounded.
#pragma once

#include "runfold/v1/log.pb.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::agent {

/// Whether all of it is UTF-8 (no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;
/// The bytes with each run that is not UTF-8 replaced by U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view bytes);
/// The longest beginning of at most `limit` bytes that does not cut a UTF-8 character in two.
[[nodiscard]] std::string_view utf8_prefix(std::string_view bytes, std::size_t limit) noexcept;

/// How many newlines there are: for gigabytes, so 16 bytes at a time.
[[nodiscard]] std::uint64_t count_lines(std::string_view bytes) noexcept;

/// Severity by name ("error", "warn", "EMERG", ...) or by syslog number ("0" to "7"). Absent when it is neither.
[[nodiscard]] std::optional<v1::Severity> parse_severity(std::string_view text) noexcept;

}  // namespace runfold::agent

// The Retry-After field of an HTTP response.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace runfold::sinks {

/// How long to wait from `now` on, from either form: seconds ("120") or a date ("Sat, 16 May 2026 14:32:11 GMT").
/// Absent when it is neither; 0 when the date has passed.
/// Source: RFC 9110, 10.2.3 and 5.6.7.
[[nodiscard]] std::optional<std::chrono::milliseconds> read_retry_after(std::string_view text, std::chrono::system_clock::time_point now);

}  // namespace runfold::sinks

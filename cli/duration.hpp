// Durations and times as people write and read them on a command line.
#pragma once

#include "cli/query.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::cli {

/// Reads "1h30m", "90s", "250ms", "2d", or a bare number of seconds. Absent when it is none of these, or longer
/// than ten years.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "412 ms", "3.2 s", "4m 05s", "2h 10m", "3d 04h".
[[nodiscard]] std::string format_duration(std::int64_t ms);

/// "2026-05-16T14:32:11.123Z" to "2026-05-16 14:32:11"; with milliseconds, "2026-05-16 14:32:11.123".
[[nodiscard]] std::string format_time(std::string_view rfc3339, bool milliseconds);

/// A time as the query API takes it: RFC 3339 goes through, "2h" means two hours before `now`, "2026-05-16" is that
/// day's start. Absent when it is none of these.
[[nodiscard]] std::optional<std::string> parse_time(std::string_view text, std::chrono::system_clock::time_point now);

/// The same as a number: milliseconds since the Unix epoch. Absent when parse_time() finds no time, or no such day is.
[[nodiscard]] std::optional<std::int64_t> parse_time_ms(std::string_view text, std::chrono::system_clock::time_point now);

/// The value of a flag. Errors: kUsage names the flag and shows what durations look like.
[[nodiscard]] Outcome<std::chrono::milliseconds> duration_of(const char* flag, const std::string& value);

}  // namespace runfold::cli

// Reads the level that a line of output states, in the forms that programs and logging libraries write.
#pragma once

#include "runfold/v1/log.pb.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::agent {

/// What the fixed line format "2026-05-16 14:32:11 UTC [INFO] message" says.
struct FixedLine {
  std::chrono::sys_seconds at;
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  std::string_view message;
};

/// Absent when the line is not of that format, day and level included.
[[nodiscard]] std::optional<FixedLine> parse_fixed_line(std::string_view line);

/// What a line that states its level says.
struct StatedLine {
  v1::Severity severity = v1::SEVERITY_UNSPECIFIED;
  std::string message;
  /// The other fields of a line that has any, as a JSON object. Empty: none.
  std::string detail_json = {};
  /// The fixed format's own time. The other forms have none here: too many of them leave the zone out.
  std::optional<std::chrono::sys_seconds> at = {};
};

/// The fixed format; an object in JSON; logfmt; "<3>message" (systemd, syslog); "ERROR:name:message" (Python); a time, then a
/// level among the next words (Python, Java, Rust, nginx, PostgreSQL); glog; "ERROR message", "[error] message", "error: message".
/// Absent when the line states no level.
/// Bounds: takes memory and time in proportion to the line.
[[nodiscard]] std::optional<StatedLine> parse_line(std::string_view line);

// The two forms with fields.
[[nodiscard]] std::optional<StatedLine> parse_json_line(std::string_view line);
[[nodiscard]] std::optional<StatedLine> parse_logfmt_line(std::string_view line);

/// A level's name as loggers write it; in addition to parse_severity() Java's SEVERE, and no numbers.
[[nodiscard]] std::optional<v1::Severity> parse_level_name(std::string_view word) noexcept;

}  // namespace runfold::agent

// Times as people and JSON write them: RFC 3339.
#pragma once

#include "collector/rows.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// "2026-05-16T14:32:11.123Z": UTC, to the millisecond, cut off.
[[nodiscard]] std::string rfc3339(TimeNs at);

/// "2026-05-16 14:32:11 UTC", as log lines have it.
[[nodiscard]] std::string line_time(TimeNs at);

/// Reads an RFC 3339 time with any offset and up to nine digits of a second's fraction.
/// Absent: it is none, or it does not lie within 1970 to 2261.
[[nodiscard]] std::optional<TimeNs> parse_rfc3339(std::string_view text) noexcept;

}  // namespace runfold::collector

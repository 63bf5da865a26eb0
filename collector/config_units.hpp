// Durations and sizes as the configuration writes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// Reads "200ms", "5s", "3m", "2h" or "7d": a whole number and a unit. Absent: it is none, or out of range.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;
/// Reads "512", "64KiB", "4MiB" or "2GiB". Unit: bytes. Absent: it is none, or out of range.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

/// As parse_* reads them, in the largest unit that is exact.
[[nodiscard]] std::string to_text(std::chrono::milliseconds duration);
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace runfold::collector

// Durations and sizes as the configuration writes them.
#include "collector/config_units.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace runfold::collector {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// The largest last.
constexpr std::array<Unit, 5> kDurations{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 4> kSizes{{{"", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}}};

/// The largest value: far above any sensible one, and safe in every signed 64-bit sum.
constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max() / 1024;

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units) noexcept {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name == name) {
      return number <= kMost / unit.factor ? std::optional(number * unit.factor) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::string print(std::uint64_t value, std::span<const Unit> units) {
  std::size_t at = 0;
  while (value != 0 && at + 1 < units.size() && value % units[at + 1].factor == 0) {
    ++at;
  }
  std::string text = std::to_string(value / units[at].factor);
  text += units[at].name;
  return text;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept {
  const auto value = parse(text, kDurations);
  return value ? std::optional(std::chrono::milliseconds(*value)) : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  return parse(text, kSizes);
}

std::string to_text(std::chrono::milliseconds duration) {
  return print(static_cast<std::uint64_t>(duration.count()), kDurations);
}

std::string size_text(std::uint64_t bytes) {
  return print(bytes, kSizes);
}

}  // namespace runfold::collector

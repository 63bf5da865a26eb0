// The time of this program: it passes when the model says so.
#pragma once

#include <chrono>
#include <cstdint>

namespace runfold::simulation {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000 * kMs;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
/// When each seed begins. Unit: nanoseconds since the Unix epoch.
constexpr std::int64_t kBegin = 1'800'000'000 * kSecond;

/// What std::chrono's clocks tell here, both of them. Unit: nanoseconds since the Unix epoch.
[[nodiscard]] std::int64_t now_ns() noexcept;
void set_time(std::int64_t to_ns) noexcept;
inline void pass(std::int64_t length_ns) noexcept {
  set_time(now_ns() + length_ns);
}
/// The processor time that this program has used, for the summary.
[[nodiscard]] double cpu_seconds() noexcept;

}  // namespace runfold::simulation

// How long to wait before the next try: doubling, spread out by what is tried, the same at every start.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace runfold::sinks {

struct Backoff {
  std::chrono::milliseconds first{1'000};
  std::chrono::milliseconds longest{300'000};
};

/// The wait after the try with `attempts` before it: first, twice that, and so on up to longest, less up to a quarter that
/// `key` decides, so that many records which failed together do not come back together. Never under first, never over longest.
[[nodiscard]] std::chrono::milliseconds wait_before_retry(const Backoff& backoff, std::uint32_t attempts, std::string_view key) noexcept;

}  // namespace runfold::sinks

// Waits for something that another thread or process brings about, with a deadline.
#pragma once

#include <chrono>
#include <thread>

namespace runfold::test {

/// The longest that a test waits for anything: far above what it takes, so that a slow machine does not fail it.
inline constexpr std::chrono::seconds kPatience{60};

/// True as soon as `condition` is, false when it is not within `limit`.
template <class Condition>
[[nodiscard]] bool wait_until(Condition&& condition, std::chrono::milliseconds limit = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace runfold::test

// Which lines of a call site that logs without end still go to the log topic.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <source_location>

namespace runfold {

/// What one call site may log: so many lines at once, and then so many a second.
struct SiteRate {
  std::uint32_t burst = 1'000;
  /// 0: no limit at all.
  std::uint32_t per_second = 10;
};

/// Judges the lines of each call site of one run by its rate.
///
/// A bounded number of sites is told apart, some 200; those that a connector has beyond are not limited.
/// Thread: any, without locks but for the first line.
class SiteLimits {
 public:
  explicit SiteLimits(SiteRate rate) noexcept : rate_(rate) {}

  enum class Verdict : std::uint8_t {
    kPass,
    kHold,
    kHoldFirst,  ///< the first line of the site that does not pass
  };
  /// `now`: by the steady clock.
  [[nodiscard]] Verdict judge(const std::source_location& site, std::chrono::steady_clock::time_point now);

 private:
  struct Slot {
    /// Of a site; 0: free.
    std::atomic<std::uint64_t> key{0};
    /// When the site will have made up for all that it has logged, in ns: a line adds what one line takes at its rate.
    std::atomic<std::int64_t> settled_at{0};
    std::atomic<bool> held{false};
  };
  static constexpr std::size_t kSlots = 256;
  using Slots = std::array<Slot, kSlots>;

  [[nodiscard]] Slot* slot_of(const std::source_location& site);

  const SiteRate rate_;
  std::once_flag made_;
  /// Made with the first line: a producer may have thousands of runs.
  std::unique_ptr<Slots> slots_;
};

}  // namespace runfold

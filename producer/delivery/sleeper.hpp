// How the delivery thread sleeps: on one eventfd, woken only by what is urgent enough.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace runfold::delivery {

using Clock = std::chrono::steady_clock;

/// What a wake-up is about, least urgent first. The sleeper says from which on it wants to be woken.
enum class Urgency : std::uint32_t {
  kRecord = 1,  ///< A log record was queued.
  kEvent,       ///< An event was queued.
  kFilling,     ///< The queue is filling up.
  kControl,     ///< A run ended or the producer closes; always wakes. So do Kafka's callbacks.
};

/// Puts one thread to sleep and lets any other wake it; a wake-up costs a system call only when that thread sleeps, or did so for what
/// is rare.
class Sleeper {
 public:
  /// Throws std::system_error when the process has no descriptor left.
  Sleeper();
  ~Sleeper();
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  /// Readable when somebody woke the sleeper; others may write to it, for example librdkafka.
  [[nodiscard]] int event_fd() const noexcept { return fd_; }

  /// Thread: any. Call it after the work has become visible (Ring::commit).
  void wake(Urgency urgency) noexcept {
    if (urgency == Urgency::kControl) return ring_bell();
    const auto least = asleep_from_.load(std::memory_order_seq_cst);
    if (least == 0 || static_cast<std::uint32_t>(urgency) < least) return;
    if (asleep_from_.exchange(0, std::memory_order_seq_cst) != 0) ring_bell();
  }

  /// Sleeps until something of at least this urgency happens or `until` has come. `has_work` is asked once more after the
  /// others can see that this thread sleeps: what came before that woke nobody.
  /// Thread: the sleeper's own.
  template <class HasWork>
  void sleep(Urgency least, Clock::time_point until, HasWork has_work) {
    // The others read this at each record, so it is written only to become something else. What is rare enough stays when the thread
    // is up again: at most one bell is then rung for nothing.
    if (asleep_from_.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(least)) {
      asleep_from_.store(static_cast<std::uint32_t>(least), std::memory_order_seq_cst);
    }
    if (!has_work()) wait_for_bell(until);
    if (least < Urgency::kFilling) asleep_from_.store(0, std::memory_order_relaxed);
  }

 private:
  void ring_bell() noexcept;
  void wait_for_bell(Clock::time_point until) noexcept;

  int fd_;
  std::atomic<std::uint32_t> asleep_from_{0};
};

}  // namespace runfold::delivery

// Says when a trouble that lasts is to be mentioned or tried again: at once, then ever less often.
#pragma once

#include <algorithm>
#include <chrono>

namespace runfold::collector {

/// An interval that doubles from `first` to `longest` with each time it comes due.
///
/// Pure: time is an argument. Thread: one at a time.
class GrowingInterval {
 public:
  using Clock = std::chrono::steady_clock;

  GrowingInterval(Clock::duration first, Clock::duration longest) noexcept : first_(first), longest_(longest), next_(first) {}

  /// True the first time, and then once after each interval; a true answer doubles the interval that follows.
  [[nodiscard]] bool due(Clock::time_point now) noexcept {
    if (running_ && now < due_at_) return false;
    if (!running_) since_ = now;
    running_ = true;
    due_at_ = now + next_;
    next_ = std::min(next_ * 2, longest_);
    return true;
  }

  /// The trouble is over: the next due() is true again.
  void reset() noexcept {
    running_ = false;
    next_ = first_;
  }

  /// True between the first due() and reset().
  [[nodiscard]] bool running() const noexcept { return running_; }
  /// When due() will be true. Precondition: running().
  [[nodiscard]] Clock::time_point due_at() const noexcept { return due_at_; }
  /// How long the trouble has lasted. Precondition: running().
  [[nodiscard]] Clock::duration lasted(Clock::time_point now) const noexcept { return now - since_; }

 private:
  Clock::duration first_;
  Clock::duration longest_;
  Clock::duration next_;
  Clock::time_point due_at_;
  Clock::time_point since_;
  bool running_ = false;
};

}  // namespace runfold::collector

// Tells an operator of trouble that lasts: at once, then at a growing interval, and when it is over.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::sinks {

/// Log lines for an operator: severity is syslog's, 0 to 7.
using Log = std::function<void(int severity, std::string_view message)>;

/// Thread: one at a time. Time is an argument.
class Trouble {
 public:
  using Clock = std::chrono::steady_clock;

  /// `recovered` is the line for when it is over, for example "sink hook delivers again".
  Trouble(Log log, std::string recovered) : log_(std::move(log)), recovered_(std::move(recovered)) {}

  /// It happened (again): `line` says what, where, and what to do.
  void happened(Clock::time_point now, int severity, const std::string& line) {
    ++times_;
    if (times_ > 1 && now < say_again_) return;
    if (times_ == 1) {
      since_ = now;
      interval_ = kFirst;
    }
    log_(severity, times_ == 1 ? line : line + " (" + std::to_string(times_) + " times in " + seconds(now) + ")");
    say_again_ = now + interval_;
    interval_ = std::min(interval_ * 3, kLongest);
  }

  /// It works.
  void over(Clock::time_point now) {
    if (times_ == 0) return;
    log_(5, recovered_ + " after " + seconds(now));
    times_ = 0;
  }

 private:
  static constexpr std::chrono::seconds kFirst{10};
  static constexpr std::chrono::seconds kLongest{1'800};

  [[nodiscard]] std::string seconds(Clock::time_point now) const {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - since_).count()) + " s";
  }

  Log log_;
  std::string recovered_;
  std::uint64_t times_ = 0;
  Clock::time_point since_{};
  Clock::time_point say_again_{};
  std::chrono::seconds interval_ = kFirst;
};

}  // namespace runfold::sinks

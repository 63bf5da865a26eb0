// Whose turn it is to be asked for its watermarks, of the partitions that have one leader.
#pragma once

#include "transport/kafka/record.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace runfold::kafka {

/// How BrokerWatch goes about it.
struct WatchPace {
  std::chrono::milliseconds period;
  /// True: every partition each period. False: a few of each leader, in turn, so that each has its turn once a second.
  bool every_partition;
};

/// Gives each partition of a leader its turn, however long the turns of other leaders take. A leader that does not answer
/// (there is none just now, or it is down) holds up whoever asks, so it is asked again only after a rest.
///
/// Pure: time is an argument.
class WatchTurns {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long it may take until each partition has had its turn.
  static constexpr std::chrono::milliseconds kEachPartition{1'000};
  static constexpr std::chrono::milliseconds kRest{1'000};

  /// Those that take the place of `partitions`; who is next and who rests stays.
  void set(std::vector<TopicPartition> partitions) {
    partitions_ = std::move(partitions);
    if (next_ >= partitions_.size()) next_ = 0;
  }
  [[nodiscard]] bool empty() const noexcept { return partitions_.empty(); }

  /// Those whose turn it is; answered() or silent() is to follow when there are any.
  [[nodiscard]] std::vector<TopicPartition> next_few(Clock::time_point now, const WatchPace& pace) {
    if (partitions_.empty() || now < rests_until_) return {};
    const Clock::duration since = asked_at_ == Clock::time_point{} ? Clock::duration(pace.period) : now - asked_at_;
    const auto all = static_cast<Clock::rep>(partitions_.size());
    const Clock::rep each = Clock::duration(kEachPartition).count();
    const Clock::rep passed = std::min(since.count(), each);
    const auto due = static_cast<std::size_t>(std::clamp<Clock::rep>((all * passed + each - 1) / each, 1, all));
    asked_at_ = now;
    std::vector<TopicPartition> few;
    for (std::size_t left = pace.every_partition ? partitions_.size() : due; left > 0; --left) {
      few.push_back(partitions_[next_]);
      next_ = (next_ + 1) % partitions_.size();
    }
    return few;
  }
  void answered() noexcept { rests_until_ = {}; }
  void silent(Clock::time_point now) noexcept { rests_until_ = now + kRest; }
  [[nodiscard]] bool is_silent() const noexcept { return rests_until_ != Clock::time_point{}; }

 private:
  std::vector<TopicPartition> partitions_;
  std::size_t next_ = 0;
  Clock::time_point asked_at_{};
  Clock::time_point rests_until_{};
};

}  // namespace runfold::kafka

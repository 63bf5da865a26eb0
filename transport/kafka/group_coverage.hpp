// When a group has left out partitions of its topics, so that nobody reads them.
#pragma once

#include "transport/kafka/record.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runfold::kafka {

/// Decides when to ask what the members of a group have, and finds what nobody has.
///
/// A static member that was killed and is back within its session is given what it had, and no member divides the partitions
/// anew. Were some added meanwhile, nobody would read them until the group's next rebalance: the member's own client sees them
/// from its beginning, so that to it nothing has changed. Only the group itself can say who has what.
///
/// Pure: time is an argument.
class GroupCoverage {
 public:
  using Clock = std::chrono::steady_clock;
  using TopicSizes = std::map<std::string, std::int32_t>;

  /// An assignment is left to settle before the first question: what it starts with must not wait for the answer.
  static constexpr std::chrono::seconds kSettles{1};
  /// When nobody has said, or the group was about to change.
  static constexpr std::chrono::seconds kNobodySays{5};
  /// What is missing at one look only was added just now: the members' clients see that themselves.
  static constexpr std::chrono::seconds kSecondLook{3};
  static constexpr std::chrono::seconds kLookAgain{30};
  /// Dividing anew need not help, when a member is a stranger: so it is tried less and less often.
  static constexpr std::chrono::seconds kLongestRest{600};

  /// The group has given this member its partitions.
  void assigned(Clock::time_point now) noexcept {
    look_at_ = std::max(now + kSettles, rests_until_);
    missed_.clear();
  }
  /// The member has nothing just now.
  void revoked() noexcept { look_at_.reset(); }
  [[nodiscard]] bool is_due(Clock::time_point now) const noexcept { return look_at_ && now >= *look_at_; }

  /// What all members were given together, and how large the topics are. Absent: nobody says. Gives the partitions that two looks in
  /// a row have found to be nobody's.
  [[nodiscard]] std::vector<TopicPartition> look(const std::optional<std::set<TopicPartition>>& given, const TopicSizes& topics,
                                                 Clock::time_point now) {
    if (!given) {
      look_at_ = now + kNobodySays;
      return {};
    }
    const std::set<TopicPartition> before = std::exchange(missed_, missing(*given, topics));
    std::vector<TopicPartition> left_out;
    std::ranges::set_intersection(before, missed_, std::back_inserter(left_out));
    if (missed_.empty()) rest_ = {};
    if (!left_out.empty()) {
      rest_ = std::clamp<Clock::duration>(2 * rest_, kLookAgain, kLongestRest);
      rests_until_ = now + rest_;
    }
    look_at_ = now + (!left_out.empty() ? rest_ : missed_.empty() ? Clock::duration(kLookAgain) : Clock::duration(kSecondLook));
    return left_out;
  }

 private:
  [[nodiscard]] static std::set<TopicPartition> missing(const std::set<TopicPartition>& given, const TopicSizes& topics) {
    std::set<TopicPartition> out;
    for (const auto& [topic, partitions] : topics) {
      for (std::int32_t partition = 0; partition < partitions; ++partition) {
        TopicPartition at{topic, partition};
        if (!given.contains(at)) out.insert(std::move(at));
      }
    }
    return out;
  }

  std::optional<Clock::time_point> look_at_;
  /// By the last look since the assignment.
  std::set<TopicPartition> missed_;
  Clock::time_point rests_until_{};
  Clock::duration rest_{0};
};

}  // namespace runfold::kafka

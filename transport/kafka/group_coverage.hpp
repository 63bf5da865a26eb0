// Whether the members of a group have been given all there is of its topics.
#pragma once

#include "transport/kafka/handle.hpp"
#include "transport/kafka/record.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace runfold::kafka {

/// Finds partitions that nobody reads.
///
/// A static member that was killed and is back within its session is given what it had, and no member divides the partitions
/// anew. Were some added meanwhile, nobody would read them until the group's next rebalance: the member's own client sees them
/// from its beginning, so that to it nothing has changed. Only the group itself can say who has what.
///
/// Thread: one.
class GroupCoverage {
 public:
  using Clock = std::chrono::steady_clock;
  using TopicSizes = std::map<std::string, std::int32_t>;

  /// The client must outlive it.
  GroupCoverage(rd_kafka_t* client, std::string group) : client_(client), group_(std::move(group)) {}

  /// The group has given this member its partitions: a look is due soon.
  void assigned(Clock::time_point now) noexcept;
  /// The member has nothing just now.
  void revoked() noexcept { look_at_.reset(); }
  [[nodiscard]] bool is_due(Clock::time_point now) const noexcept { return look_at_ && now >= *look_at_; }

  /// Asks the group, at most `limit_ms`, and gives those of the topics' partitions that no member has. None while the group
  /// rebalances or nobody answers. Looks that find some become rare: rebalancing may not be the cure.
  [[nodiscard]] std::vector<TopicPartition> left_out(const TopicSizes& topics, int limit_ms);

 private:
  /// What all members have together; absent when nobody says, or it is about to change.
  [[nodiscard]] std::optional<std::set<TopicPartition>> given(int limit_ms);

  rd_kafka_t* client_;
  std::string group_;
  std::optional<Clock::time_point> look_at_;
  /// Not before: what was found last should have been mended by then.
  Clock::time_point rests_until_{};
  Clock::duration rest_{0};
};

}  // namespace runfold::kafka

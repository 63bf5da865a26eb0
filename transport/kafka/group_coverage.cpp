// Whether the members of a group have been given all there is of its topics.
#include "transport/kafka/group_coverage.hpp"

#include <algorithm>
#include <array>

namespace runfold::kafka {
namespace {

using std::chrono::seconds;

/// An assignment is left to settle: what it starts with must not wait for this question.
constexpr seconds kSettles{1};
constexpr seconds kNobodySays{5};
constexpr seconds kLookAgain{30};
constexpr seconds kLongestRest{600};

void add_assignment(const rd_kafka_ConsumerGroupDescription_t* group, std::set<TopicPartition>& given) {
  for (std::size_t m = 0; m < rd_kafka_ConsumerGroupDescription_member_count(group); ++m) {
    const auto* assignment = rd_kafka_MemberDescription_assignment(rd_kafka_ConsumerGroupDescription_member(group, m));
    const rd_kafka_topic_partition_list_t* list = assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
    for (int i = 0; list != nullptr && i < list->cnt; ++i) given.insert({list->elems[i].topic, list->elems[i].partition});
  }
}

}  // namespace

void GroupCoverage::assigned(Clock::time_point now) noexcept {
  look_at_ = std::max(now + kSettles, rests_until_);
}

std::vector<TopicPartition> GroupCoverage::left_out(const TopicSizes& topics, int limit_ms) {
  const auto given = this->given(limit_ms);
  const auto now = Clock::now();
  look_at_ = now + (given ? kLookAgain : kNobodySays);
  std::vector<TopicPartition> missing;
  if (!given) return missing;
  for (const auto& [topic, partitions] : topics) {
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
      TopicPartition at{topic, partition};
      if (!given->contains(at)) missing.push_back(std::move(at));
    }
  }
  rest_ = missing.empty() ? Clock::duration{0} : std::clamp<Clock::duration>(2 * rest_, kLookAgain, kLongestRest);
  rests_until_ = now + rest_;
  if (!missing.empty()) look_at_ = rests_until_;
  return missing;
}

std::optional<std::set<TopicPartition>> GroupCoverage::given(int limit_ms) {
  const QueueHandle queue{rd_kafka_queue_new(client_)};
  const AdminOptionsHandle options{rd_kafka_AdminOptions_new(client_, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS)};
  std::array<char, 128> why{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), limit_ms, why.data(), why.size());
  const char* name = group_.c_str();
  rd_kafka_DescribeConsumerGroups(client_, &name, 1, options.get(), queue.get());
  const EventHandle event{rd_kafka_queue_poll(queue.get(), limit_ms)};
  if (!event || rd_kafka_event_error(event.get())) return std::nullopt;
  const auto* result = rd_kafka_event_DescribeConsumerGroups_result(event.get());
  std::size_t count = 0;
  const auto* groups = result == nullptr ? nullptr : rd_kafka_DescribeConsumerGroups_result_groups(result, &count);
  if (groups == nullptr || count != 1 || rd_kafka_ConsumerGroupDescription_error(groups[0]) != nullptr) return std::nullopt;
  if (rd_kafka_ConsumerGroupDescription_state(groups[0]) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE) return std::nullopt;
  std::set<TopicPartition> given;
  add_assignment(groups[0], given);
  return given;
}

}  // namespace runfold::kafka

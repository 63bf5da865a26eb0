// A consumer as a member of its group: what it is given and what is taken away; ranges come in by the same door.
#include "transport/kafka/consumer_impl.hpp"

#include <algorithm>
#include <utility>

namespace runfold::kafka {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<TopicPartition> to_partitions(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> partitions;
  for (int i = 0; list != nullptr && i < list->cnt; ++i) partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  return partitions;
}

}  // namespace

Result<void> RdkafkaConsumer::subscribe() {
  const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(topics_.size()))};
  std::string names;
  for (const std::string& topic : topics_) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    names += (names.empty() ? "" : ", ") + topic;
  }
  if (const auto error = rd_kafka_subscribe(client_.get(), list.get())) return make_error(error, "subscribe to " + names);
  return {};
}

void RdkafkaConsumer::assign_ranges() {
  const std::vector<Range> ranges = std::exchange(ranges_, {});
  std::vector<TopicPartition> partitions;
  for (const Range& range : ranges) partitions.push_back(range.at);
  assign(partitions, ranges);
  tell_of_ends();
}

void RdkafkaConsumer::on_rebalance(rd_kafka_event_t* event) {
  if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    assign(to_partitions(rd_kafka_event_topic_partition_list(event)));
  } else {
    revoke(rd_kafka_assignment_lost(client_.get()) != 0);
  }
}

void RdkafkaConsumer::assign(const std::vector<TopicPartition>& partitions, std::span<const Range> ranges) {
  if (connection_.on_answer()) recovered_.store(true);
  tell_recovered();
  std::vector<StartOffset> starts;
  if (events_.on_assign) starts = events_.on_assign(partitions);
  std::vector<Positions::Slot> slots;
  for (const TopicPartition& at : partitions) {
    const auto start = std::find_if(starts.begin(), starts.end(), [&](const StartOffset& one) { return one.at == at; });
    Positions::Slot& slot = slots.emplace_back();
    slot.at = at;
    if (!ranges.empty()) {
      const Range& range = ranges[slots.size() - 1];
      slot.next = range.first;
      slot.end = range.end;
      if (start != starts.end()) slot.next = start->next_offset.value_or(range.first);
    } else if (start != starts.end()) {
      slot.next = start->next_offset.value_or(Positions::kAnywhere);
    }
  }
  positions_.assign(std::move(slots));
  if (reset_ == OffsetReset::kError) tell_of_no_start();
  if (auto assigned = assign_from_positions(); !assigned) tell(assigned.error(), std::nullopt);
  if (watch_) watch_->watch(partitions);
}

void RdkafkaConsumer::revoke(bool lost) {
  const std::vector<TopicPartition> partitions = assignment();
  if (events_.on_revoke && !partitions.empty()) events_.on_revoke(partitions, lost);
  // librdkafka remembers of a partition that it is paused, whoever has it meanwhile: should it come back after resume(), nobody
  // would ever read it. Whatever is given while we are paused is paused then.
  for (Positions::Slot& slot : positions_.slots()) slot.left_alone = false;
  set_paused(false);
  positions_.clear();
  if (watch_) watch_->watch({});
  if (const auto error = rd_kafka_assign(client_.get(), nullptr)) {
    // With the client closing or fatally broken there is nothing left to give back.
    if (!closed_) tell(make_error(error, "give back the revoked partitions"), std::nullopt);
  }
}

void RdkafkaConsumer::rejoin_for_left_out() {
  if (!left_out_.exchange(false)) return;
  const std::vector<TopicPartition> partitions = watch_->take_left_out();
  if (partitions.empty()) return;
  if (events_.on_left_out) events_.on_left_out(partitions);
  // Even a static member leaves by this, so that its coming back counts as a change of the group.
  if (const auto error = rd_kafka_unsubscribe(client_.get()))
    tell(make_error(error, "leave the consumer group for a moment"), std::nullopt);
  if (const auto subscribed = subscribe(); !subscribed) tell(subscribed.error(), std::nullopt);
}

void RdkafkaConsumer::commit_for_lag_tools(std::span<const StartOffset> next_offsets) {
  if (closed_ || of_ranges_ || next_offsets.empty()) return;
  const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(next_offsets.size()))};
  for (const StartOffset& next : next_offsets) {
    if (next.next_offset)
      rd_kafka_topic_partition_list_add(list.get(), next.at.topic.c_str(), next.at.partition)->offset = *next.next_offset;
  }
  if (list->cnt == 0) return;
  if (const auto error = rd_kafka_commit(client_.get(), list.get(), 1)) tell_commit_failure(error);
}

void RdkafkaConsumer::tell_commit_failure(rd_kafka_resp_err_t error) {
  // While the group rebalances, or nothing is new, a commit is refused as a matter of course; the next one says it all.
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET || error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
      error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID) {
    return;
  }
  // Nothing depends on it, whatever the reason.
  tell(Error{Errc::kOther, make_error(error, "tell the consumer group how far this member is (for lag tools only)").message}, std::nullopt);
}

void RdkafkaConsumer::close(std::chrono::milliseconds limit) {
  if (closed_) return;
  const auto deadline = Clock::now() + limit;
  watch_.reset();
  if (of_ranges_) {
    // There is no group to leave.
    closed_ = true;
    revoke(false);
    return;
  }
  // Not rd_kafka_consumer_close(): it has no deadline, and before 2.1 it can hang once a partition was lost.
  const ErrorHandle refusal{rd_kafka_consumer_close_queue(client_.get(), queue_.get())};
  if (refusal)
    tell(make_error(rd_kafka_error_code(refusal.get()), "leave the consumer group", rd_kafka_error_string(refusal.get())), std::nullopt);
  while (!refusal && rd_kafka_consumer_closed(client_.get()) == 0 && Clock::now() < deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const EventHandle event{rd_kafka_queue_poll(queue_.get(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 50)))};
    if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) on_rebalance(event.get());
  }
  closed_ = true;
  // No answer in time: the group will find out by itself, so the partitions count as lost.
  if (!positions_.slots().empty()) revoke(true);
}

}  // namespace runfold::kafka

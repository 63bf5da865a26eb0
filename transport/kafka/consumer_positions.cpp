// Where a consumer stands in its partitions: seeking, pausing, and the ends of ranges.
#include "transport/kafka/consumer_impl.hpp"

#include <algorithm>

namespace runfold::kafka {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSeekLimit = std::chrono::seconds(5);
constexpr std::int64_t kLongestSeekLimitMs = 5'000'000;  // five seconds, for a librdkafka that counts in microseconds

}  // namespace

template <class Which>
void RdkafkaConsumer::set_paused(bool paused, Which&& which) {
  const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(positions_.slots().size()))};
  for (const Positions::Slot& slot : positions_.slots()) {
    if (!slot.left_alone && which(slot)) rd_kafka_topic_partition_list_add(list.get(), slot.at.topic.c_str(), slot.at.partition);
  }
  if (list->cnt == 0) return;
  const auto error = paused ? rd_kafka_pause_partitions(client_.get(), list.get()) : rd_kafka_resume_partitions(client_.get(), list.get());
  if (error) tell(make_error(error, paused ? "pause the partitions" : "resume the partitions"), std::nullopt);
}

void RdkafkaConsumer::set_paused(bool paused) {
  set_paused(paused, [](const Positions::Slot&) { return true; });
}

void RdkafkaConsumer::pause_ended() {
  set_paused(true, [](const Positions::Slot& slot) { return slot.ended; });
}

void RdkafkaConsumer::pause() {
  paused_ = true;
  set_paused(true);
}

void RdkafkaConsumer::resume() {
  if (!paused_) return;
  paused_ = false;
  set_paused(false);
  pause_ended();
  std::vector<StartOffset> back;
  for (Positions::Slot& slot : positions_.slots()) {
    if (slot.rewind && !slot.left_alone)
      back.push_back({slot.at, slot.next == Positions::kAnywhere ? std::nullopt : std::optional(slot.next)});
  }
  if (back.empty()) return;
  if (seek(back)) return;
  // seek() has forgotten who must go back; every partition from where it stands is right for all.
  if (auto assigned = assign_from_positions(); !assigned) tell(assigned.error(), std::nullopt);
}

void RdkafkaConsumer::leave_alone(const TopicPartition& at) {
  Positions::Slot* slot = positions_.find(at);
  if (slot == nullptr || slot->left_alone) return;
  slot->left_alone = true;
  const PartitionListHandle list{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(list.get(), at.topic.c_str(), at.partition);
  if (const auto error = rd_kafka_pause_partitions(client_.get(), list.get()))
    tell(make_error(error, "leave " + name_of(at) + " alone"), at);
}

Result<void> RdkafkaConsumer::seek(std::span<const StartOffset> to) {
  for (const StartOffset& start : to) {
    Positions::Slot* slot = positions_.find(start.at);
    if (!start.next_offset && reset_ == OffsetReset::kError) {
      return Error{Errc::kInvalid, "cannot seek in " + name_of(start.at) + " to nowhere: auto.offset.reset is error, so name an offset"};
    }
    if (slot == nullptr) return Error{Errc::kNotFound, "cannot seek in " + name_of(start.at) + ": it is not assigned to this consumer"};
    slot->next = start.next_offset.value_or(Positions::kAnywhere);
    slot->oldest = false;
    slot->rewind = false;
    if (slot->ended && !slot->at_end()) {
      slot->ended = false;
      if (!paused_) set_paused(false, [slot](const Positions::Slot& other) { return &other == slot; });
    }
  }
  return seek_there(to);
}

Result<void> RdkafkaConsumer::seek_there(std::span<const StartOffset> to) {
  const PartitionListHandle list = to_list(to);
  if (auto sought = seek_all(list.get()); !sought) return sought.error();
  const bool all_done =
      std::all_of(list->elems, list->elems + list->cnt, [](const auto& one) { return one.err == RD_KAFKA_RESP_ERR_NO_ERROR; });
  if (all_done) return {};
  // A partition that is not being fetched, because its offset was out of range or its fetcher has not started, cannot
  // seek. Handing all partitions over anew, from where each stands, moves it and is right for the others.
  return assign_from_positions();
}

Result<void> RdkafkaConsumer::seek_all(rd_kafka_topic_partition_list_t* list) {
  const auto began = Clock::now();
  for (auto limit_ms = std::chrono::milliseconds(kSeekLimit).count();; limit_ms *= 10) {
    const ErrorHandle refusal{rd_kafka_seek_partitions(client_.get(), list, static_cast<int>(limit_ms))};
    if (!refusal) return {};
    const auto code = rd_kafka_error_code(refusal.get());
    if (code != RD_KAFKA_RESP_ERR__TIMED_OUT || Clock::now() - began >= kSeekLimit || limit_ms >= kLongestSeekLimitMs) {
      return make_error(code, "seek", rd_kafka_error_string(refusal.get()));
    }
  }
}

Result<void> RdkafkaConsumer::assign_from_positions() {
  std::vector<StartOffset> starts;
  for (Positions::Slot& slot : positions_.slots()) {
    slot.rewind = false;
    slot.topic_handle = nullptr;
    if (slot.left_alone) continue;
    starts.push_back({slot.at, slot.next == Positions::kAnywhere ? std::nullopt : std::optional(slot.next)});
  }
  const PartitionListHandle list = to_list(starts);
  if (const auto error = rd_kafka_assign(client_.get(), list.get())) return make_error(error, "take over the assigned partitions");
  if (paused_) set_paused(true);
  pause_ended();
  return {};
}

PartitionListHandle RdkafkaConsumer::to_list(std::span<const StartOffset> starts) {
  PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(starts.size()))};
  for (const StartOffset& start : starts) {
    if (!start.next_offset && reset_ == OffsetReset::kError) continue;  // nowhere to start: on_error was told
    const Positions::Slot* slot = positions_.find(start.at);
    const bool newest = reset_ == OffsetReset::kLatest && !(slot != nullptr && slot->oldest);
    rd_kafka_topic_partition_list_add(list.get(), start.at.topic.c_str(), start.at.partition)->offset =
        start.next_offset.value_or(newest ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING);
  }
  return list;
}

void RdkafkaConsumer::tell_of_ends() {
  for (Positions::Slot& slot : positions_.slots()) {
    if (slot.ended || slot.rewind || !slot.at_end()) continue;
    slot.ended = true;
    pause_ended();
    if (events_.on_end) events_.on_end(slot.at);
  }
}

void RdkafkaConsumer::on_partition_eof(const TopicPartition& at, std::int64_t offset) {
  Positions::Slot* slot = positions_.find(at);
  if (slot == nullptr || slot->rewind || slot->left_alone) return;
  if (!of_ranges_) {
    if (offset >= slot->next && events_.on_read_up_to) events_.on_read_up_to(at, offset);
    return;
  }
  if (slot->end == Positions::kAnywhere || offset < slot->end) return;
  slot->next = std::max(slot->next, slot->end);
  tell_of_ends();
}

}  // namespace runfold::kafka

// What a consumer says of trouble, and what it makes of an offset that is not there.
#include "transport/kafka/consumer_impl.hpp"

#include <array>

namespace runfold::kafka {

std::string name_of(const TopicPartition& at) {
  return at.topic + "[" + std::to_string(at.partition) + "]";
}

void RdkafkaConsumer::tell(const Error& error, const std::optional<TopicPartition>& at) {
  if (events_.on_error) events_.on_error(error, at);
}

void RdkafkaConsumer::tell_recovered() {
  if (recovered_.exchange(false) && events_.on_recovered) events_.on_recovered();
}

void RdkafkaConsumer::on_error(rd_kafka_event_t* event) {
  const auto code = rd_kafka_event_error(event);
  const char* text = rd_kafka_event_error_string(event);
  const std::string reason = text == nullptr ? "" : text;
  std::optional<TopicPartition> at;
  std::int64_t offset = RD_KAFKA_OFFSET_INVALID;
  if (rd_kafka_topic_partition_t* where = rd_kafka_event_topic_partition(event)) {
    if (where->partition >= 0) at = TopicPartition{where->topic, where->partition};
    offset = where->offset;
    rd_kafka_topic_partition_destroy(where);
  }
  if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {  // no trouble
    if (at) on_partition_eof(*at, offset);
    return;
  }
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> why{};
    const auto first = rd_kafka_fatal_error(client_.get(), why.data(), why.size());
    const Errc errc = classify(first) == Errc::kFenced ? Errc::kFenced : Errc::kFatal;
    tell(Error{errc, std::string("the Kafka consumer is broken and must be made anew: ") + rd_kafka_err2name(first) + ": " + why.data()},
         at);
  } else if (at && classify(code) == Errc::kOutOfRange) {
    on_out_of_range(*at, reason);
  } else if (at) {
    Error error = make_error(code, "read " + name_of(*at), reason);
    if (error.code == Errc::kUnreachable) error.code = Errc::kTimedOut;  // One leader is away: no outage either.
    tell(error, at);
  } else if (auto error = connection_.on_error(code, reason)) {
    // A coordinator or leader that is not there yet is no outage: on_recovered would never follow.
    if (error->code == Errc::kUnreachable && !connection_.unreachable()) error->code = Errc::kTimedOut;
    tell(*error, std::nullopt);
  }
}

void RdkafkaConsumer::on_out_of_range(const TopicPartition& at, const std::string& reason) {
  Positions::Slot* slot = positions_.find(at);
  if (slot == nullptr || slot->left_alone) return;  // a partition that was taken away meanwhile
  const std::int64_t asked = slot->next;
  slot->rewind = true;  // so that a seek() in on_error shows
  // Where reading was under way already, "latest" would lose all that is there beside what is gone.
  const bool oldest = reset_ == OffsetReset::kEarliest || (reset_ == OffsetReset::kLatest && asked != Positions::kAnywhere);
  const char* next_step = oldest                           ? "; going on with the oldest record there is"
                          : reset_ == OffsetReset::kLatest ? "; going on with the next record written"
                                                           : "; it stands still (auto.offset.reset=error)";
  std::string message =
      "offset " + (asked == Positions::kAnywhere ? std::string("to start from") : std::to_string(asked)) + " is not in " + name_of(at);
  tell(Error{Errc::kOutOfRange, message + next_step + (reason.empty() ? "" : " (" + reason + ")")}, at);
  slot = positions_.find(at);
  if (slot == nullptr || !slot->rewind) return;
  slot->rewind = false;
  if (reset_ == OffsetReset::kError) return;
  slot->next = Positions::kAnywhere;
  slot->oldest = oldest;
  const StartOffset to{at, std::nullopt};
  if (auto moved = seek_there({&to, 1}); !moved) tell(moved.error(), at);
}

void RdkafkaConsumer::tell_of_no_start() {
  for (const TopicPartition& at : assignment()) {
    const Positions::Slot* slot = positions_.find(at);
    if (slot == nullptr || slot->next != Positions::kAnywhere) continue;
    tell(Error{Errc::kOutOfRange, "no offset to start from is known for " + name_of(at) + "; it stands still (auto.offset.reset=error)"},
         at);
  }
}

}  // namespace runfold::kafka

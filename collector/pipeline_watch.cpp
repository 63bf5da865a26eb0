// What a pipeline tells of itself: trouble with Kafka, and how far it lags behind.
#include "collector/pipeline_impl.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

constexpr std::chrono::seconds kLagInterval{1};
/// Watermarks are about a second old at most: those seen this long after an event are of after it.
constexpr std::chrono::seconds kMarksAreOfNow{2};

std::string name_of(const Partition& partition) {
  return "partition " + std::to_string(partition.at.partition) + " of " + partition.at.topic;
}

}  // namespace

void PipelineImpl::on_error(const kafka::Error& error, const std::optional<kafka::TopicPartition>& at) {
  const auto now = Clock::now();
  switch (error.code) {
    case kafka::Errc::kFatal:
      fail(error.message);
      return;
    case kafka::Errc::kFenced:
      fail(why_fenced(error));
      return;
    case kafka::Errc::kOutOfRange:
      if (at) on_out_of_range(error, *at, now);
      return;
    case kafka::Errc::kUnreachable:
      kafka_trouble_ = error.message;
      say_kafka_health();
      if (kafka_mention_.due(now)) log_(3, kafka_trouble_ + "; trying again");
      return;
    case kafka::Errc::kUnauthorised:
    case kafka::Errc::kNotFound:
    case kafka::Errc::kInvalid:
      refusal_ = error.message;
      refused_at_ = now;
      say_kafka_health();
      if (refusal_mention_.due(now)) log_(3, refusal_ + "; trying again");
      return;
    default:
      // It passes, or shows in the lag.
      if (hiccup_mention_.due(now)) log_(4, error.message);
      return;
  }
}

std::string PipelineImpl::why_fenced(const kafka::Error& error) const {
  const auto id = options_.kafka.get("group.instance.id");
  if (!id || id->empty()) return error.message;
  return "another collector has joined group " + options_.group + " as group.instance.id " + *id +
         ", so Kafka shut this one out; was the store copied, or the same group.instance.id configured twice? Stop one of the two, or "
         "start "
         "one with -X group.instance.id=ANOTHER (" +
         error.message + ")";
}

// Out of range

void PipelineImpl::on_out_of_range(const kafka::Error& error, const kafka::TopicPartition& at, Clock::time_point now) {
  Partition* partition = partitions_.find(at.topic, at.partition);
  if (partition == nullptr || partition->state != Partition::State::kReading) return;  // The claim decides, or it is said already.
  if (!partition->next_offset) {
    // Nothing of it was ever taken, so wherever the consumer goes on is right.
    if (hiccup_mention_.due(now)) log_(4, error.message);
  } else if (!partition->out_of_range_since) {
    partition->out_of_range_since = now;
  }
}

bool PipelineImpl::judge_by_record(Partition& partition, std::int64_t offset) {
  if (offset < *partition.next_offset) {
    stop(partition, "Kafka has older records there, but not that one");
    return false;
  }
  if (offset > *partition.next_offset) skip_to(partition, offset);
  return true;
}

void PipelineImpl::judge_by_watermarks(Clock::time_point now) {
  if (!inbox_.empty()) return;  // Records of it may wait there.
  for (Partition& partition : partitions_.all()) {
    if (!partition.out_of_range_since || now < *partition.out_of_range_since + kMarksAreOfNow) continue;
    const auto marks = consumer_->watermarks(partition.at);
    if (!marks) continue;
    const std::int64_t next = *partition.next_offset;
    if (next > marks->high) {
      stop(partition, "the partition ends at offset " + std::to_string(marks->high));
      continue;
    }
    const kafka::StartOffset to{partition.at, std::max(next, marks->low)};
    if (const auto moved = consumer_->seek({&to, 1}); !moved) {
      partition.out_of_range_since = now;
      if (hiccup_mention_.due(now)) log_(4, moved.error().message);
    } else if (next < marks->low) {
      skip_to(partition, marks->low);
    } else {
      partition.out_of_range_since.reset();  // It has it again.
    }
  }
}

void PipelineImpl::skip_to(Partition& partition, std::int64_t offset) {
  log_(2, "up to " + std::to_string(offset - *partition.next_offset) + " records of " + name_of(partition) +
              " are lost: Kafka deleted them before they were read (offset " + std::to_string(*partition.next_offset) +
              " was next); it goes on at offset " + std::to_string(offset) + "; lengthen the topic's retention");
  partition.next_offset = offset;
  partition.changed = true;
  partition.out_of_range_since.reset();
  if (!changed_since_) changed_since_ = Clock::now();
}

void PipelineImpl::stop(Partition& partition, const std::string& why) {
  partition.state = Partition::State::kStopped;
  partition.out_of_range_since.reset();
  stopped_ = name_of(partition) + " is stopped: offset " + std::to_string(*partition.next_offset) + " is next, and " + why +
             "; the topic was made anew or lost records, and an operator must decide";
  health_.not_ready("partition", stopped_);
  stopped_mention_.reset();
}

// Trouble and its end

void PipelineImpl::records_arrive() {
  refusal_.clear();
  say_kafka_health();
}

void PipelineImpl::on_recovered() {
  if (const GrowingInterval& said = kafka_mention_.running() ? kafka_mention_ : refusal_mention_; said.running()) {
    const auto lasted = std::chrono::duration_cast<std::chrono::seconds>(said.lasted(Clock::now()));
    log_(5, "Kafka answers again at " + brokers_ + ", after " + std::to_string(lasted.count()) + " s");
  }
  kafka_trouble_.clear();
  refusal_.clear();
  kafka_mention_.reset();
  refusal_mention_.reset();
  say_kafka_health();
}

void PipelineImpl::say_kafka_health() {
  if (!kafka_trouble_.empty()) {
    health_.not_ready("kafka", kafka_trouble_ + "; trying again");
  } else if (!refusal_.empty()) {
    health_.not_ready("kafka", refusal_ + "; trying again");
  } else if (!joined_) {
    health_.not_ready("kafka", "joining group " + options_.group + " at " + brokers_ + ": no partitions assigned yet");
  } else {
    health_.ready("kafka");
  }
}

void PipelineImpl::watch(Clock::time_point now) {
  if (!kafka_trouble_.empty() && kafka_mention_.due(now)) log_(3, kafka_trouble_ + "; still trying");
  if (refusal_mention_.running() && now >= refused_at_ + options_.refusal_passes) {
    refusal_mention_.reset();
    refusal_.clear();
    say_kafka_health();
  }
  judge_by_watermarks(now);
  if (!stopped_.empty() && stopped_mention_.due(now)) log_(2, stopped_);
  if (now < lag_due_at_) return;
  lag_due_at_ = now + kLagInterval;
  for (const Partition& partition : partitions_.all()) {
    if (const auto marks = consumer_->watermarks(partition.at)) {
      const std::int64_t lag = marks->high - partition.next_offset.value_or(marks->low);
      observer_.lag(partition.at.topic, partition.at.partition, std::max<std::int64_t>(0, lag));
    }
  }
}

}  // namespace runfold::collector

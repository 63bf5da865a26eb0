// What a pipeline tells of itself: trouble with Kafka, and how far it lags behind.
#include "collector/pipeline_impl.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

constexpr std::chrono::seconds kLagInterval{1};

}  // namespace

void PipelineImpl::on_error(const kafka::Error& error, const std::optional<kafka::TopicPartition>& at) {
  const auto now = Clock::now();
  switch (error.code) {
    case kafka::Errc::kFatal:
    case kafka::Errc::kFenced:
      fail(error.message);
      return;
    case kafka::Errc::kOutOfRange:
      if (Partition* partition = at ? partitions_.find(at->topic, at->partition) : nullptr) {
        partition->state = Partition::State::kStopped;
        const std::string where = "partition " + std::to_string(at->partition) + " of " + at->topic;
        const std::string sentence = where + " is stopped: the store goes on at offset " +
                                     (partition->next_offset ? std::to_string(*partition->next_offset) : "(none)") +
                                     ", which the partition no longer has or does not have yet: " + error.message;
        health_.not_ready("partition", sentence);
        log_(2, sentence);
        return;
      }
      break;
    case kafka::Errc::kUnreachable:
    case kafka::Errc::kUnauthorised:
    case kafka::Errc::kNotFound:
    case kafka::Errc::kInvalid:
      kafka_trouble_ = error.message;
      break;
    default:
      // It passes, or shows in the lag.
      if (hiccup_mention_.due(now)) log_(4, error.message);
      return;
  }
  say_kafka_health();
  if (kafka_mention_.due(now)) log_(3, kafka_trouble_ + "; trying again");
}

void PipelineImpl::on_recovered() {
  if (kafka_mention_.running()) {
    const auto lasted = std::chrono::duration_cast<std::chrono::seconds>(kafka_mention_.lasted(Clock::now()));
    log_(5, "Kafka answers again at " + brokers_ + ", after " + std::to_string(lasted.count()) + " s");
  }
  kafka_trouble_.clear();
  kafka_mention_.reset();
  say_kafka_health();
}

void PipelineImpl::say_kafka_health() {
  if (!kafka_trouble_.empty()) {
    health_.not_ready("kafka", kafka_trouble_ + "; trying again");
  } else if (!joined_) {
    health_.not_ready("kafka", "joining group " + options_.group + " at " + brokers_ + ": no partitions assigned yet");
  } else {
    health_.ready("kafka");
  }
}

void PipelineImpl::watch(Clock::time_point now) {
  if (!kafka_trouble_.empty() && kafka_mention_.due(now)) log_(3, kafka_trouble_ + "; still trying");
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

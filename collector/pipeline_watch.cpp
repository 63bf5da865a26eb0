// What a pipeline tells of itself: trouble with Kafka, and how far it lags behind.
#include "collector/pipeline_impl.hpp"

#include <algorithm>
#include <map>

namespace runfold::collector {
namespace {

constexpr std::chrono::seconds kLagInterval{1};
/// A Kafka that has said nothing for this long is worth a line.
constexpr std::chrono::seconds kFirstAnswer{2};
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

void PipelineImpl::on_left_out(std::span<const kafka::TopicPartition> partitions) {
  std::map<std::string, std::vector<std::int32_t>> of_topic;
  for (const kafka::TopicPartition& at : partitions) of_topic[at.topic].push_back(at.partition);
  for (const auto& [topic, numbers] : of_topic) {
    log_(4, "nobody in group " + options_.group + " reads " + std::to_string(numbers.size()) + " partitions of " + topic + ", from " +
                std::to_string(numbers.front()) + " on: they were added while its members were away; the group divides all anew");
  }
}

void PipelineImpl::say_kafka_health() {
  if (!kafka_trouble_.empty()) {
    health_.not_ready("kafka", kafka_trouble_ + "; trying again");
  } else if (!missing_.empty()) {
    health_.not_ready("kafka", missing_);
  } else if (!refusal_.empty()) {
    health_.not_ready("kafka", refusal_ + "; trying again");
  } else if (!reached_) {
    health_.not_ready("kafka", "connecting to " + brokers_ + " to join group " + options_.group + ": no broker has answered yet");
  } else if (!joined_) {
    health_.not_ready("kafka", "joining group " + options_.group + " at " + brokers_ + ": no partitions assigned yet");
  } else {
    health_.ready("kafka");
  }
}

void PipelineImpl::look_for_first_answer(Clock::time_point now) {
  if (consumer_->reached()) {
    reached_ = true;
    if (silence_mention_.running()) log_(5, "Kafka answers at " + brokers_);
    say_kafka_health();
  } else if (kafka_trouble_.empty() && now >= made_at_ + kFirstAnswer && silence_mention_.due(now)) {
    // Who drops packets refuses nothing: it takes librdkafka long to call that an error.
    log_(3, "no Kafka broker has answered at " + brokers_ + " yet; still trying");
  }
}

void PipelineImpl::look_at_topics(Clock::time_point now) {
  std::string missing;
  for (const kafka::TopicSize& topic : consumer_->topics()) {
    if (topic.partitions == 0) {
      missing += (missing.empty() ? "" : "; ") + std::string("topic ") + topic.name + " does not exist on Kafka at " + brokers_ +
                 ": nothing of it can be read until it is there again";
    }
    const auto [known, first] = topic_sizes_.emplace(topic.name, topic.partitions);
    const std::int32_t before = std::exchange(known->second, topic.partitions);
    if (first || before == topic.partitions || topic.partitions == 0) continue;
    log_(5, "topic " + topic.name + " now has " + std::to_string(topic.partitions) + " partitions" +
                (before == 0 ? "; it did not exist" : ", it had " + std::to_string(before)));
  }
  if (missing == missing_) return;
  missing_ = std::move(missing);
  missing_mention_.reset();
  if (!missing_.empty() && missing_mention_.due(now)) log_(3, missing_);
  say_kafka_health();
}

void PipelineImpl::watch(Clock::time_point now) {
  if (!reached_) look_for_first_answer(now);
  if (!kafka_trouble_.empty() && kafka_mention_.due(now)) log_(3, kafka_trouble_ + "; still trying");
  if (refusal_mention_.running() && now >= refused_at_ + options_.refusal_passes) {
    refusal_mention_.reset();
    refusal_.clear();
    say_kafka_health();
  }
  judge_by_watermarks(now);
  if (!remembered_.empty()) look_at_remembered(now);
  if (missing_mention_.running() && missing_mention_.due(now)) log_(3, missing_);
  if (stopped_mention_.running() && stopped_mention_.due(now)) log_(2, stopped_partitions());
  if (now < lag_due_at_) return;
  lag_due_at_ = now + kLagInterval;
  for (const Partition& partition : partitions_.all()) {
    if (const auto marks = consumer_->watermarks(partition.at)) {
      const std::int64_t lag = marks->high - read_up_to(partition, marks->low);
      observer_.lag(partition.at.topic, partition.at.partition, std::max<std::int64_t>(0, lag));
    }
  }
  // After the lag: who sees a lag knows that the sizes of the topics are known, so that their growth will be named.
  look_at_topics(now);
}

}  // namespace runfold::collector

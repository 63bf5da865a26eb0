// Publishes each record to a Kafka topic.
#pragma once

#include "sinks/options.hpp"
#include "sinks/sink.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <set>
#include <string>

namespace runfold::sinks {

struct KafkaTopicOptions {
  std::string name = "kafka";
  std::set<Kind> kinds{Kind::kApiFailure, Kind::kRun};
  /// Of the producer. message.timeout.ms is set to fit `timeout` unless the user has set it.
  kafka::Properties kafka{};
  /// `runs` and `api_failures` are written.
  kafka::TopicNames topics{};
  /// For one deliver(): from the first record to the last acknowledgement. 1 s to 5 min.
  std::chrono::milliseconds timeout{30'000};
};

/// A sink that produces runfold.v1.Run to topics.runs and runfold.v1.ApiFailure to topics.api_failures, both with run_id for
/// a key, and waits for the broker's acknowledgement of each.
///
/// Headers: content-type application/protobuf, and CloudEvents' binary mode: ce_specversion, ce_id (the idempotency key),
/// ce_type (the message's name), ce_source /runfold/collector, ce_time. The producer is idempotent, and is made anew when
/// librdkafka calls it broken. A record larger than the topic takes is rejected; all other trouble is tried again.
/// Errors: names the option.
[[nodiscard]] OptionResult<std::unique_ptr<Sink>> make_kafka_topic(boost::asio::any_io_executor executor, KafkaTopicOptions options);

}  // namespace runfold::sinks

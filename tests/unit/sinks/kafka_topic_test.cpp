// The Kafka sink: which topic, key and headers a record gets, and which options it refuses.
#include "sinks/kafka_topic.hpp"

#include "tests/contract/sinks/sample_items.hpp"
#include "tests/contract/sinks/sink_under_test.hpp"
#include "tests/contract/sinks/topic_reader.hpp"
#include "transport/kafka/embedded_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::sinks {
namespace {

using namespace std::chrono_literals;
using contract::kPatience;
using contract::sample_item;
using testing::ElementsAre;
using testing::Pair;

KafkaTopicOptions options_for(const std::string& servers) {
  KafkaTopicOptions options;
  options.kafka.set("bootstrap.servers", servers).value();
  return options;
}

TEST(KafkaTopicSink, EachKindGoesToItsTopicWithItsKeyAndCloudEventHeaders) {
  boost::asio::io_context context(1);
  const auto broker = kafka::EmbeddedBroker::start(kafka::topic_policies({}, 4, 1)).value();
  const auto sink = make_kafka_topic(context.get_executor(), options_for(broker->bootstrap_servers())).value();
  const std::vector<Item> items{sample_item(Kind::kRun, 1, "run-1"), sample_item(Kind::kApiFailure, 2, "run-1")};
  for (const auto& verdict : contract::run(context, sink->deliver(items)))
    ASSERT_EQ(verdict.outcome, Outcome::kDelivered) << verdict.reason;

  contract::TopicReader reader(broker->bootstrap_servers(), {"runfold.runs", "runfold.api-failures"});
  std::map<std::string, contract::TopicRecord> by_topic;
  for (const auto& record : reader.read(2, kPatience)) by_topic[record.topic] = record;
  const auto& run = by_topic.at("runfold.runs");
  EXPECT_EQ(run.key, "run-1");
  EXPECT_EQ(run.value, items[0].payload);
  EXPECT_THAT(run.headers, ElementsAre(Pair("ce_id", "run-1:1"), Pair("ce_source", "/runfold/collector"), Pair("ce_specversion", "1.0"),
                                       Pair("ce_time", "2026-05-16T14:32:11Z"), Pair("ce_type", "runfold.v1.Run"),
                                       Pair("content-type", "application/protobuf")));
  const auto& failure = by_topic.at("runfold.api-failures");
  EXPECT_EQ(failure.key, "run-1");
  EXPECT_EQ(failure.value, items[1].payload);
  EXPECT_THAT(failure.headers, testing::Contains(Pair("ce_type", "runfold.v1.ApiFailure")));
  EXPECT_THAT(failure.headers, testing::Contains(Pair("ce_id", "run-1:2")));
}

TEST(KafkaTopicSink, ARecordThatSaysNoTimeHasNoTimeHeader) {
  boost::asio::io_context context(1);
  const auto broker = kafka::EmbeddedBroker::start(kafka::topic_policies({}, 4, 1)).value();
  const auto sink = make_kafka_topic(context.get_executor(), options_for(broker->bootstrap_servers())).value();
  Item bare = sample_item(Kind::kRun, 1, "run-1");
  bare.payload = "";
  const std::vector<Item> items{bare};
  ASSERT_EQ(contract::run(context, sink->deliver(items)).at(0).outcome, Outcome::kDelivered);
  contract::TopicReader reader(broker->bootstrap_servers(), {"runfold.runs"});
  EXPECT_FALSE(reader.read(1, kPatience).at(0).headers.contains("ce_time"));
}

TEST(KafkaTopicSink, BadOptionsAreNamed) {
  boost::asio::io_context context(1);
  const auto problem = [&context](const KafkaTopicOptions& options) {
    const auto made = make_kafka_topic(context.get_executor(), options);
    return made ? std::string("none") : made.error().key;
  };
  EXPECT_EQ(problem({}), "bootstrap.servers");
  auto options = options_for("127.0.0.1:1");
  options.timeout = 1ms;
  EXPECT_EQ(problem(options), "timeout");
  options = options_for("127.0.0.1:1");
  options.topics.runs = "";
  EXPECT_EQ(problem(options), "topics.runs");
  options.kinds = {Kind::kApiFailure};
  EXPECT_EQ(problem(options), "none") << "a topic that is not written may be empty";
  options.kinds = {};
  EXPECT_EQ(problem(options), "kinds");
}

}  // namespace
}  // namespace runfold::sinks

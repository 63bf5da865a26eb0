// A collector's life on a real Kafka: bad records, being told to stop, and a Kafka that is not there.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/compare.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/consumer.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <map>
#include <vector>

namespace runfold::collector::test {
namespace {

using runfold::test::http_get;
using runfold::test::wait_until;

std::string logged(const std::string& run_id) {
  auto batch = about<v1::LogBatch>(run_id);
  batch.set_first_sequence(1);
  batch.add_records()->set_message("a line");
  return batch.SerializeAsString();
}

std::string operation(const std::string& id) {
  v1::Operation message;
  message.set_operation_id(id);
  message.set_status("done");
  return message.SerializeAsString();
}

struct Letter {
  std::string key;
  std::string value;
  std::map<std::string, std::string> headers;
};

/// The first `wanted` records of a topic, by the topic that they were first in.
std::map<std::string, Letter> read_letters(const std::string& topic, std::size_t wanted) {
  boost::asio::io_context context;
  kafka::ConsumerEvents events;
  events.on_assign = [](std::span<const kafka::TopicPartition>) { return std::vector<kafka::StartOffset>(); };
  auto consumer = std::move(
      kafka::Consumer::create(context.get_executor(), broker_properties(), topic + ".reader", {topic}, std::move(events)).value());
  std::map<std::string, Letter> letters;
  static_cast<void>(wait_until([&] {
    while (const kafka::Message message = consumer->poll()) {
      Letter letter{std::string(message.record().key.value_or("")), std::string(message.record().value.value_or("")), {}};
      for (const kafka::Header& header : message.headers()) letter.headers[std::string(header.name)] = header.value.value_or("");
      letters[letter.headers["__connect.errors.topic"]] = letter;
    }
    return letters.size() >= wanted;
  }));
  consumer->close(std::chrono::seconds(10));
  return letters;
}

TEST(DeadLetters, AnUndecodableRecordOfEachTopicGoesThereAndThoseBehindItAreFolded) {
  CollectorUnderTest collector("poison");
  const kafka::TopicNames& topics = collector.topics();
  Sender sender;
  const std::string poison = "\xff\xff\xff\x00 not protobuf";
  const std::vector<kafka::Header> headers{{"ce_type", "broken"}};
  // The same key, so the good record stands behind the bad one in one partition.
  sender.send(topics.events, "run-1", poison, headers);
  sender.send(topics.events, "run-1", started("run-1"));
  sender.send(topics.logs, "run-1", poison, headers);
  sender.send(topics.logs, "run-1", logged("run-1"));
  sender.send(topics.operations, "operation-1", poison, headers);
  sender.send(topics.operations, "operation-1", operation("operation-1"));
  collector.start();

  auto letters = read_letters(topics.dead_letters, 3);
  ASSERT_EQ(letters.size(), 3U) << collector.said();
  for (const auto& [topic, key] :
       {std::pair(topics.events, "run-1"), std::pair(topics.logs, "run-1"), std::pair(topics.operations, "operation-1")}) {
    SCOPED_TRACE(topic);
    Letter& letter = letters[topic];
    EXPECT_EQ(letter.key, key);
    EXPECT_EQ(letter.value, poison);
    EXPECT_EQ(letter.headers["ce_type"], "broken");
    EXPECT_EQ(letter.headers["__connect.errors.offset"], "0");
    EXPECT_FALSE(letter.headers["__connect.errors.partition"].empty());
    EXPECT_FALSE(letter.headers["__connect.errors.exception.class.name"].empty());
    EXPECT_FALSE(letter.headers["__connect.errors.exception.message"].empty());
    EXPECT_FALSE(letter.headers["runfold.reason"].empty());
  }

  std::unique_ptr<Query> query;
  EXPECT_TRUE(wait_until([&] {
    if (!query && !(query = collector.query())) return false;
    const auto run = query->run("run-1", std::nullopt).value();
    return run && !run->run.snapshot.empty() && run->logs && run->logs->received == 1 && query->operation("operation-1").value();
  })) << collector.said();
  query.reset();
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST(Stopping, SigtermCommitsWhatIsFoldedAndExitsZeroAndTheNextStartReadsNothingTwice) {
  CollectorUnderTest collector("stop");
  Sender sender;
  collector.start();
  ASSERT_TRUE(collector.ready()) << collector.said();
  // Not numbered, so that a record folded twice would count twice.
  auto event = about<v1::SyncEvent>("run-1");
  event.mutable_stats_committed()->mutable_stats()->set_entities_created(1);
  const auto created = [&]() -> std::uint64_t {
    const auto query = collector.query();
    const auto stored = query ? query->run("run-1", std::nullopt).value() : std::nullopt;
    v1::Run run;
    return stored && run.ParseFromString(stored->run.snapshot) ? run.stats().entities_created() : 0;
  };
  for (std::uint64_t round = 1; round <= 3; ++round) {
    for (int i = 0; i < 10; ++i) sender.send(collector.topics().events, "run-1", event.SerializeAsString());
    EXPECT_TRUE(wait_until([&] { return created() == round * 10; })) << created() << "; " << collector.said();
    EXPECT_EQ(collector.terminate(), 0) << collector.said();
    EXPECT_EQ(created(), round * 10);
    collector.start();
    ASSERT_TRUE(collector.ready()) << collector.said();
  }
  EXPECT_EQ(created(), 30U);
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST(NoKafka, AnUnreachableBrokerIsSaidOnceAtOnceAndReadinessSaysWhy) {
  CollectorUnderTest collector("nobody");
  // Port 1 of loopback: nobody listens there.
  collector.start("127.0.0.1:1");
  const std::string url = collector.url();
  ASSERT_FALSE(url.empty()) << collector.said();
  std::string body;
  EXPECT_TRUE(wait_until([&] {
    const auto answer = http_get(url + "/readyz");
    if (!answer || answer->status != 503) return false;
    body = answer->body;
    return body.find("127.0.0.1:1") != std::string::npos && body.find("no Kafka broker answers") != std::string::npos;
  })) << body
      << collector.said();
  const auto live = http_get(url + "/livez");
  ASSERT_TRUE(live);
  EXPECT_EQ(live->status, 200);
  // Said at once, and again after 1, 3, 7 seconds and so on: by the second time it was said, never more than twice.
  ASSERT_TRUE(wait_until([&] { return collector.said().find("still trying") != std::string::npos; })) << collector.said();
  EXPECT_EQ(runfold::test::lines_with(collector.said(), "no Kafka broker answers at 127.0.0.1:1"), 2) << collector.said();
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

}  // namespace
}  // namespace runfold::collector::test

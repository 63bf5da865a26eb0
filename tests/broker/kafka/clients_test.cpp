// Producer and consumer against a real Apache Kafka.
#include "tests/broker/kafka/new_topic.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/kafka_topics.hpp"
#include "tests/support/kafka_transactions.hpp"

#include <gmock/gmock.h>

#include <random>
#include <set>

namespace runfold::kafka::test {
namespace {

using runfold::test::broker_address;
using runfold::test::unique_name;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Clients, CarryKeysValuesHeadersAndNulls) {
  const std::string topic = new_topic(1);
  std::vector<Delivery> deliveries;
  auto producer = Producer::create(to_broker(), [&](const Delivery& delivery) { deliveries.push_back(delivery); });
  ASSERT_TRUE(producer) << producer.error().message;
  const std::vector<Header> headers = {{"traceparent", "00-ab-cd-01"}, {"empty", ""}, {"null", std::nullopt}};
  const OutRecord full{
      .topic = topic, .key = std::string_view("k\0y", 3), .value = "value", .headers = headers, .timestamp_ms = 1'700'000'000'123};
  const OutRecord nulls{.topic = topic, .key = std::nullopt, .value = std::nullopt, .headers = {}};
  const OutRecord empties{.topic = topic, .key = "", .value = "", .headers = {}};
  std::uint64_t token = 100;
  for (const OutRecord* record : {&full, &nulls, &empties}) ASSERT_TRUE((*producer)->produce(*record, token++).has_value());
  ASSERT_EQ((*producer)->flush(kPatience), 0U);
  ASSERT_EQ(deliveries.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(deliveries[i].token, 100 + i);
    EXPECT_EQ(deliveries[i].offset, static_cast<std::int64_t>(i));
    EXPECT_FALSE(deliveries[i].error);
  }

  Member member(broker_address(), unique_name("readers"), {topic});
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 3; }));
  using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;
  EXPECT_EQ(member.received[0].headers, (Pairs{{"traceparent", "00-ab-cd-01"}, {"empty", ""}, {"null", std::nullopt}}));
  EXPECT_EQ(member.received[0].key, std::string("k\0y", 3));
  EXPECT_EQ(member.received[0].value, "value");
  EXPECT_EQ(member.received[0].timestamp_ms, 1'700'000'000'123);
  EXPECT_EQ(member.received[1].key, std::nullopt);
  EXPECT_EQ(member.received[1].value, std::nullopt);
  EXPECT_THAT(member.received[1].headers, IsEmpty());
  EXPECT_EQ(member.received[2].key, "");
  EXPECT_EQ(member.received[2].value, "");
}

// Java's DefaultPartitioner takes (murmur2(key) & 0x7fffffff) % partitions; the hashes are those of Kafka's own UtilsTest.
TEST(Clients, PutAKeyIntoTheSamePartitionAsJavaClients) {
  constexpr std::int32_t kPartitions = 7;
  const std::vector<std::pair<std::string, std::int32_t>> java_hashes = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  const std::string topic = new_topic(kPartitions);
  std::map<std::uint64_t, std::int32_t> partition_of;
  auto producer = Producer::create(to_broker(), [&](const Delivery& delivery) { partition_of[delivery.token] = delivery.partition; });
  ASSERT_TRUE(producer) << producer.error().message;
  for (std::size_t i = 0; i < java_hashes.size(); ++i) {
    const OutRecord record{.topic = topic, .key = java_hashes[i].first, .value = "x", .headers = {}};
    ASSERT_TRUE((*producer)->produce(record, i).has_value());
  }
  ASSERT_EQ((*producer)->flush(kPatience), 0U);
  for (std::size_t i = 0; i < java_hashes.size(); ++i) {
    EXPECT_EQ(partition_of[i], (java_hashes[i].second & 0x7fffffff) % kPartitions) << java_hashes[i].first;
  }
}

TEST(Clients, StartWhereTheOwnerSaysAndNotWhereTheGroupCommitted) {
  const std::string topic = new_topic(2);
  const std::string group = unique_name("readers");
  write_records(broker_address(), {topic, 0}, 100);
  write_records(broker_address(), {topic, 1}, 100);
  {
    Member before(broker_address(), group, {topic});
    ASSERT_TRUE(before.run_until([&] { return before.received.size() >= 200; }));
    const std::vector<StartOffset> reached = {{{topic, 0}, 100}, {{topic, 1}, 90}};
    before.consumer->commit_for_lag_tools(reached);
    before.consumer->close(std::chrono::seconds(10));
    EXPECT_THAT(before.errors, IsEmpty());
  }
  Member member(broker_address(), group, {topic});
  member.start_at[{topic, 0}] = 40;
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 160; }));
  EXPECT_EQ(member.offsets_of({topic, 0}), offsets_from(40, 60));
  EXPECT_EQ(member.offsets_of({topic, 1}), offsets_from(0, 100));
}

TEST(Clients, TwoMembersShareThePartitionsAndGiveThemBack) {
  const std::string topic = new_topic(4);
  const std::string group = unique_name("readers");
  Member first(broker_address(), group, {topic});
  ASSERT_TRUE(first.run_until([&] { return first.consumer->assignment().size() == 4; }));
  Member second(broker_address(), group, {topic});
  ASSERT_TRUE(first.run_until([&] {
    second.turn();
    return first.consumer->assignment().size() == 2 && second.consumer->assignment().size() == 2;
  }));
  ASSERT_FALSE(first.revoked.empty());
  EXPECT_EQ(first.revoked.front().size(), 4U);
  std::set<TopicPartition> all;
  for (const auto& at : first.consumer->assignment()) all.insert(at);
  for (const auto& at : second.consumer->assignment()) all.insert(at);
  EXPECT_EQ(all.size(), 4U);
  for (std::int32_t p = 0; p < 4; ++p) write_records(broker_address(), {topic, p}, 25);
  ASSERT_TRUE(first.run_until([&] {
    second.turn();
    return first.received.size() + second.received.size() >= 100;
  }));
  EXPECT_EQ(first.received.size(), 50U);
  EXPECT_EQ(second.received.size(), 50U);
  second.consumer->close(std::chrono::seconds(10));
  ASSERT_FALSE(second.revoked.empty());
  EXPECT_EQ(second.revoked.back().size(), 2U);
  EXPECT_TRUE(first.run_until([&] { return first.consumer->assignment().size() == 4; }));
}

TEST(Clients, AnOffsetThatIsNotThereIsToldForItsPartition) {
  const std::string topic = new_topic(2);
  write_records(broker_address(), {topic, 0}, 20);
  write_records(broker_address(), {topic, 1}, 20);
  Member member(broker_address(), unique_name("readers"), {topic});
  member.start_at[{topic, 0}] = 1000;
  member.start_at[{topic, 1}] = 5;
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 35; }));
  ASSERT_EQ(member.errors.size(), 1U);
  EXPECT_EQ(member.errors[0].code, Errc::kOutOfRange);
  EXPECT_EQ(member.error_at[0], (TopicPartition{topic, 0}));
  EXPECT_THAT(member.errors[0].message, HasSubstr("offset 1000 is not in " + topic + "[0]"));
  EXPECT_EQ(member.offsets_of({topic, 0}), offsets_from(0, 20));
  EXPECT_EQ(member.offsets_of({topic, 1}), offsets_from(5, 15));
}

TEST(Clients, LoseAndRepeatNothingWhilePausedAndMovedUnderLoad) {
  constexpr std::int64_t kRecords = 100'000;
  const std::string topic = new_topic(2);
  write_records(broker_address(), {topic, 0}, kRecords);
  write_records(broker_address(), {topic, 1}, kRecords);
  Member member(broker_address(), unique_name("readers"), {topic});
  std::mt19937 random(20260516);  // NOLINT: a fixed seed, so that a failure can be repeated
  std::map<TopicPartition, std::int64_t> expected = {{{topic, 0}, 0}, {{topic, 1}, 0}};
  std::size_t checked = 0;
  const auto check_new = [&] {
    for (; checked < member.received.size(); ++checked) {
      const Received& one = member.received[checked];
      ASSERT_EQ(one.offset, expected[one.at]) << one.at.topic << " " << one.at.partition;
      ++expected[one.at];
    }
  };
  for (int round = 0; round < 60; ++round) {
    const std::size_t until = member.received.size() + random() % 3000;
    ASSERT_TRUE(member.run_until([&] { return member.received.size() >= until; })) << "round " << round;
    check_new();
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
    switch (random() % 3) {
      case 0:
        member.consumer->pause();
        for (int turn = 0; turn < static_cast<int>(random() % 3); ++turn) member.turn();
        ASSERT_EQ(member.received.size(), checked) << "a record came while paused";
        member.consumer->resume();
        break;
      case 1: {
        const TopicPartition at{topic, static_cast<std::int32_t>(random() % 2)};
        const StartOffset to{at, static_cast<std::int64_t>(random() % (kRecords / 2))};
        const auto moved = member.consumer->seek({&to, 1});
        ASSERT_TRUE(moved) << moved.error().message;
        expected[at] = *to.next_offset;
        break;
      }
      default: {
        member.consumer->pause();
        const StartOffset to[] = {{{topic, 0}, static_cast<std::int64_t>(random() % 1000)}, {{topic, 1}, expected[{topic, 1}]}};
        const auto moved = member.consumer->seek(to);
        ASSERT_TRUE(moved) << moved.error().message;
        expected[to[0].at] = *to[0].next_offset;
        member.consumer->resume();
        break;
      }
    }
  }
  ASSERT_TRUE(member.run_until([&] {
    check_new();
    return HasFatalFailure() || (expected[{topic, 0}] == kRecords && expected[{topic, 1}] == kRecords);
  }));
  EXPECT_THAT(member.errors, IsEmpty());
  EXPECT_EQ(member.assignments, 1);
}

TEST(Clients, TellThatAPartitionWasReadToItsEndThoughAMarkerStandsThere) {
  const std::string topic = new_topic(1);
  write_in_transactions(broker_address(), topic, "v", 2);
  Member member(broker_address(), unique_name("readers"), {topic});
  ASSERT_TRUE(member.run_until([&] { return member.read_up_to[{topic, 0}] == 4; }));
  EXPECT_EQ(member.offsets_of({topic, 0}), (std::vector<std::int64_t>{0, 2}));
  ASSERT_TRUE(member.run_until([&] {
    const auto marks = member.consumer->watermarks({topic, 0});
    return marks && marks->high == 4 && marks->writable;
  }));
}

TEST(Clients, ATopicThatIsDeletedIsMissingUntilItIsThereAgain) {
  const std::string topic = new_topic(2);
  const std::string other = new_topic(1);
  Properties properties;
  ASSERT_TRUE(properties.set("topic.metadata.refresh.interval.ms", "500").has_value());
  Member member(broker_address(), unique_name("readers"), {topic, other}, properties);
  const auto size = [&]() -> std::int32_t {
    for (const TopicSize& one : member.consumer->topics()) {
      if (one.name == topic) return one.partitions;
    }
    return -1;
  };
  ASSERT_TRUE(member.run_until([&] { return size() == 2 && member.consumer->assignment().size() == 3; }));
  delete_topic(to_broker(), topic);
  ASSERT_TRUE(member.run_until([&] { return size() == 0; }));
  ASSERT_TRUE(member.run_until([&] { return member.consumer->assignment().size() == 1; })) << "the group goes on without it";
  EXPECT_EQ(size(), 0);
  ASSERT_TRUE(
      create_topics(to_broker(), {TopicPolicy{.name = topic, .partitions = 3, .config = {}}}, std::chrono::seconds(30)).has_value());
  EXPECT_TRUE(member.run_until([&] { return size() == 3; }));
}

TEST(Clients, AMissingTopicIsToldAndFoundOnceItIsMade) {
  const std::string topic = unique_name("late");
  Properties properties;
  ASSERT_TRUE(properties.set("topic.metadata.refresh.interval.ms", "500").has_value());
  Member member(broker_address(), unique_name("readers"), {topic}, properties);
  ASSERT_TRUE(member.run_until([&] { return !member.errors.empty(); }));
  EXPECT_EQ(member.errors[0].code, Errc::kNotFound);
  EXPECT_THAT(member.errors[0].message, HasSubstr(topic));
  ASSERT_TRUE(
      create_topics(to_broker(), {TopicPolicy{.name = topic, .partitions = 1, .config = {}}}, std::chrono::seconds(30)).has_value());
  write_records(broker_address(), {topic, 0}, 5);
  EXPECT_TRUE(member.run_until([&] { return member.received.size() == 5; }));
}

}  // namespace
}  // namespace runfold::kafka::test

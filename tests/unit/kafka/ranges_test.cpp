// Ranges against the embedded broker: read to their ends and no further, outside of any group.
#include "transport/kafka/ranges.hpp"

#include "tests/support/kafka_member.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>

namespace runfold::kafka::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TopicPartition kMany{"letters", 0};
const TopicPartition kFew{"letters", 1};

Properties at(const EmbeddedBroker& broker) {
  Properties properties = embedded_properties();
  properties.set("bootstrap.servers", broker.bootstrap_servers()).value();
  return properties;
}

std::vector<Range> ranges_of(const Properties& properties, const std::string& topic) {
  auto ranges = find_ranges(properties, {&topic, 1}, {}, kPatience);
  EXPECT_TRUE(ranges.has_value()) << ranges.error().message;
  return ranges ? *ranges : std::vector<Range>();
}

TEST(Ranges, AreReadToWhereTheyEndedWhateverIsWrittenMeanwhile) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kMany, 300);
  write_records(broker->bootstrap_servers(), kFew, 20);
  const Properties properties = at(*broker);
  const auto ranges = ranges_of(properties, "letters");
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].first, 0);
  EXPECT_EQ(ranges[0].end, 300);
  EXPECT_EQ(ranges[1].end, 20);

  std::map<TopicPartition, std::vector<std::int64_t>> read;
  const auto done = read_ranges(
      properties, ranges,
      [&](const Message& message) {
        const InRecord& record = message.record();
        if (read.empty()) write_records(broker->bootstrap_servers(), kFew, 100, 20);
        read[{std::string(record.topic), record.partition}].push_back(record.offset);
        return true;
      },
      kPatience);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(read[kMany], offsets_from(0, 300));
  EXPECT_EQ(read[kFew], offsets_from(0, 20));
}

TEST(Ranges, BeginAndEndInTheMiddleOfAPartition) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kMany, 100);
  write_records(broker->bootstrap_servers(), kFew, 100);
  std::vector<std::int64_t> read;
  const auto done = read_ranges(
      at(*broker), {{kMany, 40, 43}, {kFew, 7, 7}},
      [&](const Message& message) {
        read.push_back(message.record().offset);
        return true;
      },
      kPatience);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_THAT(read, ElementsAre(40, 41, 42));
}

TEST(Ranges, AConsumerOfThemTellsOfEachEndOnceAlsoWhenItIsPausedAndMovedMeanwhile) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kMany, 200);
  write_records(broker->bootstrap_servers(), kFew, 200);
  boost::asio::io_context io;
  std::vector<TopicPartition> ends;
  std::vector<TopicPartition> revoked;
  ConsumerEvents events;
  events.on_assign = [](std::span<const TopicPartition> given) {
    EXPECT_EQ(given.size(), 2U);
    return std::vector<StartOffset>{{kFew, 190}};
  };
  events.on_end = [&](const TopicPartition& ended) { ends.push_back(ended); };
  events.on_revoke = [&](std::span<const TopicPartition> taken, bool lost) {
    EXPECT_FALSE(lost);
    revoked.assign(taken.begin(), taken.end());
  };
  auto consumer = std::move(
      Consumer::create_of_ranges(io.get_executor(), at(*broker), "nobody", {{kMany, 10, 150}, {kFew, 0, 200}}, std::move(events)).value());
  std::map<TopicPartition, std::vector<std::int64_t>> read;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  const auto turn = [&] {
    io.restart();
    boost::asio::co_spawn(io, consumer->wait(std::chrono::milliseconds(20)), boost::asio::detached);
    io.run();
  };
  std::size_t count = 0;
  while (ends.size() < 2 && std::chrono::steady_clock::now() < deadline) {
    while (const Message message = consumer->poll()) {
      read[{std::string(message.record().topic), message.record().partition}].push_back(message.record().offset);
      if (++count % 60 == 0) {
        consumer->pause();
        EXPECT_FALSE(consumer->poll());
        consumer->resume();
      }
    }
    turn();
  }
  EXPECT_EQ(ends.size(), 2U);
  EXPECT_EQ(read[kMany], offsets_from(10, 140));
  EXPECT_EQ(read[kFew], offsets_from(190, 10));
  // Paused and resumed, the ended ones stay ended, and nobody hears of it again.
  consumer->pause();
  consumer->resume();
  turn();
  EXPECT_FALSE(consumer->poll());
  EXPECT_EQ(ends.size(), 2U);
  consumer->close(std::chrono::seconds(5));
  EXPECT_THAT(revoked, ElementsAre(kMany, kFew));
}

TEST(Ranges, ATopicThatIsNotThereIsSaidByName) {
  const auto broker = start_broker("letters", 1);
  const std::string topic = "runfold.dead-letters";
  const auto ranges = find_ranges(at(*broker), {&topic, 1}, {}, kPatience);
  ASSERT_FALSE(ranges.has_value());
  EXPECT_EQ(ranges.error().code, Errc::kNotFound);
  EXPECT_THAT(ranges.error().message, HasSubstr(topic));
}

TEST(Ranges, OfAnAddressWhereNobodyAnswersFailInTime) {
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  Properties properties;
  properties.set("bootstrap.servers", nobody.text()).value();
  const std::string topic = "letters";
  const auto ranges = find_ranges(properties, {&topic, 1}, {}, std::chrono::milliseconds(300));
  ASSERT_FALSE(ranges.has_value());
  EXPECT_TRUE(ranges.error().retryable()) << ranges.error().message;
}

}  // namespace
}  // namespace runfold::kafka::test

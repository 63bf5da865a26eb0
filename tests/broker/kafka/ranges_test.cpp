// Ranges on a real Apache Kafka: found by time, and ended where the last offsets hold no record.
#include "transport/kafka/ranges.hpp"
#include "tests/broker/kafka/new_topic.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/kafka_transactions.hpp"
#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>

namespace runfold::kafka::test {
namespace {

using runfold::test::broker_address;
using runfold::test::unique_name;
using ::testing::ElementsAre;

std::vector<std::int64_t> offsets_in(std::vector<Range> ranges) {
  std::vector<std::int64_t> offsets;
  const auto done = read_ranges(
      to_broker(), std::move(ranges),
      [&](const Message& message) {
        offsets.push_back(message.record().offset);
        return true;
      },
      kPatience);
  EXPECT_TRUE(done.has_value()) << done.error().message;
  return offsets;
}

TEST(Ranges, AreFoundByTheTimesOfTheirRecords) {
  const std::string topic = new_topic(1);
  const std::int64_t start_ms = 1'700'000'000'000;
  auto producer = std::move(Producer::create(to_broker(), {}).value());
  for (int i = 0; i < 10; ++i) {
    producer->produce({.topic = topic, .key = {}, .value = "v", .headers = {}, .timestamp_ms = start_ms + i * 1000}, 1).value();
    ASSERT_EQ(producer->flush(kPatience), 0U);
  }
  const auto of = [&](TimeBounds times) {
    const auto ranges = find_ranges(to_broker(), {&topic, 1}, times, kPatience).value();
    return std::pair(ranges.at(0).first, ranges.at(0).end);
  };
  EXPECT_EQ(of({}), std::pair(std::int64_t{0}, std::int64_t{10}));
  EXPECT_EQ(of({start_ms + 2500, start_ms + 7000}), std::pair(std::int64_t{3}, std::int64_t{7}));
  EXPECT_EQ(of({start_ms + 60'000, std::nullopt}), std::pair(std::int64_t{10}, std::int64_t{10}));
  EXPECT_EQ(of({start_ms + 5000, start_ms - 5000}), std::pair(std::int64_t{0}, std::int64_t{0}));
  EXPECT_THAT(offsets_in({{{topic, 0}, 3, 7}}), ElementsAre(3, 4, 5, 6));
}

// A commit marker takes an offset and is no record: nothing ever comes for the last offset of the range.
TEST(Ranges, EndAlsoWhereTheLastOffsetHoldsNoRecord) {
  const std::string topic = new_topic(1);
  write_in_transactions(broker_address(), topic, "v", 2);
  // A record and a marker each; the last marker may be under way still.
  std::vector<Range> ranges;
  ASSERT_TRUE(runfold::test::wait_until([&] {
    ranges = find_ranges(to_broker(), {&topic, 1}, {}, kPatience).value();
    return ranges.at(0).end == 4;
  }));
  EXPECT_THAT(offsets_in(ranges), ElementsAre(0, 2));
}

}  // namespace
}  // namespace runfold::kafka::test

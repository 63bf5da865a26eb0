// The consumer against the embedded broker: start offsets, pause, seek, rebalance, close, and nothing lost or repeated.
#include "tests/support/kafka_member.hpp"

namespace runfold::kafka::test {
namespace {

const TopicPartition kFirst{"letters", 0};

TEST(Consumer, ReadsEveryRecordOnceFromTheOldest) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), {"letters", 0}, 500);
  write_records(broker->bootstrap_servers(), {"letters", 1}, 300);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 800; }));
  EXPECT_EQ(member.offsets_of({"letters", 0}), offsets_from(0, 500));
  EXPECT_EQ(member.offsets_of({"letters", 1}), offsets_from(0, 300));
  EXPECT_EQ(member.received.front().value, "0");
  EXPECT_EQ(member.consumer->assignment().size(), 2U);
  member.consumer->close(std::chrono::seconds(10));
  EXPECT_EQ(member.revoked.size(), 2U);
  EXPECT_FALSE(member.consumer->poll());
}

}  // namespace
}  // namespace runfold::kafka::test

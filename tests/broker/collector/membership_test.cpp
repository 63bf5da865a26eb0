// A collector keeps its place in the group: killed or restarted it goes on at once, and nobody else's partitions move.
#include "runfold/v1/run.pb.h"
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;

/// Far longer than any test waits: who had to wait for the end of a session would fail.
const std::map<std::string, std::string> kLongSession{{"session.timeout.ms", "300000"}};

bool stored(CollectorUnderTest& collector, const std::string& run_id) {
  return wait_until([&] {
           const auto query = collector.query();
           return (query && query->run(run_id, std::nullopt).value()) || !collector.running();
         }) &&
         collector.running();
}

kafka::Properties member_properties(const std::string& instance_id) {
  kafka::Properties properties;
  properties.set("session.timeout.ms", "300000").value();
  properties.set("group.instance.id", instance_id).value();
  return properties;
}

kafka::test::Member member_of(const CollectorUnderTest& collector, const std::string& instance_id) {
  const kafka::TopicNames& topics = collector.topics();
  return {broker_properties().get("bootstrap.servers").value(),
          collector.group(),
          {topics.events, topics.logs, topics.operations},
          member_properties(instance_id)};
}

TEST(StaticMembership, ACollectorThatWasKilledGoesOnLongBeforeItsSessionEnds) {
  CollectorUnderTest collector("killed", kLongSession);
  Sender sender;
  collector.start();
  sender.send(collector.topics().events, "run-0", started("run-0"));
  ASSERT_TRUE(stored(collector, "run-0")) << collector.said();
  for (const std::string run_id : {"run-1", "run-2", "run-3"}) {
    collector.kill();
    sender.send(collector.topics().events, run_id, started(run_id));
    collector.start();
    ASSERT_TRUE(stored(collector, run_id)) << collector.said();
  }
  EXPECT_TRUE(collector.ready()) << collector.said();
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST(StaticMembership, ARollingRestartMovesNoPartition) {
  CollectorUnderTest collector("rolling", kLongSession);
  Sender sender;
  auto other = member_of(collector, "the-other");
  ASSERT_TRUE(other.run_until([&] { return other.consumer->assignment().size() == 12; }));
  collector.start();
  ASSERT_TRUE(other.run_until([&] { return other.consumer->assignment().size() == 6 || !collector.running(); })) << collector.said();
  const int assignments = other.assignments;
  const auto kept = other.consumer->assignment();
  ASSERT_TRUE(collector.ready()) << collector.said();

  for (int restart = 0; restart < 3; ++restart) {
    SCOPED_TRACE(restart);
    if (restart == 1) {
      collector.kill();
    } else {
      ASSERT_EQ(collector.terminate(), 0) << collector.said();
    }
    collector.start();
    // In each partition a run that one of the two must take: what the collector had, it has again.
    const std::string run_id = "run-" + std::to_string(restart);
    std::vector<std::int32_t> of_the_other;
    for (const auto& at : kept) {
      if (at.topic == collector.topics().events) of_the_other.push_back(at.partition);
    }
    ASSERT_EQ(of_the_other.size(), 2U);
    for (std::int32_t partition = 0; partition < 4; ++partition) {
      const std::string id = run_id + "-" + std::to_string(partition);
      sender.send(collector.topics().events, id, started(id), {}, partition);
      if (std::ranges::count(of_the_other, partition) == 0) {
        ASSERT_TRUE(stored(collector, id)) << collector.said();
      }
    }
    ASSERT_TRUE(other.run_until([&] { return other.received.size() >= static_cast<std::size_t>(2 * (restart + 1)); }));
  }
  EXPECT_EQ(other.assignments, assignments) << "nothing moved";
  EXPECT_EQ(other.consumer->assignment(), kept);
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
  other.consumer->close(std::chrono::seconds(10));
}

TEST(StaticMembership, OfTwoWithOneIdTheOlderEndsAndNamesIt) {
  CollectorUnderTest collector("twice", {{"group.instance.id", "the-same"}});
  collector.start();
  ASSERT_TRUE(collector.ready()) << collector.said();
  auto newer = member_of(collector, "the-same");
  ASSERT_TRUE(newer.run_until([&] { return !collector.running(); }));
  const auto ending = collector.ended();
  ASSERT_TRUE(ending && ending->exit_code);
  EXPECT_EQ(*ending->exit_code, 1);
  const std::string why = runfold::test::line_with(collector.said(), "group.instance.id the-same");
  EXPECT_NE(why.find("another collector has joined group " + collector.group()), std::string::npos) << collector.said();
  EXPECT_NE(why.find("-X group.instance.id=ANOTHER"), std::string::npos) << collector.said();
  newer.consumer->close(std::chrono::seconds(10));
}

}  // namespace
}  // namespace runfold::collector::test

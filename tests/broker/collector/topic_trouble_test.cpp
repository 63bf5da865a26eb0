// What an operator or retention does to topics, on a real Kafka: nothing is skipped in silence, and the others go on.
#include "runfold/v1/run.pb.h"
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/kafka_topics.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <string>

namespace runfold::collector::test {
namespace {

namespace json = boost::json;
using kafka::test::add_partitions;
using kafka::test::delete_records;
using kafka::test::delete_topic;
using runfold::test::http_get;
using runfold::test::wait_until;

/// Not numbered, so that one that is folded twice counts twice.
std::string one_created(const std::string& run_id) {
  auto event = about<v1::SyncEvent>(run_id);
  event.mutable_stats_committed()->mutable_stats()->set_entities_created(1);
  return event.SerializeAsString();
}

/// How many of those of this run the store has; absent: it does not know the run.
std::optional<std::uint64_t> created(const CollectorUnderTest& collector, const std::string& run_id) {
  const auto query = collector.query();
  const auto stored = query ? query->run(run_id, std::nullopt).value() : std::nullopt;
  v1::Run run;
  if (!stored || !run.ParseFromString(stored->run.snapshot)) return std::nullopt;
  return run.stats().entities_created();
}

bool becomes(CollectorUnderTest& collector, const std::string& run_id, std::uint64_t count) {
  return wait_until([&] { return created(collector, run_id) == count || !collector.running(); }) && collector.running();
}

/// /readyz is a 503 whose body holds `part`.
bool not_ready(CollectorUnderTest& collector, const std::string& part) {
  const std::string readiness = collector.url() + "/readyz";
  return wait_until([&] {
           const auto answer = http_get(readiness);
           return (answer && answer->status == 503 && answer->body.find(part) != std::string::npos) || !collector.running();
         }) &&
         collector.running();
}

json::array losses(CollectorUnderTest& collector) {
  const auto answer = http_get(collector.url() + "/api/v1/losses");
  return answer ? json::parse(answer->body).at("items").as_array() : json::array();
}

std::string metrics(CollectorUnderTest& collector) {
  const auto answer = http_get(collector.url() + "/metrics");
  return answer ? answer->body : std::string();
}

class TopicTrouble : public testing::Test {
 protected:
  explicit TopicTrouble(const std::string& name = "trouble") : collector_(name) {}

  void send(const std::string& run_id, int times, std::int32_t partition = 0) {
    // A sender of its own knows the topic as it is now.
    Sender sender;
    for (int i = 0; i < times; ++i) sender.send(collector_.topics().events, run_id, one_created(run_id), {}, partition);
  }
  void make_anew() {
    delete_topic(broker_properties(), collector_.topics().events);
    kafka::TopicPolicy policy{.name = collector_.topics().events, .partitions = 4, .replication = 1, .config = {}};
    ASSERT_TRUE(wait_until([&] {
      const auto reports = kafka::create_topics(broker_properties(), {policy}, std::chrono::seconds(20));
      return reports && reports->at(0).created;
    }));
  }
  void start(const std::vector<std::string>& arguments = {}) { collector_.start({}, arguments); }
  /// The operator has decided.
  void restart_to_continue() {
    ASSERT_EQ(collector_.terminate(), 0) << collector_.said();
    start({"--on-data-loss", "continue"});
  }

  CollectorUnderTest collector_;
};

TEST_F(TopicTrouble, PartitionsThatAreAddedInMidStreamAreReadFromTheirFirstRecord) {
  start();
  for (std::int32_t partition = 0; partition < 4; ++partition) send("run-" + std::to_string(partition), 2, partition);
  ASSERT_TRUE(becomes(collector_, "run-0", 2)) << collector_.said();
  // A static member that came back is not told that it leads its group; it must see the new partitions all the same.
  collector_.kill();
  start();
  ASSERT_TRUE(collector_.ready()) << collector_.said();
  // Only what was known to be smaller can be said to have grown.
  ASSERT_TRUE(wait_until([&] { return metrics(collector_).find("runfold_collector_lag_records{") != std::string::npos; }))
      << collector_.said();
  add_partitions(broker_properties(), collector_.topics().events, 16);
  EXPECT_TRUE(wait_until([&] {
    return collector_.said().find("topic " + collector_.topics().events + " now has 16 partitions, it had 4") != std::string::npos;
  })) << collector_.said();
  for (std::int32_t partition = 0; partition < 16; ++partition) send("run-" + std::to_string(partition), 3, partition);
  for (std::int32_t partition = 0; partition < 16; ++partition) {
    EXPECT_TRUE(becomes(collector_, "run-" + std::to_string(partition), partition < 4 ? 5 : 3)) << partition << "; " << collector_.said();
  }
  EXPECT_TRUE(losses(collector_).empty());
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

TEST(TopicTroubleWhileAway, PartitionsThatAreAddedWhileAStaticMemberIsAwayAreReadFromTheirFirstRecord) {
  // No session ends in here, so nobody but the collector itself can have the group divide its partitions anew.
  CollectorUnderTest collector("away", {{"session.timeout.ms", "300000"}});
  Sender sender;
  collector.start();
  sender.send(collector.topics().events, "before", one_created("before"), {}, 0);
  ASSERT_TRUE(becomes(collector, "before", 1)) << collector.said();
  collector.kill();
  add_partitions(broker_properties(), collector.topics().events, 6);
  collector.start();
  Sender to_six;
  to_six.send(collector.topics().events, "old", one_created("old"), {}, 1);
  for (const std::int32_t partition : {4, 5}) {
    to_six.send(collector.topics().events, "new-" + std::to_string(partition), one_created("new-" + std::to_string(partition)), {},
                partition);
  }
  EXPECT_TRUE(becomes(collector, "old", 1)) << collector.said();
  EXPECT_TRUE(becomes(collector, "new-4", 1)) << collector.said();
  EXPECT_TRUE(becomes(collector, "new-5", 1)) << collector.said();
  EXPECT_NE(collector.said().find("nobody in group " + collector.group() + " reads"), std::string::npos) << collector.said();
  EXPECT_EQ(created(collector, "before"), 1U);
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST_F(TopicTrouble, ATopicThatIsDeletedKeepsTheCollectorUnreadyUntilItIsThereAgain) {
  start();
  send("old", 2);
  ASSERT_TRUE(becomes(collector_, "old", 2)) << collector_.said();
  const std::string missing = "topic " + collector_.topics().events + " does not exist";
  delete_topic(broker_properties(), collector_.topics().events);
  ASSERT_TRUE(not_ready(collector_, missing)) << collector_.said();
  // The group goes on with what there is, which once counted as the end of all trouble.
  ASSERT_TRUE(wait_until([&] {
    const std::string said = collector_.said();
    return said.find("assigned ") != said.rfind("assigned ");
  })) << collector_.said();
  EXPECT_TRUE(not_ready(collector_, missing)) << collector_.said();
  make_anew();
  EXPECT_TRUE(wait_until([&] { return collector_.said().find("now has 4 partitions; it did not exist") != std::string::npos; }))
      << collector_.said();
  ASSERT_TRUE(not_ready(collector_, "is stopped")) << "it is another topic; " << collector_.said();
  const auto readiness = http_get(collector_.url() + "/readyz");
  EXPECT_TRUE(readiness && readiness->body.find(missing) == std::string::npos);
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

TEST_F(TopicTrouble, ATopicThatWasMadeAnewAndIsLongerThanBeforeStopsItsPartitionsUntilTheOperatorContinues) {
  start();
  send("old", 2);
  ASSERT_TRUE(becomes(collector_, "old", 2)) << collector_.said();
  ASSERT_EQ(collector_.terminate(), 0) << collector_.said();
  make_anew();
  send("new", 5);
  send("beside", 2, 1);
  start();
  ASSERT_TRUE(not_ready(collector_, "partition 0 of " + collector_.topics().events + " is stopped")) << collector_.said();
  EXPECT_TRUE(not_ready(collector_, "another record stands at offset 1"));
  EXPECT_TRUE(becomes(collector_, "beside", 2)) << "a partition that was never read goes on";
  EXPECT_FALSE(created(collector_, "new"));
  EXPECT_NE(metrics(collector_).find("runfold_collector_partitions_stopped 1\n"), std::string::npos);

  restart_to_continue();
  EXPECT_TRUE(becomes(collector_, "new", 5)) << collector_.said();
  EXPECT_TRUE(collector_.ready()) << collector_.said();
  EXPECT_EQ(created(collector_, "old"), 2U);
  const auto found = losses(collector_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].at("reason"), "recreated");
  EXPECT_EQ(found[0].at("from_offset"), 2);
  EXPECT_EQ(found[0].at("to_offset"), 0);
  EXPECT_FALSE(found[0].as_object().contains("records"));
  EXPECT_NE(metrics(collector_).find("runfold_collector_partitions_stopped 0\n"), std::string::npos);
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

TEST_F(TopicTrouble, ATopicThatIsMadeAnewWhileItIsReadIsFoundOut) {
  start();
  send("old", 30);
  ASSERT_TRUE(becomes(collector_, "old", 30)) << collector_.said();
  make_anew();
  // Less than was read: Kafka says at the next fetch that the offset is not there. Had the new topic outgrown it before that
  // fetch, only the next assignment would show it.
  send("new", 5);
  EXPECT_TRUE(not_ready(collector_, "partition 0 of " + collector_.topics().events + " is stopped")) << collector_.said();
  EXPECT_FALSE(created(collector_, "new"));
  restart_to_continue();
  EXPECT_TRUE(becomes(collector_, "new", 5)) << collector_.said();
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

TEST_F(TopicTrouble, RecordsThatRetentionDeletedBeforeTheyWereReadStopThePartitionUntilTheOperatorContinues) {
  start();
  send("run-1", 2);
  ASSERT_TRUE(becomes(collector_, "run-1", 2)) << collector_.said();
  ASSERT_EQ(collector_.terminate(), 0) << collector_.said();
  send("run-1", 5);
  delete_records(broker_properties(), {collector_.topics().events, 0}, 4);
  start();
  ASSERT_TRUE(not_ready(collector_, "Kafka deleted up to 2 records of it before they were read")) << collector_.said();
  EXPECT_EQ(created(collector_, "run-1"), 2U);

  restart_to_continue();
  EXPECT_TRUE(becomes(collector_, "run-1", 5)) << collector_.said();
  EXPECT_TRUE(collector_.ready()) << collector_.said();
  const auto found = losses(collector_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].at("reason"), "retention");
  EXPECT_EQ(found[0].at("topic").as_string(), collector_.topics().events);
  EXPECT_EQ(found[0].at("from_offset"), 2);
  EXPECT_EQ(found[0].at("to_offset"), 4);
  EXPECT_EQ(found[0].at("records"), 2);
  EXPECT_NE(metrics(collector_).find("runfold_collector_lost_records_total{topic=\"" + collector_.topics().events + "\"} 2\n"),
            std::string::npos);
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

TEST_F(TopicTrouble, RetentionThatTookOnlyWhatWasReadIsNoTrouble) {
  start();
  send("run-1", 3);
  ASSERT_TRUE(becomes(collector_, "run-1", 3)) << collector_.said();
  ASSERT_EQ(collector_.terminate(), 0) << collector_.said();
  delete_records(broker_properties(), {collector_.topics().events, 0}, 3);
  start();
  ASSERT_TRUE(collector_.ready()) << collector_.said();
  send("run-1", 2);
  EXPECT_TRUE(becomes(collector_, "run-1", 5)) << collector_.said();
  EXPECT_TRUE(collector_.ready()) << collector_.said();
  EXPECT_TRUE(losses(collector_).empty());
  EXPECT_EQ(collector_.terminate(), 0) << collector_.said();
}

}  // namespace
}  // namespace runfold::collector::test

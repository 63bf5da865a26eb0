// The contract of Sink, put to every kind there is.
#include "tests/contract/sinks/sink_under_test.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace runfold::sinks::contract {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::Not;

class SinkContract : public testing::TestWithParam<SinkUnderTest> {
 protected:
  std::vector<Verdict> deliver(SinkRig& rig, const std::vector<Item>& items) { return run(context_, rig.sink().deliver(items)); }

  static std::vector<Outcome> outcomes(const std::vector<Verdict>& verdicts) {
    std::vector<Outcome> out;
    for (const auto& verdict : verdicts) out.push_back(verdict.outcome);
    return out;
  }
  static std::map<std::string, std::vector<std::string>> by_run(const std::vector<Arrival>& arrivals) {
    std::map<std::string, std::vector<std::string>> runs;
    for (const auto& arrival : arrivals) runs[arrival.run_id].push_back(arrival.idempotency_key);
    return runs;
  }

  asio::io_context context_{1};
};

TEST_P(SinkContract, EveryRecordArrivesWithItsKeyAndARunsRecordsInOrder) {
  const auto rig = GetParam().make(context_);
  std::vector<Item> items;
  std::map<std::string, std::vector<std::string>> sent;
  for (std::int64_t id = 1; id <= 40; ++id) {
    items.push_back(rig->good(id, "run-" + std::to_string(id % 3)));
    sent[items.back().run_id].push_back(items.back().idempotency_key);
  }
  const auto verdicts = deliver(*rig, items);
  ASSERT_EQ(verdicts.size(), items.size());
  for (const auto& verdict : verdicts) {
    EXPECT_EQ(verdict.outcome, Outcome::kDelivered) << verdict.reason;
    EXPECT_EQ(verdict.reason, "");
  }
  EXPECT_EQ(by_run(rig->arrivals(40)), sent);
}

TEST_P(SinkContract, BothKindsAreAcceptedAndItHasAName) {
  const auto rig = GetParam().make(context_);
  EXPECT_TRUE(rig->sink().accepts(Kind::kRun));
  EXPECT_TRUE(rig->sink().accepts(Kind::kApiFailure));
  EXPECT_FALSE(rig->sink().name().empty());
}

TEST_P(SinkContract, NothingToDeliverHasNoVerdict) {
  const auto rig = GetParam().make(context_);
  EXPECT_THAT(deliver(*rig, {}), IsEmpty());
}

TEST_P(SinkContract, ARepeatedRecordHasTheSameKey) {
  const auto rig = GetParam().make(context_);
  const Item item = rig->good(1, "run-1");
  EXPECT_EQ(deliver(*rig, {item}).at(0).outcome, Outcome::kDelivered);
  EXPECT_EQ(deliver(*rig, {item}).at(0).outcome, Outcome::kDelivered);
  const auto arrivals = rig->arrivals(2);
  EXPECT_EQ(arrivals.at(0), arrivals.at(1));
  EXPECT_EQ(arrivals.at(0).idempotency_key, item.idempotency_key);
}

TEST_P(SinkContract, ARefusedRecordIsRejectedWithAReasonAndHoldsNothingBack) {
  const auto rig = GetParam().make(context_);
  const auto verdicts = deliver(*rig, {rig->good(1, "a"), rig->refused(2, "a"), rig->good(3, "a"), rig->good(4, "b")});
  EXPECT_THAT(outcomes(verdicts), ElementsAre(Outcome::kDelivered, Outcome::kRejected, Outcome::kDelivered, Outcome::kDelivered));
  EXPECT_NE(verdicts[1].reason, "");
  EXPECT_EQ(rig->arrivals(3).size(), 3U);
}

TEST_P(SinkContract, AfterARetryTheLaterRecordsOfTheRunAreRetryToo) {
  const auto rig = GetParam().make(context_);
  const auto verdicts = deliver(
      *rig, {rig->good(1, "a"), rig->failing(2, "a"), rig->good(3, "b"), rig->good(4, "a"), rig->refused(5, "a"), rig->good(6, "b")});
  EXPECT_THAT(outcomes(verdicts), ElementsAre(Outcome::kDelivered, Outcome::kRetry, Outcome::kDelivered, Outcome::kRetry, Outcome::kRetry,
                                              Outcome::kDelivered));
  for (const std::size_t i : {1U, 3U, 4U}) EXPECT_NE(verdicts[i].reason, "") << i;
  EXPECT_TRUE(verdicts[1].tried);
}

TEST_P(SinkContract, ARecordWhoseBytesAreNoMessageIsRejected) {
  const auto rig = GetParam().make(context_);
  Item damaged = rig->good(1, "a");
  damaged.payload = std::string("\xff\xff\xff", 3);
  EXPECT_EQ(deliver(*rig, {damaged}).at(0).outcome, Outcome::kRejected);
}

TEST_P(SinkContract, ADeadReceiverIsGivenUpWithinTheTimeout) {
  const auto rig = GetParam().make_dead(context_, 1s);
  std::vector<Item> items;
  for (std::int64_t id = 1; id <= 5; ++id) items.push_back(rig->good(id, "run-" + std::to_string(id)));
  // Completing at all within this test's patience is the claim: five times the sink's own timeout is far below it.
  const auto verdicts = deliver(*rig, items);
  EXPECT_THAT(outcomes(verdicts), testing::AllOf(testing::SizeIs(5), Each(Outcome::kRetry)));
  for (const auto& verdict : verdicts) EXPECT_NE(verdict.reason, "");
}

TEST_P(SinkContract, ADeliveryThatIsCancelledEndsAtOnceAndJudgesNothingDelivered) {
  const auto rig = GetParam().make_dead(context_, 300s);
  const std::vector<Item> items{rig->good(1, "a"), rig->good(2, "b")};
  asio::cancellation_signal cancel;
  std::optional<std::vector<Verdict>> verdicts;
  bool done = false;
  auto completed = [&](const std::exception_ptr& thrown, std::vector<Verdict> given) {
    if (!thrown) verdicts = std::move(given);
    done = true;
  };
  asio::co_spawn(context_, rig->sink().deliver(items), asio::bind_cancellation_slot(cancel.slot(), completed));
  asio::post(context_, [&] { asio::post(context_, [&] { cancel.emit(asio::cancellation_type::terminal); }); });
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done && context_.run_one_until(deadline) > 0) {
  }
  ASSERT_TRUE(done) << "the delivery did not end within this test's patience, far below the sink's timeout";
  EXPECT_THAT(verdicts.value_or(std::vector<Verdict>()), Each(Field(&Verdict::outcome, Outcome::kRetry)));
}

TEST_P(SinkContract, ItDeliversAgainAfterADeliveryThatFailed) {
  const auto rig = GetParam().make(context_);
  ASSERT_EQ(deliver(*rig, {rig->failing(1, "a")}).at(0).outcome, Outcome::kRetry);
  EXPECT_EQ(deliver(*rig, {rig->good(2, "a")}).at(0).outcome, Outcome::kDelivered);
}

INSTANTIATE_TEST_SUITE_P(Sinks, SinkContract, testing::ValuesIn(sinks()), [](const auto& sink) { return sink.param.name; });

}  // namespace

const std::vector<SinkUnderTest>& sinks() {
  static const auto all = [] {
    std::vector<SinkUnderTest> kinds{webhook_under_test(), kafka_topic_under_test("KafkaTopic", "")};
    // A real Apache Kafka too, where there is one: see tests/broker/with-broker.
    if (const char* servers = std::getenv("RUNFOLD_TEST_BOOTSTRAP"))
      kinds.push_back(kafka_topic_under_test("KafkaTopicOnApacheKafka", servers));
    return kinds;
  }();
  return all;
}

}  // namespace runfold::sinks::contract

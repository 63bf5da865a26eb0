// The outbox worker: what is due is delivered once, what fails comes again in its time and order, and it ends when asked.
#include "tests/unit/sinks/fakes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::sinks {
namespace {

using namespace std::chrono_literals;
using fakes::item;
using test::wait_until;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

WorkerOptions quick() {
  WorkerOptions options;
  options.record = {2ms, 8ms};
  options.rest = {1ms, 4ms};
  options.store = {1ms, 4ms};
  return options;
}

Verdict delivered() {
  return {Outcome::kDelivered, {}, {}};
}
Verdict retry(std::chrono::milliseconds after = 0ms) {
  return {Outcome::kRetry, "not now", after};
}

class Worker : public testing::Test {
 protected:
  fakes::RunningWorker& start(const WorkerOptions& options = quick()) {
    running_ = std::make_unique<fakes::RunningWorker>(memory_, receiver_, options);
    running_->start();
    return *running_;
  }
  void TearDown() override {
    if (!running_) return;
    running_->stop();
    EXPECT_FALSE(running_->failed()) << "run() ended with an exception";
  }
  bool drained() {
    return wait_until([this] { return memory_.rows().empty(); });
  }

  fakes::Memory memory_;
  fakes::Receiver receiver_;
  std::unique_ptr<fakes::RunningWorker> running_;
};

TEST_F(Worker, WhatWaitsAtTheStartIsDeliveredInBatchesInOrder) {
  for (int id = 1; id <= 5; ++id) memory_.add(item(id, "r"));
  auto options = quick();
  options.batch = 2;
  start(options);
  ASSERT_TRUE(drained());
  EXPECT_THAT(receiver_.keys(), ElementsAre("r:1", "r:2", "r:3", "r:4", "r:5"));
  for (const auto& delivery : receiver_.deliveries()) EXPECT_LE(delivery.size(), 2U);
  EXPECT_EQ(running_->counter.count(Outcome::kDelivered), 5);
}

TEST_F(Worker, ANotificationWakesItAndItSleepsOtherwise) {
  start();
  ASSERT_TRUE(wait_until([this] { return !running_->counter.backlogs().empty(); })) << "it tells the backlog before it sleeps";
  const int calls = memory_.due_calls;
  memory_.add(item(1, "r"));
  running_->worker().notify();
  ASSERT_TRUE(drained());
  EXPECT_EQ(receiver_.deliveries().size(), 1U);
  ASSERT_TRUE(wait_until([this] { return running_->counter.backlogs().back() == 0 && running_->counter.backlogs().size() >= 2; }));
  EXPECT_LE(memory_.due_calls, calls + 3) << "it looks when there is a reason, not all the time";
}

TEST_F(Worker, ARecordThatFailsComesAgainWithItsAttemptsCounted) {
  memory_.add(item(1, "r"));
  receiver_.answer([](const Item& one) { return one.attempts < 3 ? retry() : delivered(); });
  start();
  ASSERT_TRUE(drained());
  EXPECT_THAT(receiver_.deliveries(), SizeIs(4));
  EXPECT_EQ(running_->counter.count(Outcome::kRetry), 3);
  EXPECT_EQ(running_->counter.count(Outcome::kDelivered), 1);
}

TEST_F(Worker, TheReceiversWishIsRespectedWhenItIsLongerThanTheBackoff) {
  memory_.add(item(1, "r"));
  const auto asked = std::chrono::system_clock::now();
  receiver_.answer([](const Item&) { return retry(30min); });
  start();
  ASSERT_TRUE(wait_until([this] { return memory_.rows().at(0).item.attempts == 1; }));
  EXPECT_GE(memory_.rows().at(0).next_attempt, asked + 30min);
}

TEST_F(Worker, AWishWithoutEndIsBounded) {
  memory_.add(item(1, "r"));
  receiver_.answer([](const Item&) { return retry(std::chrono::hours(24 * 365)); });
  start();
  ASSERT_TRUE(wait_until([this] { return memory_.rows().at(0).item.attempts == 1; }));
  EXPECT_LE(memory_.rows().at(0).next_attempt, std::chrono::system_clock::now() + 1h);
}

TEST_F(Worker, WhatWasNotTriedStaysAsItIs) {
  for (int id = 1; id <= 3; ++id) memory_.add(item(id, std::to_string(id)));
  std::atomic<bool> up{false};
  receiver_.answer([&up](const Item& one) {
    if (up) return delivered();
    return one.outbox_id == 1 ? retry(30min) : Verdict{Outcome::kRetry, "not tried", {}, false};
  });
  start();
  ASSERT_TRUE(wait_until([this] { return memory_.rows().at(0).item.attempts == 1; }));
  EXPECT_EQ(memory_.rows().at(1).item.attempts, 0U);
  EXPECT_EQ(memory_.rows().at(1).next_attempt, std::chrono::system_clock::time_point{});
  EXPECT_EQ(running_->counter.count(Outcome::kDelivered), 0);
  up = true;
}

TEST_F(Worker, ARejectedRecordIsSetAsideWithItsReasonAndSaidOnce) {
  memory_.add(item(1, "r"));
  memory_.add(item(2, "r"));
  receiver_.answer([](const Item& one) { return one.outbox_id == 1 ? Verdict{Outcome::kRejected, "too large", {}} : delivered(); });
  start();
  ASSERT_TRUE(drained());
  ASSERT_THAT(memory_.rejected(), SizeIs(1));
  EXPECT_EQ(memory_.rejected()[0].verdict.reason, "too large");
  EXPECT_THAT(running_->lines(), ElementsAre(Pair(4, testing::AllOf(HasSubstr("fake"), HasSubstr("r:1"), HasSubstr("too large")))));
}

TEST_F(Worker, AVerdictThatCannotBeWrittenIsWrittenAgainAndNothingIsDeliveredTwice) {
  memory_.add(item(1, "r"));
  memory_.judge_failures = 4;
  start();
  ASSERT_TRUE(drained());
  EXPECT_THAT(receiver_.deliveries(), SizeIs(1));
  EXPECT_TRUE(wait_until([this] { return running_->lines().size() == 2; }));
  EXPECT_THAT(running_->lines(), ElementsAre(Pair(4, HasSubstr("the disk is away")), Pair(5, HasSubstr("again"))));
}

TEST_F(Worker, AnOutboxThatCannotBeReadIsReadAgain) {
  memory_.add(item(1, "r"));
  memory_.due_failures = 3;
  start();
  ASSERT_TRUE(drained());
  EXPECT_THAT(running_->lines(), ElementsAre(Pair(4, HasSubstr("the disk is away")), Pair(5, HasSubstr("again"))));
}

TEST_F(Worker, TroubleIsSaidOnceAndSoIsItsEnd) {
  memory_.add(item(1, "r"));
  receiver_.answer([](const Item& one) { return one.attempts < 10 ? retry() : delivered(); });
  start();
  ASSERT_TRUE(drained());
  ASSERT_TRUE(wait_until([this] { return !running_->lines().empty() && running_->lines().back().first == 5; }));
  const auto lines = running_->lines();
  EXPECT_THAT(lines.front(), Pair(4, HasSubstr("fake: not now")));
  EXPECT_THAT(lines.back(), Pair(5, HasSubstr("fake delivers again")));
  // A slow machine gives it time to say once more that it goes on.
  EXPECT_LT(lines.size(), 5U) << "ten tries, not ten lines";
}

TEST_F(Worker, ASinkThatThrowsIsTriedAgain) {
  memory_.add(item(1, "r"));
  receiver_.throws = true;
  start();
  ASSERT_TRUE(wait_until([this] { return receiver_.deliveries().size() >= 2; }));
  receiver_.throws = false;
  ASSERT_TRUE(drained());
  EXPECT_THAT(running_->lines(), Contains(Pair(4, HasSubstr("a defect"))));
}

TEST_F(Worker, TheBacklogIsTold) {
  memory_.add(item(1, "r"));
  receiver_.answer([](const Item&) { return retry(10min); });
  start();
  ASSERT_TRUE(wait_until([this] { return !running_->counter.backlogs().empty(); }));
  EXPECT_EQ(running_->counter.backlogs().back(), 1U);
}

TEST_F(Worker, StoppedWhileItSleepsItEndsAtOnce) {
  start();
  ASSERT_TRUE(wait_until([this] { return !running_->counter.backlogs().empty(); }));
  running_->stop();
  EXPECT_FALSE(running_->failed());
}

TEST_F(Worker, StoppedWhileItRestsItEndsAtOnce) {
  memory_.add(item(1, "r"));
  receiver_.answer([](const Item&) { return retry(10min); });
  auto options = quick();
  options.rest = {10min, 10min};
  start(options);
  ASSERT_TRUE(wait_until([this] { return memory_.rows().at(0).item.attempts == 1; }));
  running_->stop();
  EXPECT_FALSE(running_->failed());
}

TEST_F(Worker, StoppedWhileItReadsTheOutboxItBeginsNoDelivery) {
  memory_.add(item(1, "r"));
  memory_.due_hangs = true;
  start();
  const bool reading = wait_until([this] { return memory_.due_calls == 1; });
  running_->worker().stop();
  memory_.due_hangs = false;
  ASSERT_TRUE(reading);
  running_->stop();
  EXPECT_THAT(receiver_.deliveries(), IsEmpty());
  EXPECT_THAT(memory_.rows(), SizeIs(1));
}

TEST_F(Worker, StoppedInADeliveryThatEndsInTimeItsVerdictsAreKept) {
  memory_.add(item(1, "r"));
  receiver_.hangs = true;
  auto options = quick();
  options.stop_limit = 10min;
  start(options);
  ASSERT_TRUE(wait_until([this] { return receiver_.deliveries().size() == 1; }));
  running_->worker().stop();
  receiver_.hangs = false;
  running_->stop();
  EXPECT_FALSE(receiver_.was_cancelled);
  EXPECT_THAT(memory_.rows(), IsEmpty());
}

TEST_F(Worker, StoppedInADeliveryThatHangsItIsCancelledAndTheRecordWaits) {
  memory_.add(item(1, "r"));
  receiver_.hangs = true;
  auto options = quick();
  options.stop_limit = 10ms;
  start(options);
  ASSERT_TRUE(wait_until([this] { return receiver_.deliveries().size() == 1; }));
  running_->stop();
  EXPECT_TRUE(receiver_.was_cancelled);
  ASSERT_THAT(memory_.rows(), SizeIs(1));
  EXPECT_EQ(memory_.rows()[0].item.attempts, 0U);
}

TEST_F(Worker, StoppedWhileTheStoreIsAwayItEnds) {
  memory_.add(item(1, "r"));
  memory_.judge_failures = 1'000'000;
  auto options = quick();
  options.store = {10min, 10min};
  start(options);
  ASSERT_TRUE(wait_until([this] { return memory_.judge_failures < 1'000'000; }));
  running_->stop();
  EXPECT_THAT(memory_.rows(), SizeIs(1)) << "it is delivered once more at the next start";
}

TEST_F(Worker, NotificationsFromManyThreadsLoseNothing) {
  start();
  std::vector<std::thread> threads;
  std::atomic<int> next_id{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const int id = ++next_id;
        memory_.add(item(id, std::to_string(id)));
        running_->worker().notify();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(drained());
  EXPECT_THAT(receiver_.keys(), SizeIs(200));
}

}  // namespace
}  // namespace runfold::sinks

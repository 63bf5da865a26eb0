// The contract of Outbox: what is due, in which order, and what becomes of what was judged.
#include "tests/contract/store/sample_rows.hpp"
#include "tests/contract/store/store_under_test.hpp"

#include <gmock/gmock.h>

namespace runfold::collector::contract {
namespace {

using namespace std::chrono_literals;
using sinks::Outcome;
using testing::ElementsAre;
using testing::IsEmpty;

class OutboxContract : public StoreContract {
 protected:
  using Clock = std::chrono::system_clock;

  void queue(const std::vector<std::pair<std::string, std::string>>& keys_and_runs, const std::string& sink = "hook") {
    Batch batch;
    for (const auto& [key, run] : keys_and_runs) batch.outbox.push_back(sample_outbox(sink, key, run));
    commit(batch);
  }
  std::vector<sinks::Item> due(Clock::time_point at, std::size_t limit = 100) { return outbox_->due("hook", at, limit).value(); }
  std::vector<std::string> due_keys(Clock::time_point at, std::size_t limit = 100) {
    std::vector<std::string> keys;
    for (const auto& item : due(at, limit)) keys.push_back(item.idempotency_key);
    return keys;
  }
  void judge(const sinks::Item& item, Outcome outcome, Clock::time_point next = {}) {
    const sinks::Outbox::Judged judged{item.outbox_id, {outcome, outcome == Outcome::kDelivered ? "" : "because", {}}, next};
    ASSERT_TRUE(outbox_->judge("hook", {&judged, 1}).has_value());
  }
  const Clock::time_point now_ = Clock::now();
};

TEST_P(OutboxContract, RecordsComeInTheOrderInWhichTheyWereCommitted) {
  queue({{"k3", "r1"}, {"k1", "r2"}, {"k2", "r1"}});
  queue({{"k0", "r1"}});
  queue({{"other", "r1"}}, "topic");
  const auto items = due(now_);
  EXPECT_THAT(due_keys(now_), ElementsAre("k3", "k1", "k2", "k0"));
  EXPECT_LT(items[0].outbox_id, items[1].outbox_id);
  EXPECT_EQ(items[0].kind, sinks::Kind::kRun);
  EXPECT_EQ(items[0].run_id, "r1");
  EXPECT_EQ(items[0].payload, sample_outbox("hook", "k3", "r1").payload);
  EXPECT_EQ(items[0].attempts, 0U);
  EXPECT_THAT(due_keys(now_, 2), ElementsAre("k3", "k1"));
}

TEST_P(OutboxContract, ARecordWithAKeyThatWaitsAlreadyIsLeftAsItIs) {
  queue({{"k1", "r1"}});
  OutboxRow again = sample_outbox("hook", "k1", "r1");
  again.payload = "other";
  commit({.outbox = {again, sample_outbox("topic", "k1", "r1")}});
  ASSERT_EQ(due(now_).size(), 1U);
  EXPECT_EQ(due(now_)[0].payload, sample_outbox("hook", "k1", "r1").payload);
  EXPECT_EQ(outbox_->due("topic", now_, 10).value().size(), 1U) << "keys are a sink's own";
}

TEST_P(OutboxContract, TheDeliveredAreGoneAndTheirIdsAreNeverGivenAgain) {
  queue({{"k1", "r1"}});
  const auto first = due(now_).at(0);
  judge(first, Outcome::kDelivered);
  EXPECT_THAT(due_keys(now_), IsEmpty());
  reopen();
  queue({{"k2", "r1"}});
  EXPECT_GT(due(now_).at(0).outbox_id, first.outbox_id);
}

TEST_P(OutboxContract, ARecordThatIsPutOffIsDueAgainAtItsTimeWithItsAttemptsCounted) {
  queue({{"k1", "r1"}});
  EXPECT_FALSE(outbox_->next_due("hook", now_).value());
  judge(due(now_).at(0), Outcome::kRetry, now_ + 10s);
  EXPECT_THAT(due_keys(now_ + 9s), IsEmpty());
  EXPECT_EQ(outbox_->next_due("hook", now_).value(), now_ + 10s);
  EXPECT_FALSE(outbox_->next_due("hook", now_ + 10s).value());
  reopen();
  ASSERT_THAT(due_keys(now_ + 10s), ElementsAre("k1"));
  EXPECT_EQ(due(now_ + 10s)[0].attempts, 1U);
}

TEST_P(OutboxContract, ARunWhoseEarlierRecordIsNotDueIsLeftOut) {
  queue({{"a1", "a"}, {"b1", "b"}, {"a2", "a"}, {"b2", "b"}});
  judge(due(now_).at(0), Outcome::kRetry, now_ + 10s);
  EXPECT_THAT(due_keys(now_), ElementsAre("b1", "b2"));
  EXPECT_THAT(due_keys(now_ + 10s), ElementsAre("a1", "b1", "a2", "b2"));
}

TEST_P(OutboxContract, TheRejectedNoLongerHoldTheirRunBack) {
  queue({{"a1", "a"}, {"a2", "a"}});
  judge(due(now_).at(0), Outcome::kRejected);
  EXPECT_THAT(due_keys(now_), ElementsAre("a2"));
  EXPECT_EQ(outbox_->backlog("hook", now_).value().records, 1U);
}

TEST_P(OutboxContract, OneSinkCannotJudgeAnothersRecord) {
  queue({{"k1", "r1"}});
  const sinks::Outbox::Judged judged{due(now_).at(0).outbox_id, {Outcome::kDelivered, "", {}}, {}};
  ASSERT_TRUE(outbox_->judge("topic", {&judged, 1}).has_value());
  EXPECT_THAT(due_keys(now_), ElementsAre("k1"));
}

TEST_P(OutboxContract, TheBacklogCountsWhatWaitsAndHowLongTheOldestHas) {
  EXPECT_EQ(outbox_->backlog("hook", now_).value().records, 0U);
  EXPECT_EQ(outbox_->backlog("hook", now_).value().oldest_age, 0ms);
  queue({{"k1", "r1"}, {"k2", "r2"}});
  const auto later = Clock::now() + 1h;
  const auto backlog = outbox_->backlog("hook", later).value();
  EXPECT_EQ(backlog.records, 2U);
  EXPECT_GE(backlog.oldest_age, 1h);
  EXPECT_LT(backlog.oldest_age, 2h);
  EXPECT_EQ(outbox_->backlog("hook", now_ - 1h).value().oldest_age, 0ms) << "a clock that was set back is no negative age";
}

TEST_P(OutboxContract, WriterAndOutboxWorkSideBySide) {
  for (int i = 0; i < 50; ++i) {
    queue({{"k" + std::to_string(i), "r"}});
    judge(due(now_).at(0), Outcome::kDelivered);
  }
  EXPECT_THAT(due_keys(now_), IsEmpty());
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, OutboxContract, testing::ValuesIn(stores()), [](const auto& store) { return store.param.name; });

}  // namespace runfold::collector::contract

// The pipeline's rules that need no Kafka, no store and no clock.
#include "collector/commit.hpp"
#include "collector/consume.hpp"
#include "collector/growing_interval.hpp"
#include "runfold/v1/run.pb.h"

#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST(GrowingInterval, IsDueAtOnceAndThenAtDoublingIntervalsUpToTheLongest) {
  GrowingInterval interval(1s, 5s);
  Clock::time_point now{};
  EXPECT_TRUE(interval.due(now));
  for (const auto wait : {1s, 2s, 4s, 5s, 5s}) {
    EXPECT_FALSE(interval.due(now + wait - 1ms));
    now += wait;
    EXPECT_TRUE(interval.due(now));
  }
  EXPECT_EQ(interval.lasted(now), 17s);
}

TEST(GrowingInterval, StartsAnewAfterReset) {
  GrowingInterval interval(1s, 5min);
  Clock::time_point now{};
  EXPECT_TRUE(interval.due(now));
  EXPECT_TRUE(interval.due(now + 1s));
  interval.reset();
  EXPECT_FALSE(interval.running());
  EXPECT_TRUE(interval.due(now + 2s));
  EXPECT_EQ(interval.due_at(), now + 3s);
}

TEST(Prepare, ARunTooLargeForAMessageIsPublishedWithTheBeginningsOfItsStepsErrors) {
  SealedBatch batch;
  v1::Run run;
  run.set_run_id("run-1");
  run.set_error(std::string(16'000, 'e'));
  for (int i = 0; i < 1'000; ++i) {
    v1::Step& step = *run.add_steps();
    step.set_step_id(std::string(190, 's') + std::to_string(i));
    step.set_error(std::string(4'096, 'x'));
  }
  const std::string large = run.SerializeAsString();
  for (v1::Step& step : *run.mutable_steps()) step.set_error("short");
  const std::string small = run.SerializeAsString();
  for (const std::string& snapshot : {large, small}) {
    RunRow& row = batch.rows.runs.emplace_back();
    row.key = {"run-1", 1};
    row.publish = true;
    row.snapshot = snapshot;
  }
  prepare(batch, {{"sink"}, {}});
  ASSERT_EQ(batch.rows.outbox.size(), 2U);
  EXPECT_LT(batch.rows.outbox[0].payload.size(), 900'000U);
  v1::Run published;
  ASSERT_TRUE(published.ParseFromString(batch.rows.outbox[0].payload));
  ASSERT_EQ(published.steps_size(), 1'000);
  EXPECT_EQ(published.steps(999).error(), std::string(256, 'x'));
  EXPECT_EQ(published.error(), std::string(16'000, 'e'));
  EXPECT_EQ(batch.rows.outbox[1].payload, small) << "one that fits goes as it is";
  EXPECT_EQ(batch.rows.runs[0].snapshot, large) << "the store keeps all";
}

TEST(DeadLetter, ItsHeadersCountByWhatTheyTakeInMemory) {
  DeadLetter letter;
  const std::size_t empty = letter.bytes();
  letter.headers.resize(500);
  EXPECT_GE(letter.bytes(), empty + 500 * sizeof(letter.headers[0]));
}

TEST(CommitTriggers, NothingIsDueWhileNothingHasChanged) {
  const CommitTriggers triggers;
  EXPECT_FALSE(triggers.due({}, Clock::time_point{} + 1h));
}

TEST(CommitTriggers, ABatchIsDueWhenItsFirstChangeIsOldOrAnyBoundIsReached) {
  CommitTriggers triggers;
  triggers.interval = 200ms;
  triggers.rows = 10;
  triggers.bytes = 1'000;
  triggers.dead_letters = 5;
  const Clock::time_point now{};
  CommitTriggers::Open open;
  open.since = now;
  EXPECT_FALSE(triggers.due(open, now + 199ms));
  EXPECT_TRUE(triggers.due(open, now + 200ms));

  open.rows = 9;
  open.bytes = 999;
  open.dead_letters = 4;
  EXPECT_FALSE(triggers.due(open, now));
  for (auto* bound : {&open.rows, &open.bytes, &open.dead_letters}) {
    ++*bound;
    EXPECT_TRUE(triggers.due(open, now));
    EXPECT_TRUE(triggers.full(open));
    --*bound;
  }
}

TEST(Pausing, TroublePausesAtOnceAndCalmResumesAtOnce) {
  Pausing pausing;
  const Clock::time_point now{};
  EXPECT_TRUE(pausing.wanted(Hold::kTrouble, now));
  EXPECT_FALSE(pausing.wanted(Hold::kNone, now));
}

TEST(Pausing, AFullBatchIsSatOutForASecondBeforeThePartitionsPause) {
  Pausing pausing;
  const Clock::time_point now{};
  EXPECT_FALSE(pausing.wanted(Hold::kRoom, now));
  EXPECT_EQ(pausing.due_at(), now + Pausing::kSitOut);
  EXPECT_FALSE(pausing.wanted(Hold::kRoom, now + 999ms));
  EXPECT_TRUE(pausing.wanted(Hold::kRoom, now + 1s));
  EXPECT_TRUE(pausing.wanted(Hold::kRoom, now + 10s));
  EXPECT_FALSE(pausing.wanted(Hold::kNone, now + 11s));
  EXPECT_FALSE(pausing.wanted(Hold::kRoom, now + 12s)) << "each hold has a second of its own";
}

TEST(Partitions, OnlyChangedPartitionsAreSealedAndOnlyOnce) {
  Partitions partitions{kafka::TopicNames{}};
  partitions.add({"runfold.events", 0});
  partitions.add({"runfold.logs", 3});
  EXPECT_TRUE(partitions.any_unclaimed());
  partitions.claimed({"runfold.events", 0, 7, 40}, {});
  partitions.claimed({"runfold.logs", 3, 8, std::nullopt}, {});
  EXPECT_FALSE(partitions.any_unclaimed());

  Partition* logs = partitions.find("runfold.logs", 3);
  ASSERT_NE(logs, nullptr);
  EXPECT_EQ(logs->source, Source::kLogs);
  kafka::InRecord record;
  record.offset = 11;
  record.value = "value";
  Partitions::taken(*logs, record);
  const auto rows = partitions.take_changed();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].topic, "runfold.logs");
  EXPECT_EQ(rows[0].partition, 3);
  EXPECT_EQ(rows[0].next_offset, 12);
  EXPECT_EQ(rows[0].epoch, 8);
  EXPECT_EQ(rows[0].last, last_record(record));
  EXPECT_TRUE(partitions.take_changed().empty());
}

}  // namespace
}  // namespace runfold::collector

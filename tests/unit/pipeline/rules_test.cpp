// The pipeline's rules that need no Kafka, no store and no clock.
#include "collector/commit.hpp"
#include "collector/consume.hpp"
#include "collector/growing_interval.hpp"

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

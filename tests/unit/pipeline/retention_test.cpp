// When the pipeline has the store remove what is too old, and when it does not.
#include "collector/pipeline_retention.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/pipeline_rig.hpp"

#include <gmock/gmock.h>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;
using runfold::test::wait_until;
using testing::HasSubstr;

class PipelineRetention : public testing::Test {
 protected:
  PipelineRetention() {
    rig_.options.retention_rest = 5ms;
    rig_.options.retention_pause = 1ms;
  }
  test::Rig rig_;
};

TEST_F(PipelineRetention, StepsAreMadeWithTheConfiguredBoundsAlsoWithoutPartitions) {
  rig_.options.retention = {.runs = {.age_ns = 5}, .logs = {.bytes = 7}};
  rig_.start();
  ASSERT_TRUE(wait_until([&] { return rig_.store.trims() >= 2; }));
  EXPECT_EQ(rig_.store.trim_keep().runs.age_ns, 5);
  EXPECT_EQ(rig_.store.trim_keep().logs.bytes, 7U);
  EXPECT_TRUE(rig_.stop());
}

TEST_F(PipelineRetention, OneStepFollowsTheOtherWhileThereIsMoreAndThenItRests) {
  rig_.options.retention_rest = 1h;
  Trimmed more;
  more.more = true;
  more.runs = 3;
  more.log_records = 5;
  more.runs_bytes = 100;
  Trimmed last;
  last.runs = 1;
  last.runs_bytes = 90;
  rig_.store.answer_trims({more, more, last});
  rig_.start();
  rig_.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig_.observer.removed_of("runs") == 7; }));
  EXPECT_EQ(rig_.observer.removed_of("log_records"), 10U);
  EXPECT_EQ(rig_.observer.bytes_of("runs"), 90U);
  // Whatever comes later finds it at rest.
  rig_.started("r1", 1);
  ASSERT_TRUE(wait_until([&] { return rig_.store.run("r1").has_value(); }));
  EXPECT_EQ(rig_.store.trims(), 3);
  EXPECT_TRUE(rig_.stop());
}

TEST_F(PipelineRetention, AStepThatFailsIsSaidOnceAndCountedAndIngestGoesOn) {
  rig_.store.fail_trims({StoreErrc::kCorrupt, "page 7 is damaged"}, 1);
  rig_.start();
  rig_.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig_.observer.retention_failures == 1; }));
  ASSERT_TRUE(wait_until([&] { return !rig_.logged(3, "page 7 is damaged").empty(); }));
  EXPECT_THAT(rig_.logged(3, "page 7").at(0), HasSubstr("ingest goes on"));
  rig_.started("r1", 1);
  ASSERT_TRUE(wait_until([&] { return rig_.store.run("r1").has_value(); }));
  ASSERT_TRUE(wait_until([&] { return rig_.logged(5, "retention goes on").size() == 1; }));
  EXPECT_EQ(rig_.logged(3, "page 7").size(), 1U);
  EXPECT_TRUE(rig_.health.reasons().empty());
  EXPECT_TRUE(rig_.stop());
}

class TrimmerTest : public testing::Test {
 protected:
  using Clock = Trimmer::Clock;
  /// Makes the step that is due at `now`, and takes what it did.
  void step(Clock::time_point now) {
    ASSERT_FALSE(trimmer_.advance(now, false));
    ASSERT_TRUE(wait_until([&] { return !trimmer_.advance(now, false) && trimmer_.due_at(false); }));
  }
  /// Whether a step is under way shows in this: then nothing is due.
  [[nodiscard]] bool under_way() const { return !trimmer_.due_at(false); }

  test::MemoryStore store_;
  test::TallyObserver observer_;
  JobThread<Writer> writer_{std::make_unique<test::MemoryWriter>(store_), [] {}};
  Trimmer trimmer_{writer_, observer_, {}, {.rest = 10s, .pause = 20ms, .patience = 2s}};
  const Clock::time_point start_ = Clock::time_point(1h);
};

TEST_F(TrimmerTest, NoStepBeginsWhileACommitIsUnderWayUnlessItIsLate) {
  step(start_);
  ASSERT_EQ(trimmer_.due_at(false), start_ + 10s);
  EXPECT_FALSE(trimmer_.advance(start_ + 10s, true));
  EXPECT_FALSE(under_way());
  EXPECT_EQ(trimmer_.due_at(true), start_ + 12s);
  EXPECT_FALSE(trimmer_.advance(start_ + 12s, true));
  ASSERT_TRUE(wait_until([&] { return store_.trims() == 2; }));
}

TEST_F(TrimmerTest, BetweenTwoStepsThereIsAPause) {
  Trimmed more;
  more.more = true;
  store_.answer_trims({more});
  step(start_);
  EXPECT_GE(*trimmer_.due_at(false), start_ + 20ms);
  EXPECT_FALSE(trimmer_.advance(start_ + 19ms, false));
  EXPECT_FALSE(under_way());
}

TEST_F(TrimmerTest, ItIsQuietOnceNothingWasCommittedForAWhile) {
  step(start_);
  EXPECT_FALSE(store_.trim_step().quiet);
  step(start_ + 10s);
  EXPECT_TRUE(store_.trim_step().quiet);
  EXPECT_FALSE(trimmer_.advance(start_ + 19s, true));
  step(start_ + 20s);
  EXPECT_FALSE(store_.trim_step().quiet);
}

}  // namespace
}  // namespace runfold::collector

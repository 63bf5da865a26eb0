// Lost, timed out, called back: what silence comes to, and what it never does.
#include "collector/liveness.hpp"
#include "tests/support/folding.hpp"

#include <gmock/gmock.h>

#include <random>

namespace runfold::collector {
namespace {

using test::Folding;
using test::kNoBound;
using test::kSecond;
using test::Telling;
using namespace std::chrono_literals;

constexpr TimeNs kNow = 1'700'000'000 * kSecond;

// The clock

TEST(PartitionClock, RunsWithWhatIsObservedAndStartsAtTheFirstTimeItIsTold) {
  PartitionClock clock;
  clock.advance(kNow, 30s);
  EXPECT_EQ(clock.clock_ns, kNow);
  clock.advance(kNow + 3 * kSecond, 30s);
  clock.advance(kNow + 1 * kSecond, 30s);
  EXPECT_EQ(clock.clock_ns, kNow + 3 * kSecond);
  EXPECT_TRUE(clock.settled());
}

TEST(PartitionClock, AGapCountsForNothingHoweverLongAndProducersGetTimeToBeHeardAgain) {
  for (const TimeNs gap : {6 * kSecond, 3'600 * kSecond, 400 * 86'400 * kSecond}) {
    PartitionClock clock;
    clock.advance(kNow, 30s);
    clock.advance(kNow + gap, 30s);
    EXPECT_EQ(clock.clock_ns, kNow);
    EXPECT_FALSE(clock.settled());
    TimeNs at = kNow + gap;
    for (int i = 0; i < 30; ++i) clock.advance(at += kSecond, 30s);
    EXPECT_EQ(clock.clock_ns, kNow) << "until then nobody is silent";
    EXPECT_TRUE(clock.settled());
    clock.advance(at += kSecond, 30s);
    EXPECT_EQ(clock.clock_ns, kNow + kSecond);
  }
}

TEST(PartitionClock, AGapWithinThatTimeBeginsItAnew) {
  PartitionClock clock;
  clock.advance(kNow, 30s);
  clock.advance(kNow + 100 * kSecond, 30s);
  clock.advance(kNow + 110 * kSecond, 30s);
  for (int i = 1; i < 30; ++i) clock.advance(kNow + (110 + i) * kSecond, 30s);
  EXPECT_FALSE(clock.settled());
  EXPECT_EQ(clock.clock_ns, kNow);
}

TEST(PartitionClock, ATimeAheadDoesNotMakeItStandStillOnceTheWallClockSaysSo) {
  PartitionClock clock;
  clock.advance(kNow, 0s);
  clock.advance(kNow + 1'000 * kSecond, 30s);
  clock.not_later_than(kNow + 1 * kSecond);
  clock.advance(kNow + 2 * kSecond, 30s);
  EXPECT_EQ(clock.covered_until_ns, kNow + 2 * kSecond);
  EXPECT_EQ(clock.clock_ns, kNow) << "still giving producers time";
  for (int i = 3; i <= 32; ++i) clock.advance(kNow + i * kSecond, 30s);
  EXPECT_TRUE(clock.settled());
  EXPECT_EQ(clock.clock_ns, kNow + 1 * kSecond);
}

TEST(CaughtUp, IsTheMomentOfAWatermarkThatTheConsumerHasReached) {
  CaughtUp caught_up;
  caught_up.observe(0, 10, 100);
  EXPECT_EQ(caught_up.at_ns(), 0);
  caught_up.observe(9, 20, 200);
  EXPECT_EQ(caught_up.at_ns(), 0);
  caught_up.observe(10, 30, 300);
  EXPECT_EQ(caught_up.at_ns(), 100) << "what stood there at 100 has been read; what came since has not";
  caught_up.observe(30, 40, 400);
  EXPECT_EQ(caught_up.at_ns(), 300);
  caught_up.observe(50, 50, 500);
  EXPECT_EQ(caught_up.at_ns(), 500);
  caught_up.observe(50, 50, 500);
  EXPECT_EQ(caught_up.at_ns(), 500) << "Kafka has not answered since";
}

TEST(CaughtUp, IsNotKnownAnyMoreWhenTheWallClockIsSetBack) {
  CaughtUp caught_up;
  caught_up.observe(10, 10, 1'000);
  caught_up.observe(10, 20, 1'100);
  caught_up.not_later_than(1'200);
  EXPECT_EQ(caught_up.at_ns(), 1'000) << "the clock went on";
  caught_up.not_later_than(500);
  EXPECT_EQ(caught_up.at_ns(), 0) << "else it would count as read up to 1000, whatever lies there";
  caught_up.observe(20, 30, 600);
  EXPECT_EQ(caught_up.at_ns(), 0) << "nor does a watermark of a time to come";
  caught_up.observe(30, 40, 700);
  EXPECT_EQ(caught_up.at_ns(), 600);
}

// The limits

TEST(LivenessLimits, HeartbeatsPromisedMayBeMissedSomeTimesButHalfAMinuteAtLeast) {
  LivenessLimits limits;
  EXPECT_EQ(limits.silence_of("any", std::nullopt), 1h);
  EXPECT_EQ(limits.silence_of("any", 0s), 1h) << "none is promised";
  EXPECT_EQ(limits.silence_of("any", 15s), 45s);
  EXPECT_EQ(limits.silence_of("any", 1s), 30s);
  EXPECT_EQ(limits.silence_of("any", std::chrono::nanoseconds::max()), LivenessLimits::kLongest);
  EXPECT_FALSE(limits.max_duration_of("any"));
}

TEST(LivenessLimits, AConnectorsOwnHoldInstead) {
  LivenessLimits limits;
  limits.max_duration = 2h;
  limits.connectors["slow"] = {5h, 10h};
  limits.connectors["quick"].max_duration = 1min;
  EXPECT_EQ(limits.silence_of("slow", 10s), 5h);
  EXPECT_EQ(limits.max_duration_of("slow"), 10h);
  EXPECT_EQ(limits.silence_of("quick", 10s), 30s);
  EXPECT_EQ(limits.max_duration_of("quick"), 1min);
  EXPECT_EQ(limits.max_duration_of("other"), 2h);
}

TEST(LivenessLimits, SpansReadAsPeopleSayThem) {
  EXPECT_EQ(span_text(250ms), "250 ms");
  EXPECT_EQ(span_text(35s), "35 s");
  EXPECT_EQ(span_text(5min), "5 min");
  EXPECT_EQ(span_text(65min), "1 h 5 min");
  EXPECT_EQ(span_text(1h + 7s), "1 h");
  EXPECT_EQ(span_text(49h), "2 d 1 h");
}

// The verdict

/// A run that began at kNow and promised a heartbeat every 10 seconds: it may be silent for 30.
struct Begun {
  Folding f;
  Telling t;
  explicit Begun(LivenessLimits limits = {}) : f(std::move(limits)) {
    f.origin.clock_ns = kNow;
    auto started = t.started(10);
    started.mutable_started()->mutable_heartbeat_interval()->set_seconds(10);
    f.send(started);
  }
  void clock(TimeNs seconds) { f.origin.clock_ns = kNow + seconds * kSecond; }
  Judged judge(TimeNs seconds, std::optional<std::int64_t> logs_silence_ns = {}) {
    return f.judge(kNow + seconds * kSecond, logs_silence_ns);
  }
};

TEST(Lost, AtTheLimitAndNotBefore) {
  Begun run;
  EXPECT_EQ(run.judge(29), Judged::kGranted);
  EXPECT_EQ(run.f.run().status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(run.f.run().revision(), 1U);
  EXPECT_EQ(run.judge(30), Judged::kLost);
  const v1::Run lost = run.f.run();
  EXPECT_EQ(lost.status(), v1::RUN_STATUS_FINISHED);
  EXPECT_EQ(lost.result(), v1::RUN_RESULT_LOST);
  EXPECT_EQ(lost.result_source(), v1::RESULT_SOURCE_INFERRED);
  EXPECT_EQ(lost.error(), "no record for 30 s; a heartbeat was promised every 10 s");
  EXPECT_FALSE(lost.has_finished_at()) << "nobody knows when";
  EXPECT_FALSE(lost.has_duration());
  EXPECT_EQ(lost.last_seen_at().seconds(), 10);
  EXPECT_EQ(lost.revision(), 2U);
  EXPECT_EQ(run.judge(9'000), Judged::kNothing) << "once is enough";
  EXPECT_EQ(run.f.run().revision(), 2U);
}

TEST(Lost, ARunThatPromisesNoHeartbeatHasTheGeneralLimit) {
  Folding f;
  Telling t;
  f.origin.clock_ns = kNow;
  f.send(t.started(10));
  EXPECT_EQ(f.judge(kNow + 3'599 * kSecond), Judged::kGranted);
  EXPECT_EQ(f.judge(kNow + 3'600 * kSecond), Judged::kLost);
  EXPECT_EQ(f.run().error(), "no record for 1 h");
}

TEST(Lost, TheRowSaysWhenItIsDueAndNoLongerOnceItHasEnded) {
  Begun run;
  run.f.commit();
  const auto row = [&] { return run.f.runs.at({"r-1", 1}); };
  EXPECT_EQ(row().partition, 0);
  ASSERT_TRUE(row().deadline_ns);
  EXPECT_GE(*row().deadline_ns, kNow + 30 * kSecond);
  EXPECT_LT(*row().deadline_ns, kNow + 32 * kSecond) << "in steps of a sixteenth";
  run.clock(20);
  run.f.send(run.t.heartbeat(30));
  run.f.commit();
  EXPECT_GE(*row().deadline_ns, kNow + 50 * kSecond);
  run.judge(50);
  run.f.commit();
  EXPECT_FALSE(row().deadline_ns);
  EXPECT_FALSE(row().partition);
  run.f.send(run.t.exited(60, 0));
  run.f.commit();
  EXPECT_FALSE(row().deadline_ns);
}

TEST(Lost, ADeclaredEndIsNeverJudged) {
  Begun run;
  run.f.send(run.t.exited(20, 3));
  EXPECT_EQ(run.judge(1'000'000), Judged::kNothing);
  EXPECT_EQ(run.f.run().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(run.f.run().revision(), 2U);
}

TEST(Lost, ALateCompletedSupersedesItWithAHigherRevision) {
  Begun run;
  run.judge(30);
  const auto lost_at = run.f.run().revision();
  run.clock(9'000);
  run.f.send(run.t.exited(20, 0));
  const v1::Run done = run.f.run();
  EXPECT_EQ(done.result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(done.result_source(), v1::RESULT_SOURCE_DECLARED);
  EXPECT_TRUE(done.error().empty());
  EXPECT_EQ(done.finished_at().seconds(), 20);
  EXPECT_GT(done.revision(), lost_at);
  EXPECT_EQ(run.judge(1'000'000), Judged::kNothing);
  run.f.send(run.t.heartbeat(40));
  EXPECT_EQ(run.f.run().result(), v1::RUN_RESULT_SUCCESS) << "what was declared does not go backwards";
}

TEST(Lost, AnyLaterRecordCallsItBackAndItCanBeLostAgain) {
  Begun run;
  run.judge(30);
  run.f.commit();
  run.clock(40);
  run.f.send(run.t.heartbeat(50));
  run.f.commit();
  EXPECT_TRUE(run.f.runs.at({"r-1", 1}).publish) << "sinks were told that it was lost";
  const v1::Run back = run.f.run();
  EXPECT_EQ(back.status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(back.result(), v1::RUN_RESULT_UNSPECIFIED);
  EXPECT_EQ(back.result_source(), v1::RESULT_SOURCE_UNSPECIFIED);
  EXPECT_TRUE(back.error().empty());
  EXPECT_EQ(back.revision(), 3U);
  EXPECT_EQ(run.judge(69), Judged::kGranted);
  EXPECT_EQ(run.judge(70), Judged::kLost);
}

TEST(Lost, ARepeatOfAnOldRecordCallsNobodyBack) {
  Begun run;
  const auto heartbeat = run.t.heartbeat(12);
  run.f.send(heartbeat);
  run.judge(30);
  EXPECT_EQ(run.f.send(heartbeat), Folded::kDuplicate);
  EXPECT_EQ(run.f.run().result(), v1::RUN_RESULT_LOST);
}

TEST(Lost, LogsShowLife) {
  Begun run;
  run.f.commit();
  EXPECT_EQ(run.judge(60, 25 * kSecond), Judged::kGranted) << "its logs were heard of 25 s ago";
  run.f.commit();
  EXPECT_FALSE(run.f.runs.at({"r-1", 1}).publish);
  EXPECT_GE(*run.f.runs.at({"r-1", 1}).deadline_ns, kNow + 65 * kSecond);
  EXPECT_EQ(run.f.run().revision(), 1U);
  EXPECT_EQ(run.judge(64, 29 * kSecond), Judged::kGranted);
  EXPECT_EQ(run.judge(65, 30 * kSecond), Judged::kLost);
}

TEST(Lost, ALogRecordCallsItBackAlsoWhenItHadLeftMemory) {
  for (const bool left : {false, true}) {
    Begun run;
    run.judge(30);
    run.f.commit();
    if (left) run.f.restart();
    run.clock(40);
    run.f.send(run.t.logs(50, {"still here"}));
    run.f.commit();
    EXPECT_EQ(run.f.run().status(), v1::RUN_STATUS_RUNNING);
    EXPECT_EQ(run.f.run().revision(), 3U);
    EXPECT_EQ(run.f.run_logs.at({"r-1", 1}).heard_ns, kNow + 40 * kSecond);
  }
}

TEST(Lost, ItStaysInMemoryAsLongAsItsLogsDo) {
  Begun run;
  run.f.send(run.t.logs(11, {"a line"}));
  run.judge(30);
  run.f.commit();
  run.f.fold.evict(100, kNoBound);
  EXPECT_TRUE(run.f.fold.knows_run_logs({"r-1", 1}));
  EXPECT_TRUE(run.f.fold.knows_run({"r-1", 1}));
  run.f.commit();
  run.f.commit();
  run.f.fold.evict(100, kNoBound);
  EXPECT_FALSE(run.f.fold.knows_run_logs({"r-1", 1}));
  EXPECT_FALSE(run.f.fold.knows_run({"r-1", 1}));
}

TEST(Lost, LeavingMemoryBetweenChangesNothing) {
  Begun stayed;
  Begun left;
  for (Begun* run : {&stayed, &left}) {
    const auto leave = [&] {
      run->f.commit();
      if (run == &left) run->f.restart();
    };
    leave();
    run->clock(20);
    run->f.send(run->t.heartbeat(30));
    leave();
    EXPECT_EQ(run->judge(49), Judged::kGranted);
    leave();
    EXPECT_EQ(run->judge(50), Judged::kLost);
    leave();
    EXPECT_EQ(run->judge(51), Judged::kNothing);
    run->clock(60);
    run->f.send(run->t.step_started(70, "read"));
    leave();
    EXPECT_EQ(run->judge(90), Judged::kLost);
    leave();
  }
  EXPECT_EQ(stayed.f.runs.at({"r-1", 1}).snapshot, left.f.runs.at({"r-1", 1}).snapshot);
  EXPECT_EQ(stayed.f.runs.at({"r-1", 1}).fold_state, left.f.runs.at({"r-1", 1}).fold_state);
}

TEST(Lost, ARunWhoseRecordsMovedToAnotherPartitionIsJudgedByThatOnesClock) {
  Begun run;
  run.f.origin.partition = 7;
  run.clock(100);
  run.f.send(run.t.heartbeat(30));
  run.f.commit();
  EXPECT_EQ(run.f.runs.at({"r-1", 1}).partition, 7);
  run.f.origin.partition = 0;
  EXPECT_EQ(run.judge(500), Judged::kGranted) << "the clock of a partition that it has left";
  run.f.origin.partition = 7;
  EXPECT_EQ(run.judge(129), Judged::kGranted);
  EXPECT_EQ(run.judge(130), Judged::kLost);
}

TEST(Lost, ARunOfAnUnknownKeyIsNothing) {
  Folding f;
  EXPECT_EQ(f.judge(kNow), Judged::kNothing);
  EXPECT_EQ(f.fold.dirty_rows(), 0U);
}

TEST(Timeout, ARunThatTakesTooLongEndsThoughItIsHeardOf) {
  LivenessLimits limits;
  limits.connectors["invoices"].max_duration = 60s;
  Begun run(limits);
  for (int second = 10; second < 60; second += 10) {
    run.clock(second);
    run.f.send(run.t.heartbeat(second));
    EXPECT_EQ(run.judge(second), Judged::kGranted);
  }
  run.f.commit();
  EXPECT_EQ(run.f.runs.at({"r-1", 1}).deadline_ns, kNow + 60 * kSecond);
  EXPECT_EQ(run.judge(60), Judged::kTimeout);
  const v1::Run out = run.f.run();
  EXPECT_EQ(out.result(), v1::RUN_RESULT_TIMEOUT);
  EXPECT_EQ(out.result_source(), v1::RESULT_SOURCE_INFERRED);
  EXPECT_EQ(out.error(), "still running after 1 min; it may take 1 min");
  EXPECT_FALSE(out.has_finished_at());
  run.clock(70);
  run.f.send(run.t.heartbeat(70));
  run.f.send(run.t.logs(70, {"a line"}));
  EXPECT_EQ(run.f.run().result(), v1::RUN_RESULT_TIMEOUT) << "a heartbeat does not make it quicker";
  run.f.send(run.t.exited(80, 0));
  EXPECT_EQ(run.f.run().result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(run.f.run().result_source(), v1::RESULT_SOURCE_DECLARED);
}

TEST(Timeout, WhatARunTookBeforeItsRecordsMovedIsCarriedOver) {
  LivenessLimits limits;
  limits.max_duration = 60s;
  Begun run(limits);
  run.clock(20);
  run.f.send(run.t.heartbeat(30));
  run.f.origin.partition = 9;
  run.clock(1'000);
  run.f.send(run.t.heartbeat(31));
  EXPECT_EQ(run.judge(1'020), Judged::kGranted);
  run.clock(1'025);
  run.f.send(run.t.heartbeat(56));
  EXPECT_EQ(run.judge(1'039), Judged::kGranted);
  EXPECT_EQ(run.judge(1'040), Judged::kTimeout);
}

TEST(Timeout, OfTwoLimitsTheOneThatWasReachedFirstIsSaid) {
  LivenessLimits limits;
  limits.max_duration = 60s;
  Begun silent(limits);
  EXPECT_EQ(silent.judge(100), Judged::kLost);
  Begun lively(limits);
  lively.clock(45);
  lively.f.send(lively.t.heartbeat(55));
  EXPECT_EQ(lively.judge(100), Judged::kTimeout);
}

TEST(Lifecycle, IsCountedAsItIsSaid) {
  Begun run;
  run.f.commit();
  const auto active = [&] { return run.f.last_counts.connectors["invoices"].runs_active; };
  const auto finished = [&](v1::RunResult result) { return run.f.last_counts.connectors["invoices"].runs_finished[result]; };
  EXPECT_EQ(active(), 1);
  run.judge(30);
  run.f.commit();
  EXPECT_EQ(active(), -1);
  EXPECT_EQ(finished(v1::RUN_RESULT_LOST), 1U);
  run.f.send(run.t.heartbeat(50));
  run.f.commit();
  EXPECT_EQ(active(), 1);
  EXPECT_EQ(finished(v1::RUN_RESULT_LOST), 0U) << "what was said was said";
  run.judge(300);
  run.f.commit();
  EXPECT_EQ(active(), -1);
  run.f.send(run.t.exited(60, 0));
  run.f.commit();
  EXPECT_EQ(active(), 0);
  EXPECT_EQ(finished(v1::RUN_RESULT_SUCCESS), 1U);
}

TEST(Lifecycle, NoRunWithARecordWithinTheLimitIsEverLost) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int most) { return std::uniform_int_distribution(0, most - 1)(random); };
    Begun run;
    TimeNs now = 0;
    TimeNs heard = 0;
    std::optional<TimeNs> logged;
    bool lost = false;
    for (int i = 0; i < 60; ++i) {
      now += below(20);
      run.clock(now);
      switch (below(6)) {
        case 0:
          run.f.send(run.t.heartbeat(now));
          heard = now;
          lost = false;
          break;
        case 1:
          run.f.send(run.t.logs(now, {"a line"}));
          heard = now;
          logged = now;
          lost = false;
          break;
        case 2:
          run.f.restart();
          break;
        case 3:
          run.f.commit();
          run.f.fold.evict(0, kNoBound);
          break;
        default: {
          const Judged judged = run.judge(now, logged ? std::optional((now - *logged) * kSecond) : std::nullopt);
          const bool overdue = now - heard >= 30;
          EXPECT_EQ(judged, lost ? Judged::kNothing : overdue ? Judged::kLost : Judged::kGranted) << "seed " << seed << ", event " << i;
          lost = lost || overdue;
        }
      }
      EXPECT_EQ(run.f.run().result() == v1::RUN_RESULT_LOST, lost) << "seed " << seed << ", event " << i;
    }
  }
}

// Skew

TEST(Skew, IsTheLeastThatAnEventWasWrittenAfterItHappened) {
  Folding f;
  Telling t;
  f.origin.record_time_ns = 1'000 * kSecond;
  f.send(t.started(940));
  EXPECT_EQ(f.run().clock_skew().seconds(), 60);
  f.origin.record_time_ns = 1'010 * kSecond;
  f.send(t.heartbeat(980));
  EXPECT_EQ(f.run().clock_skew().seconds(), 30) << "the other one was only late";
  f.origin.record_time_ns = 1'100 * kSecond;
  f.send(t.heartbeat(990));
  f.restart();
  EXPECT_EQ(f.run().clock_skew().seconds(), 30);
}

TEST(Skew, OfAClockThatIsAheadIsNegative) {
  Folding f;
  Telling t;
  f.origin.record_time_ns = 1'000 * kSecond + kSecond / 2;
  f.send(t.started(4'600));
  f.restart();
  EXPECT_EQ(f.run().clock_skew().seconds(), -3'599);
  EXPECT_EQ(f.run().clock_skew().nanos(), -500'000'000);
  EXPECT_EQ(f.runs.at({"r-1", 1}).snapshot, f.run().SerializeAsString());
}

TEST(Skew, BelowASecondOrUnknownIsAbsent) {
  Folding f;
  Telling t;
  f.origin.record_time_ns = 1'000 * kSecond + kSecond - 1;
  f.send(t.started(1'000));
  EXPECT_FALSE(f.run().has_clock_skew());
  Folding g;
  g.origin.record_time_ns = 0;
  g.send(t.started(1'000));
  EXPECT_FALSE(g.run().has_clock_skew());
}

}  // namespace
}  // namespace runfold::collector

// Who judges silence, and when: at the high watermark of a Kafka that answers, by observed time, under the partition's fence.
#include "tests/support/pipeline_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;
using namespace std::chrono_literals;

constexpr TimeNs kSecond = 1'000'000'000;

/// A pipeline for which a second passes with each of its turns, as long as time is let pass. A run may be silent for a minute.
class Silence : public testing::Test {
 protected:
  Silence() {
    rig.options.liveness.silence = 60s;
    rig.options.silence_interval = 0ms;
    rig.options.wall_clock = [this]() -> TimeNs {
      if (left_ <= 0) return wall_ns_;
      --left_;
      return wall_ns_ += kSecond;
    };
    rig.started("run-1", 1);
  }
  void start() {
    rig.start();
    rig.assign_all();
  }
  bool committed(std::int64_t offset) {
    return wait_until([&] { return rig.store.offset(at(kEvents)) == offset; });
  }
  void let_time_pass() { left_ = 1'000'000'000; }
  void stop_time() { left_ = 0; }
  bool seconds_pass(int seconds) {
    left_ = seconds;
    return wait_until([&] { return left_ <= 0; });
  }
  /// Many times what a run may be silent.
  bool time_passes() { return seconds_pass(600); }
  bool is_lost() {
    return wait_until([&] { return rig.run("run-1").result() == v1::RUN_RESULT_LOST; });
  }

  Rig rig;

 private:
  std::atomic<TimeNs> wall_ns_ = 1'700'000'100 * kSecond;
  std::atomic<int> left_ = 0;
};

TEST_F(Silence, AtTheEndOfThePartitionWallTimeTellsThatARunIsLost) {
  rig.options.routes = {{"hook", {sinks::Kind::kRun}}};
  start();
  ASSERT_TRUE(committed(1));
  EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
  let_time_pass();
  ASSERT_TRUE(is_lost());
  const v1::Run lost = rig.run("run-1");
  EXPECT_EQ(lost.result_source(), v1::RESULT_SOURCE_INFERRED);
  EXPECT_EQ(lost.error().substr(0, 14), "no record for ");
  EXPECT_EQ(lost.revision(), 2U);
  EXPECT_TRUE(wait_until([&] { return rig.store.outbox().size() == 2; })) << "sinks hear of it";
  EXPECT_EQ(rig.store.offset(at(kEvents)), 1);
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, ARunThatIsHeardOfAgainRunsOn) {
  start();
  ASSERT_TRUE(committed(1));
  let_time_pass();
  ASSERT_TRUE(is_lost());
  stop_time();
  rig.heartbeat("run-1", 2);
  ASSERT_TRUE(committed(2));
  EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(rig.run("run-1").revision(), 3U);
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, WhileKafkaDoesNotAnswerItSaysNothing) {
  start();
  ASSERT_TRUE(committed(1));
  let_time_pass();
  ASSERT_TRUE(wait_until([&] { return rig.store.commits_done() > 1; })) << "a minute has passed, and the clock is in the store";
  ASSERT_TRUE(is_lost());
  stop_time();
  rig.heartbeat("run-1", 2);
  ASSERT_TRUE(committed(2));

  rig.kafka.answer(false);
  ASSERT_TRUE(time_passes());
  stop_time();
  EXPECT_EQ(rig.run("run-1").revision(), 3U);
  rig.kafka.answer(true);
  rig.heartbeat("run-1", 3);
  ASSERT_TRUE(committed(3));
  EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(rig.run("run-1").revision(), 3U) << "it was never called lost between";
  let_time_pass();
  EXPECT_TRUE(is_lost());
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, WhileRecordsAreThereThatWereNotReadItSaysNothing) {
  start();
  ASSERT_TRUE(committed(1));
  for (const auto& behind : {kEvents, kLogs}) {
    SCOPED_TRACE(behind.topic);
    const auto before = rig.run("run-1").revision();
    rig.kafka.withhold(true);
    const std::int64_t next = *rig.store.offset(at(kEvents)) + 1;
    behind == kEvents ? rig.heartbeat("run-1", static_cast<std::uint64_t>(next)) : rig.log_line("run-1", 1);
    ASSERT_TRUE(time_passes());
    stop_time();
    EXPECT_EQ(rig.run("run-1").revision(), before);
    rig.kafka.withhold(false);
    ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(behind)) == (behind == kEvents ? next : 1); }));
    EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
    EXPECT_EQ(rig.run("run-1").revision(), before);
  }
  let_time_pass();
  EXPECT_TRUE(is_lost()) << "nothing explains the silence any more";
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, WhileTheStoreIsInTroubleNobodyIsJudged) {
  start();
  ASSERT_TRUE(committed(1));
  rig.store.fail_commits({StoreErrc::kBusy, "the database is locked"}, 1'000'000);
  rig.heartbeat("run-1", 2);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.paused(); }));
  ASSERT_TRUE(time_passes());
  stop_time();
  rig.store.heal_commits();
  ASSERT_TRUE(committed(2));
  EXPECT_EQ(rig.run("run-1").revision(), 1U);
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, ARunThatLeftMemoryIsFoundByItsRowAndTheVerdictOutlivesTheCollector) {
  start();
  ASSERT_TRUE(committed(1));
  EXPECT_TRUE(rig.stop());
  start();
  let_time_pass();
  ASSERT_TRUE(is_lost()) << "nothing of it was read since the start";
  EXPECT_TRUE(rig.stop());
  start();
  ASSERT_TRUE(time_passes());
  EXPECT_EQ(rig.run("run-1").revision(), 2U);
  stop_time();
  rig.log_line("run-1", 1);
  ASSERT_TRUE(wait_until([&] { return rig.run("run-1").status() == v1::RUN_STATUS_RUNNING; })) << "its logs call it back";
  EXPECT_EQ(rig.run("run-1").revision(), 3U);
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, OfARunThatLogsIsNone) {
  start();
  ASSERT_TRUE(committed(1));
  for (std::uint64_t line = 1; line <= 10; ++line) {
    rig.log_line("run-1", line);
    ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kLogs)) == static_cast<std::int64_t>(line); }));
    ASSERT_TRUE(seconds_pass(40));
  }
  EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(rig.run("run-1").revision(), 1U) << "it was never called lost between";
  let_time_pass();
  EXPECT_TRUE(is_lost());
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, ATransactionsMarkerAtTheEndIsNoRecordToWaitFor) {
  rig.kafka.mark(kEvents);
  start();
  ASSERT_TRUE(committed(1));
  EXPECT_TRUE(wait_until([&] { return rig.observer.lags()[kEvents.topic] == 0; }));
  let_time_pass();
  EXPECT_TRUE(is_lost());
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, WhileProducersCannotWriteItSaysNothing) {
  start();
  ASSERT_TRUE(committed(1));
  rig.kafka.refuse_writes(true);
  ASSERT_TRUE(time_passes());
  EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
  rig.kafka.refuse_writes(false);
  let_time_pass();
  EXPECT_TRUE(is_lost());
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, AStoppedLogsPartitionKeepsNoDeadRunRunning) {
  rig.log_line("run-1", 1);
  start();
  ASSERT_TRUE(committed(1));
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kLogs)) == 1; }));
  rig.kafka.make_anew(kLogs);
  rig.kafka.trouble({kafka::Errc::kOutOfRange, "offset 1 is not there"}, kLogs);
  ASSERT_TRUE(wait_until([&] { return !rig.unready("partition").empty(); }));
  let_time_pass();
  EXPECT_TRUE(is_lost());
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, LogsDoNotCallBackARunWhoseEventsAreReadByAnother) {
  start();
  ASSERT_TRUE(committed(1));
  let_time_pass();
  ASSERT_TRUE(is_lost());
  stop_time();
  ASSERT_TRUE(rig.stop());
  rig.start();
  rig.kafka.assign({kLogs, kOperations});
  rig.log_line("run-1", 1);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kLogs)) == 1; })) << "the logs themselves are stored";
  EXPECT_EQ(rig.run("run-1").result(), v1::RUN_RESULT_LOST) << "nobody would fence this row";
  EXPECT_EQ(rig.run("run-1").revision(), 2U);
  EXPECT_TRUE(rig.stop());
}

TEST_F(Silence, TheOverdueAreJudgedAFewAtATimeOfAllPartitionsTogether) {
  rig.options.runs_in_memory = 8;
  const kafka::TopicPartition other{kEvents.topic, 1};
  for (int i = 2; i <= 10; ++i) rig.started("run-" + std::to_string(i), 1, i % 2);
  const auto start_with_both = [&] {
    rig.start();
    rig.kafka.assign({kEvents, other, kLogs, kOperations});
  };
  start_with_both();
  ASSERT_TRUE(wait_until([&] { return rig.store.run_count() == 10; }));
  ASSERT_TRUE(rig.stop());
  const std::size_t before = rig.store.loads().size();
  start_with_both();
  let_time_pass();
  for (int i = 1; i <= 10; ++i) {
    const std::string run = "run-" + std::to_string(i);
    ASSERT_TRUE(wait_until([&] { return rig.run(run).result() == v1::RUN_RESULT_LOST; })) << run;
  }
  EXPECT_TRUE(rig.stop());
  const auto loads = rig.store.loads();
  EXPECT_EQ(*std::max_element(loads.begin() + static_cast<std::ptrdiff_t>(before), loads.end()), 2U) << "a quarter of what memory holds";
}

TEST_F(Silence, AStoreThatBreaksOffWhenAskedForTheOverdueStopsTheCollectorWhichLeavesItsGroup) {
  start();
  ASSERT_TRUE(committed(1));
  rig.store.throw_at_overdue("out of memory");
  let_time_pass();
  ASSERT_TRUE(rig.ended_by_itself());
  EXPECT_FALSE(rig.end());
  EXPECT_EQ(rig.logged(2, "asking which runs are overdue broke off: out of memory").size(), 1U);
  EXPECT_TRUE(rig.kafka.closed());
}

TEST_F(Silence, AVerdictOfACollectorThatLostThePartitionIsNotWritten) {
  start();
  ASSERT_TRUE(committed(1));
  rig.store.take_over(at(kEvents));
  let_time_pass();
  EXPECT_TRUE(rig.ended_by_itself());
  stop_time();
  EXPECT_FALSE(rig.end());
  EXPECT_EQ(rig.run("run-1").status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(rig.run("run-1").revision(), 1U);
}

}  // namespace
}  // namespace runfold::collector::test

// The flight recorder: which debug records are sent, when, in which order; and that those which are not are no loss.
#include "producer/delivery/flight_recorder.hpp"

#include "tests/support/delivery_rig.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace runfold::delivery::test {
namespace {

constexpr auto kDebug = v1::SEVERITY_DEBUG;
constexpr auto kError = v1::SEVERITY_ERROR;
constexpr std::size_t kRoom = 16 * 1024;

/// What a record of `size` bytes of message costs the recorder: its other fields, and its place.
std::size_t cost(std::size_t size) {
  Ring ring(4096);
  RunAccount run({});
  EXPECT_FALSE(
      queue_log(ring, run, LogView{.logged_at_ns = 1'700'000'000'000'000'000, .severity = kDebug, .message = std::string(size, 'x')}, 4096)
          .dropped);
  return read_queued(ring.front()).body.size() + 64;
}

class Recorded : public ::testing::Test {
 protected:
  RunAccount& open(std::string run_id, std::optional<std::size_t> bytes = kRoom) { return rig.open(std::move(run_id), 0ms, bytes); }
  void debug(RunAccount& run, int from, int to) {
    for (int i = from; i <= to; ++i) EXPECT_TRUE(rig.log(run, std::to_string(i), kDebug));
  }
  /// The messages that have left for Kafka, in the order of their numbers, which are contiguous from 1.
  std::vector<std::string> sent(std::string_view run_id = "r") {
    for (int i = 0; i < 3; ++i) rig.step(100ms);
    std::vector<std::string> out;
    for (const auto& record : rig.taken_from("runfold.logs")) {
      if (record.key != run_id) continue;
      const auto batch = read_batch(record);
      EXPECT_EQ(batch.first_sequence(), out.size() + 1);
      for (const auto& line : batch.records()) out.push_back(line.message());
    }
    return out;
  }
  std::uint64_t not_needed() { return rig.report().dropped.at(Channel::kLogs, Drop::kNotNeeded); }
  v1::Completed end(std::string_view run_id = "r") {
    v1::Completed out;
    for (const auto& record : rig.taken_from("runfold.events")) {
      if (record.key == run_id && read_event(record).has_completed()) out = read_event(record).completed();
    }
    return out;
  }
  void TearDown() override { rig.expect_account(); }

  Rig rig;
};

using Lines = std::vector<std::string>;

TEST_F(Recorded, DebugOfARunThatSucceedsIsNotSentAndIsNoLoss) {
  RunAccount& run = open("r");
  debug(run, 1, 5);
  rig.log(run, "info");
  EXPECT_EQ(sent(), Lines{"info"});
  EXPECT_EQ(rig.report().pending, 5U);
  rig.finish(run);
  EXPECT_EQ(sent(), Lines{"info"});
  EXPECT_EQ(end().totals(1).emitted(), 1U);
  EXPECT_EQ(end().totals(1).last_sequence(), 1U);
  EXPECT_EQ(dropped(end().totals(1), v1::DROP_REASON_NOT_NEEDED), 5U);
  EXPECT_EQ(not_needed(), 5U);
  EXPECT_EQ(rig.report().pending, 0U);
  EXPECT_TRUE(rig.dispatcher.settled());
}

TEST_F(Recorded, DebugIsSentInItsOrderBeforeTheErrorThatFollows) {
  RunAccount& run = open("r");
  debug(run, 1, 2);
  rig.log(run, "info");
  debug(run, 3, 3);
  rig.log(run, "warning", v1::SEVERITY_WARNING);
  EXPECT_EQ(sent(), (Lines{"info", "warning"}));
  rig.log(run, "error", kError);
  debug(run, 4, 4);
  EXPECT_EQ(sent(), (Lines{"info", "warning", "1", "2", "3", "error"}));
  rig.log(run, "worse", v1::SEVERITY_EMERGENCY);
  debug(run, 5, 5);
  rig.finish(run);
  EXPECT_EQ(sent(), (Lines{"info", "warning", "1", "2", "3", "error", "4", "worse"}));
  EXPECT_EQ(end().totals(1).emitted(), 8U);
  EXPECT_EQ(dropped(end().totals(1), v1::DROP_REASON_NOT_NEEDED), 1U);
}

TEST_F(Recorded, AFailedStepAsksForItsDebugAndAStepThatEndsWellDoesNot) {
  RunAccount& run = open("r");
  debug(run, 1, 1);
  auto event = event_at(1);
  event.mutable_step_completed()->set_step_id("read");
  rig.event(run, event);
  EXPECT_EQ(sent(), Lines{});
  event.mutable_step_failed()->set_step_id("upload");
  rig.event(run, event);
  EXPECT_EQ(sent(), Lines{"1"});
}

TEST_F(Recorded, ARunThatDoesNotSucceedSendsItsDebugBeforeItsEnd) {
  for (const auto result :
       {v1::RUN_RESULT_FAILURE, v1::RUN_RESULT_ERROR, v1::RUN_RESULT_TIMEOUT, v1::RUN_RESULT_CANCELLED, v1::RUN_RESULT_UNSPECIFIED}) {
    const std::string id = std::to_string(result);
    RunAccount& run = open(id);
    debug(run, 1, 2);
    rig.finish(run, result);
    EXPECT_EQ(sent(id), (Lines{"1", "2"}));
    EXPECT_EQ(end(id).totals(1).emitted(), 2U);
    EXPECT_EQ(end(id).totals(1).drops_size(), 0);
    EXPECT_TRUE(rig.dispatcher.settled());
  }
}

TEST_F(Recorded, TheOldestGoWhenARunHoldsTooMuch) {
  RunAccount& run = open("r", 3 * cost(1));
  debug(run, 1, 5);
  rig.log(run, "error", kError);
  EXPECT_EQ(sent(), (Lines{"3", "4", "5", "error"}));
  EXPECT_EQ(not_needed(), 2U);
  rig.log(run, std::string(3 * cost(1), 'x'), kDebug);  // larger than all the room: it alone goes
  debug(run, 6, 6);
  rig.log(run, "error", kError);
  EXPECT_EQ(sent(), (Lines{"3", "4", "5", "error", "6", "error"}));
  EXPECT_EQ(not_needed(), 3U);
}

TEST_F(Recorded, ALargeRecordTakesThePlaceOfAsManyAsItMust) {
  RunAccount& run = open("r", 3 * cost(1));
  debug(run, 1, 3);
  const std::string large(cost(1), 'x');
  rig.log(run, large, kDebug);
  rig.log(run, "error", kError);
  EXPECT_EQ(sent(), (Lines{"3", large, "error"}));
  EXPECT_EQ(not_needed(), 2U);
}

TEST_F(Recorded, AnErrorAsksForTheDebugOfItsOwnRunAlone) {
  RunAccount& a = open("a");
  RunAccount& b = open("b");
  debug(a, 1, 2);
  debug(b, 3, 4);
  rig.log(a, "error", kError);
  EXPECT_EQ(sent("a"), (Lines{"1", "2", "error"}));
  EXPECT_EQ(sent("b"), Lines{});
  rig.finish(b);
  EXPECT_EQ(sent("b"), Lines{});
  EXPECT_EQ(end("b").totals(1).emitted(), 0U);
  EXPECT_EQ(dropped(end("b").totals(1), v1::DROP_REASON_NOT_NEEDED), 2U);
}

TEST_F(Recorded, AnErrorOfAnotherThreadAsksForItToo) {
  RunAccount& run = open("r");
  std::thread([&] { debug(run, 1, 2); }).join();
  std::thread([&] { rig.log(run, "error", kError); }).join();
  EXPECT_EQ(sent(), (Lines{"1", "2", "error"}));
}

TEST_F(Recorded, DebugThatIsNotHeldBackIsSentAsItComes) {
  RunAccount& run = open("r", std::nullopt);
  debug(run, 1, 2);
  EXPECT_EQ(sent(), (Lines{"1", "2"}));
}

TEST_F(Recorded, DebugThatIsNeverSentIsNotKeptEither) {
  RunAccount& run = open("r", 0);
  debug(run, 1, 2);
  rig.step();
  EXPECT_EQ(rig.report().pending, 0U);
  rig.finish(run, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(sent(), Lines{});
  EXPECT_EQ(dropped(end().totals(1), v1::DROP_REASON_NOT_NEEDED), 2U);
}

TEST_F(Recorded, DebugThatComesAfterTheEndIsLate) {
  RunAccount& run = open("r");
  rig.finish(run);
  rig.step();
  debug(run, 1, 1);
  EXPECT_EQ(sent(), Lines{});
  EXPECT_EQ(rig.report().dropped.at(Channel::kLogs, Drop::kLate), 1U);
}

TEST_F(Recorded, WhatIsQueuedBeforeTheEndGoesByTheEnd) {
  RunAccount& run = open("r");
  debug(run, 1, 1);
  rig.finish(run, v1::RUN_RESULT_FAILURE);
  rig.step();
  EXPECT_EQ(sent(), Lines{"1"});
}

TEST_F(Recorded, AnEndThatNobodyToldCountsAsATroubleWhenTheProducerCloses) {
  RunAccount& open_run = open("open");
  RunAccount& ended = open("ended");
  debug(open_run, 1, 2);
  debug(ended, 3, 4);
  rig.step();
  rig.finish(ended);
  rig.dispatcher.shut();
  rig.step(0ms, true);
  EXPECT_EQ(sent("open"), (Lines{"1", "2"}));
  EXPECT_EQ(sent("ended"), Lines{});
  EXPECT_TRUE(rig.dispatcher.settled());
}

TEST_F(Recorded, ARunWhoseEndCouldNotBeTakenInLeavesNothingBehind) {
  RunAccount& run = open("r");
  debug(run, 1, 1);
  rig.step();
  rig.dispatcher.shut();
  rig.finish(run);  // refused
  rig.dispatcher.release(run);
  EXPECT_EQ(sent(), Lines{"1"});
  rig.step();
  EXPECT_EQ(rig.dispatcher.runs(), 0U);
}

TEST_F(Recorded, WhatIsAbandonedIsCountedAsTimedOut) {
  RunAccount& run = open("r");
  debug(run, 1, 2);
  rig.step();
  debug(run, 3, 3);  // still in the ring
  rig.dispatcher.shut();
  rig.dispatcher.abandon(rig.now);
  EXPECT_EQ(rig.report().dropped.at(Channel::kLogs, Drop::kDeliveryTimeout), 3U);
  EXPECT_EQ(rig.report().pending, 0U);
  EXPECT_TRUE(rig.dispatcher.settled());
}

TEST(FlightRecorder, RunsGiveWayInTurnWhenAllTogetherHoldTooMuch) {
  Rig rig({.recordings = 8 * cost(1)});
  std::map<std::string, RunAccount*> runs;
  for (const char* id : {"a", "b", "c"}) runs[id] = &rig.open(id, 0ms, kRoom);
  for (const auto& [id, run] : runs) {
    for (int i = 1; i <= 4; ++i) rig.log(*run, std::to_string(i), kDebug);
  }
  for (const auto& [id, run] : runs) rig.finish(*run, v1::RUN_RESULT_FAILURE);
  for (int i = 0; i < 3; ++i) rig.step(100ms);
  std::map<std::string, std::vector<std::string>> sent;
  for (const auto& record : rig.taken_from("runfold.logs")) {
    const auto batch = read_batch(record);
    for (const auto& line : batch.records()) sent[record.key].push_back(line.message());
  }
  // Twelve came and eight may stay: a, b and a again made room for c, which then gave way itself.
  EXPECT_EQ(sent["a"], (Lines{"3", "4"}));
  EXPECT_EQ(sent["b"], (Lines{"2", "3", "4"}));
  EXPECT_EQ(sent["c"], (Lines{"2", "3", "4"}));
  EXPECT_EQ(rig.report().dropped.at(Channel::kLogs, Drop::kNotNeeded), 4U);
  rig.expect_account();
}

TEST(FlightRecorder, ThousandsOfRunsStayWithinTheBoundAndEachRecordIsAccountedFor) {
  constexpr std::size_t kRuns = 2'000;
  Rig rig({.recordings = 50 * cost(1)});
  std::vector<RunAccount*> runs;
  for (std::size_t i = 0; i < kRuns; ++i) runs.push_back(&rig.open(std::to_string(i), 0ms, kRoom));
  for (int round = 0; round < 3; ++round) {
    for (auto* run : runs) ASSERT_TRUE(rig.log(*run, "x", kDebug));
    rig.step();
  }
  EXPECT_EQ(rig.report().pending, 50U);
  for (auto* run : runs) rig.finish(*run, v1::RUN_RESULT_FAILURE);
  for (int i = 0; i < 100 && rig.report().pending > 0; ++i) rig.step(100ms);
  EXPECT_EQ(rig.report().dropped.at(Channel::kLogs, Drop::kNotNeeded), 3 * kRuns - 50);
  EXPECT_EQ(rig.report().acknowledged, kRuns + 50);
  rig.expect_account();
}

TEST(FlightRecorder, DeliverysThreadSendsWhatARunInTroubleHeldBack) {
  runfold::test::FakeKafka cluster;
  auto started = Delivery::start({}, cluster.factory(), {});
  ASSERT_TRUE(started.has_value());
  Delivery& delivery = **started;
  const auto open = [&](const char* id) -> RunAccount& {
    return delivery.open_run({.run_id = id, .connector_id = "c", .source_id = "s", .recorder_bytes = kRoom});
  };
  RunAccount& well = open("well");
  RunAccount& badly = open("badly");
  RunAccount& not_at_all = open("not at all");
  for (auto* run : {&well, &badly, &not_at_all}) {
    EXPECT_TRUE(delivery.log(*run, {.logged_at_ns = 1, .severity = kDebug, .message = "detail"}));
  }
  delivery.finish(well, completed());
  delivery.finish(badly, completed(v1::RUN_RESULT_ERROR));
  const Report report = delivery.close(runfold::test::kPatience);
  EXPECT_EQ(report.emitted, 5U);
  EXPECT_EQ(report.acknowledged, 4U);
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kNotNeeded), 1U);
  EXPECT_EQ(report.pending, 0U);
  for (auto* run : {&well, &badly, &not_at_all}) delivery.release_run(*run);
}

}  // namespace
}  // namespace runfold::delivery::test

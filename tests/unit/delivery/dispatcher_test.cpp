// The dispatcher step by step: batches, numbers, totals, order, and who is dropped.
#include "producer/delivery/dispatcher.hpp"

#include "tests/support/delivery_rig.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace runfold::delivery::test {
namespace {

TEST(Dispatcher, ABatchLeavesWhenItIsOldEnoughAndNotBefore) {
  Rig rig;
  RunAccount& run = rig.open("r");
  rig.log(run, "one");
  rig.step();
  rig.log(run, "two");
  const NextStep next = rig.step(99ms);
  EXPECT_LE(next.at, rig.now.steady + 1ms);
  EXPECT_TRUE(rig.cluster.taken().empty());
  rig.step(1ms);
  const auto batches = rig.taken_from("runfold.logs");
  ASSERT_EQ(batches.size(), 1U);
  const auto batch = read_batch(batches[0]);
  EXPECT_EQ(batch.first_sequence(), 1U);
  ASSERT_EQ(batch.records_size(), 2);
  EXPECT_EQ(batch.records(0).message(), "one");
  EXPECT_EQ(batch.records(1).message(), "two");
}

TEST(Dispatcher, ARecordQueuedWhileTheThreadNappedCountsItsAgeFromTheNapsBeginning) {
  Rig rig;
  RunAccount& a = rig.open("a");
  RunAccount& b = rig.open("b");
  rig.log(a, "opens a batch");
  rig.step();
  rig.step(20ms);  // nothing more came: the thread now sleeps until the batch is due, and a log record does not wake it
  rig.log(b, "came meanwhile");
  rig.step(80ms);
  EXPECT_EQ(rig.taken_from("runfold.logs").size(), 1U);
  rig.step(20ms);
  EXPECT_EQ(rig.taken_from("runfold.logs").size(), 2U);
}

TEST(Dispatcher, ABatchLeavesAtOnceWhenItIsLarge) {
  Rig rig;
  RunAccount& run = rig.open("r");
  for (int i = 0; i < 10; ++i) rig.log(run, std::string(1000, 'x'));
  rig.step();
  const auto batches = rig.taken_from("runfold.logs");
  ASSERT_EQ(batches.size(), 3U);
  std::uint64_t next = 1;
  for (const auto& record : batches) {
    const auto batch = read_batch(record);
    EXPECT_LE(record.value.size(), 4096U);
    EXPECT_EQ(batch.first_sequence(), next);
    next += static_cast<std::uint64_t>(batch.records_size());
  }
  EXPECT_EQ(next, 10U);  // the last one waits for its age
}

TEST(Dispatcher, TheOldestBatchLeavesEarlyWhenAllTogetherAreTooLarge) {
  Rig rig;
  std::vector<RunAccount*> runs;
  for (int i = 0; i < 8; ++i) runs.push_back(&rig.open(std::to_string(i)));
  for (auto* run : runs) rig.log(*run, std::string(3000, 'x'));
  rig.step();
  const auto batches = rig.taken_from("runfold.logs");
  ASSERT_EQ(batches.size(), 3U);
  EXPECT_EQ(batches[0].key, "0");
  EXPECT_EQ(batches[2].key, "2");
}

TEST(Dispatcher, EventsLeaveOneByOneWithContiguousNumbersForEachRun) {
  Rig rig;
  RunAccount& a = rig.open("a");
  RunAccount& b = rig.open("b");
  for (std::uint64_t i = 0; i < 5; ++i) {
    rig.event(a, progress(i));
    if (i % 2 == 0) rig.event(b, progress(i));
  }
  rig.step();
  std::map<std::string, std::uint64_t> last;
  for (const auto& record : rig.taken_from("runfold.events")) {
    const auto event = read_event(record);
    EXPECT_EQ(event.identity().run_id(), record.key);
    EXPECT_EQ(event.sequence(), ++last[record.key]);
  }
  EXPECT_EQ(last["a"], 5U);
  EXPECT_EQ(last["b"], 3U);
}

TEST(Dispatcher, ARecordCarriesItsKeyTimeIdentityTraceAndHeaders) {
  Rig rig;
  RunAccount& run = rig.open("run/1");
  auto event = event_at(1'700'000'000);
  event.mutable_occurred_at()->set_nanos(123'456'789);
  event.mutable_step_started()->set_step_id("upload");
  event.mutable_trace()->set_traceparent("00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01");
  rig.event(run, event);
  rig.log(run, "line");
  rig.step();
  rig.step(100ms);

  const auto records = rig.cluster.taken();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].topic, "runfold.events");
  EXPECT_EQ(records[0].key, "run/1");
  EXPECT_EQ(records[0].timestamp_ms, 1'700'000'000'123);
  const std::map<std::string, std::string> expected{{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01"},
                                                    {"content-type", "application/protobuf"},
                                                    {"ce_specversion", "1.0"},
                                                    {"ce_id", "run/1/2/source/runfold.events/1"},
                                                    {"ce_type", "runfold.v1.SyncEvent"},
                                                    {"ce_source", "my%20connector"},
                                                    {"ce_time", "2023-11-14T22:13:20.123Z"}};
  EXPECT_EQ(records[0].headers, expected);
  const auto sent = read_event(records[0]);
  EXPECT_EQ(sent.identity().connector_id(), "my connector");
  EXPECT_EQ(sent.identity().version(), "1.2");
  EXPECT_EQ(sent.identity().site(), "north");
  EXPECT_EQ(sent.identity().attempt(), 2U);
  EXPECT_EQ(sent.identity().source_id(), "source");
  EXPECT_EQ(sent.step_started().step_id(), "upload");

  const auto batch = read_batch(records[1]);
  EXPECT_EQ(batch.identity().ShortDebugString(), sent.identity().ShortDebugString());
  EXPECT_EQ(batch.trace().traceparent(), run.about.traceparent);
  EXPECT_EQ(records[1].headers.at("traceparent"), run.about.traceparent);
  EXPECT_EQ(records[1].headers.at("tracestate"), "vendor=1");
  EXPECT_EQ(records[1].headers.at("ce_type"), "runfold.v1.LogBatch");
  EXPECT_EQ(records[1].headers.at("ce_id"), "run/1/2/source/runfold.logs/1");
}

TEST(Dispatcher, ATimeFarAheadIsKeptInTheEventButNotAskedOfTheBroker) {
  Rig rig;
  RunAccount& run = rig.open("r");
  auto event = event_at(4'000'000'000);
  event.mutable_heartbeat();
  rig.event(run, event);
  rig.step();
  const auto records = rig.cluster.taken();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(read_event(records[0]).occurred_at().seconds(), 4'000'000'000);
  EXPECT_EQ(records[0].timestamp_ms, rig.now.wall_ns / 1'000'000);
}

TEST(Dispatcher, AFullRingDropsDebugBeforeInfoBeforeWarningsBeforeErrorsBeforeEvents) {
  Rig rig({.ring = 64 * 1024});
  RunAccount& run = rig.open("r");
  const std::string text(200, 'x');
  // One of each kind in turn, with nobody reading: the order in which kinds begin to be refused is the order of importance.
  std::vector<std::string> refused;
  const auto note = [&](const std::string& kind, bool taken) {
    if (!taken && std::find(refused.begin(), refused.end(), kind) == refused.end()) refused.push_back(kind);
  };
  auto event = progress(1);
  event.mutable_progress()->set_message(text);
  for (int i = 0; i < 1000; ++i) {
    note("event", rig.event(run, event));
    note("error", rig.log(run, text, v1::SEVERITY_ERROR));
    note("warning", rig.log(run, text, v1::SEVERITY_WARNING));
    note("info", rig.log(run, text, v1::SEVERITY_INFO));
    note("debug", rig.log(run, text, v1::SEVERITY_DEBUG));
  }
  EXPECT_EQ(refused, (std::vector<std::string>{"debug", "info", "warning", "error", "event"}));
}

TEST(Dispatcher, AFloodOfDebugLeavesRoomForInfoErrorsAndEvents) {
  Rig rig({.ring = 64 * 1024});
  RunAccount& run = rig.open("r");
  int debug = 0;
  while (rig.log(run, "debug", v1::SEVERITY_DEBUG)) ++debug;
  EXPECT_GT(debug, 100);
  EXPECT_TRUE(rig.log(run, "info", v1::SEVERITY_INFO));
  while (rig.log(run, "info", v1::SEVERITY_INFO)) {
  }
  EXPECT_TRUE(rig.log(run, "error", v1::SEVERITY_ERROR));
  while (rig.log(run, "error", v1::SEVERITY_EMERGENCY)) {
  }
  EXPECT_TRUE(rig.event(run, progress(1)));
}

TEST(Dispatcher, TotalsCountWhatWasNumberedAndWhatNeverWas) {
  Rig rig({.ring = 64 * 1024});
  RunAccount& run = rig.open("r");
  std::uint64_t tried = 0;
  std::uint64_t taken = 0;
  for (; tried < 3000; ++tried) taken += rig.log(run, "a line of the log", v1::SEVERITY_DEBUG) ? 1 : 0;
  ASSERT_LT(taken, tried);
  rig.event(run, progress(1));
  rig.finish(run);
  rig.step();
  const auto events = rig.taken_from("runfold.events");
  ASSERT_EQ(events.size(), 2U);
  const auto end = read_event(events[1]).completed();
  ASSERT_EQ(end.totals_size(), 2);
  EXPECT_EQ(end.totals(0).topic(), v1::TOPIC_EVENTS);
  EXPECT_EQ(end.totals(0).emitted(), 2U);  // the Completed that says so is one of them
  EXPECT_EQ(end.totals(0).last_sequence(), 2U);
  EXPECT_EQ(end.totals(0).drops_size(), 0);
  EXPECT_EQ(end.totals(1).topic(), v1::TOPIC_LOGS);
  EXPECT_EQ(end.totals(1).emitted(), tried);
  EXPECT_EQ(end.totals(1).last_sequence(), taken);
  EXPECT_EQ(dropped(end.totals(1), v1::DROP_REASON_QUEUE_FULL), tried - taken);
}

TEST(Dispatcher, CompletedComesBehindAllThatWasQueuedAndSurvivesAFullRing) {
  Rig rig({.ring = 64 * 1024});
  RunAccount& run = rig.open("r");
  std::uint64_t events = 0;
  while (rig.event(run, progress(events))) ++events;
  rig.finish(run);
  rig.step();
  const auto sent = rig.taken_from("runfold.events");
  ASSERT_EQ(sent.size(), events + 1);
  EXPECT_TRUE(read_event(sent.back()).has_completed());
  EXPECT_EQ(dropped(read_event(sent.back()).completed().totals(0), v1::DROP_REASON_QUEUE_FULL), 1U);
  rig.expect_account();
}

TEST(Dispatcher, LogsOfARunThatEndsLeaveBeforeTheirBatchIsOld) {
  Rig rig;
  RunAccount& run = rig.open("r");
  rig.log(run, "last words");
  rig.finish(run);
  rig.step();
  EXPECT_EQ(rig.taken_from("runfold.logs").size(), 1U);
}

TEST(Dispatcher, WhatComesAfterCompletedIsDroppedAsLateAndOnlyReported) {
  Rig rig;
  RunAccount& run = rig.open("r");
  rig.finish(run);
  rig.step();
  rig.log(run, "was on its way when the run ended");
  rig.step(1s);
  EXPECT_TRUE(rig.taken_from("runfold.logs").empty());
  EXPECT_EQ(rig.report().dropped.at(Channel::kLogs, Drop::kLate), 1U);
  rig.expect_account();
}

TEST(Dispatcher, AFullClientKeepsTheOrderAndTheRestStaysInTheRing) {
  Rig rig;
  rig.cluster.acknowledge_by_itself(false);
  rig.cluster.set_room(3);
  RunAccount& run = rig.open("r");
  for (std::uint64_t i = 0; i < 10; ++i) rig.event(run, progress(i));
  const NextStep blocked = rig.step();
  EXPECT_EQ(blocked.least, Urgency::kControl);  // records need not wake it: only Kafka can help
  EXPECT_EQ(rig.cluster.taken().size(), 3U);
  EXPECT_FALSE(rig.ring.empty());
  for (int i = 0; i < 10; ++i) {
    rig.cluster.settle_one();
    rig.step();
  }
  const auto events = rig.taken_from("runfold.events");
  ASSERT_EQ(events.size(), 10U);
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_EQ(read_event(events[i]).progress().done(), i);
  EXPECT_EQ(rig.report().acknowledged, 10U);
  EXPECT_EQ(rig.report().pending, 0U);
}

TEST(Dispatcher, WhatIsUnacknowledgedIsBounded) {
  Rig rig({.ring = 1 << 20, .in_flight = 64 * 1024});
  rig.cluster.acknowledge_by_itself(false);
  RunAccount& run = rig.open("r");
  auto event = progress(1);
  event.mutable_progress()->set_message(std::string(1000, 'x'));
  for (int i = 0; i < 500; ++i) rig.event(run, event);
  for (int i = 0; i < 10; ++i) rig.step();
  EXPECT_LE(rig.outbox.bytes(), 64 * 1024U + 2048U);
  EXPECT_GT(rig.cluster.taken().size(), 30U);
  EXPECT_LT(rig.cluster.taken().size(), 64U);
}

TEST(Dispatcher, ABrokenClientIsMadeAnewAndAllUnacknowledgedIsSentAgainInOrder) {
  Rig rig;
  rig.cluster.acknowledge_by_itself(false);
  RunAccount& run = rig.open("r");
  for (std::uint64_t i = 0; i < 6; ++i) rig.event(run, progress(i));
  rig.step();
  rig.cluster.settle_one();
  rig.cluster.settle_one();
  rig.step();
  rig.cluster.break_client();
  rig.cluster.acknowledge_by_itself(true);
  rig.event(run, progress(6));
  rig.step();
  EXPECT_EQ(rig.cluster.clients(), 2);
  rig.step();
  rig.step();
  const auto acknowledged = rig.cluster.acknowledged();
  ASSERT_EQ(acknowledged.size(), 7U);
  for (std::uint64_t i = 0; i < 7; ++i) {
    EXPECT_EQ(read_event(acknowledged[i]).progress().done(), i);
    EXPECT_EQ(read_event(acknowledged[i]).sequence(), i + 1);
  }
  EXPECT_EQ(acknowledged[1].client, 1);
  EXPECT_EQ(acknowledged[2].client, 2);
  EXPECT_EQ(rig.report().acknowledged, 7U);
  EXPECT_EQ(rig.report().dropped_records(), 0U);
  ASSERT_EQ(rig.troubles.size(), 1U);
  EXPECT_EQ(rig.troubles[0].message, "the client is broken; a new one is made, and what Kafka had not acknowledged is sent again");
}

TEST(Dispatcher, AClientThatBreaksIsToldOfOnceThoughItSaysSoOfEveryRecord) {
  Rig rig;
  RunAccount& run = rig.open("r");
  rig.cluster.break_client();
  rig.cluster.refuse_clients(runfold::test::trouble(kafka::Errc::kOther, "no client today"));
  for (std::uint64_t i = 0; i < 3; ++i) {
    rig.event(run, progress(i));
    rig.step();
  }
  const auto told =
      std::count_if(rig.troubles.begin(), rig.troubles.end(), [](const auto& one) { return one.code == kafka::Errc::kFatal; });
  EXPECT_EQ(told, 1);
}

TEST(Dispatcher, ARecordThatKafkaRefusesIsToldOf) {
  Rig rig;
  rig.cluster.acknowledge_by_itself(false);
  RunAccount& run = rig.open("r");
  for (std::uint64_t i = 0; i < 3; ++i) rig.event(run, progress(i));
  rig.step();
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kUnauthorised, "no right to write"));
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kNotFound, "no such topic"));
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kTimedOut, "no answer"));
  rig.step();
  ASSERT_EQ(rig.troubles.size(), 2U) << "that Kafka does not answer is told by the client itself";
  EXPECT_EQ(rig.troubles[0].message, "no right to write");
  EXPECT_EQ(rig.troubles[1].message, "no such topic; `runfold topics create` makes Runfold's topics");
}

TEST(Dispatcher, WhatWaitsAtTheEndForTopicsThatKafkaDoesNotHaveSaysSo) {
  Rig rig;
  rig.cluster.set_missing_topics({"runfold.events"});
  rig.cluster.acknowledge_by_itself(false);
  RunAccount& run = rig.open("r");
  rig.event(run, progress(0));
  rig.step();
  rig.dispatcher.abandon(rig.now);
  ASSERT_EQ(rig.troubles.size(), 1U);
  EXPECT_EQ(rig.troubles[0].message,
            "records wait for topic runfold.events, which Kafka does not have; `runfold topics create` makes Runfold's topics");
}

TEST(Dispatcher, NobodyAsksForTopicsWhenAllHasArrived) {
  Rig rig;
  rig.cluster.set_missing_topics({"runfold.events"});
  RunAccount& run = rig.open("r");
  rig.event(run, progress(0));
  rig.step();
  rig.step();
  rig.dispatcher.abandon(rig.now);
  EXPECT_TRUE(rig.troubles.empty());
}

TEST(Dispatcher, AClientThatCannotBeMadeIsTriedAgainLater) {
  Rig rig;
  RunAccount& run = rig.open("r");
  rig.cluster.break_client();
  rig.cluster.refuse_clients(runfold::test::trouble(kafka::Errc::kOther, "no client today"));
  rig.event(run, progress(0));
  rig.step();
  const NextStep next = rig.step(20ms);
  EXPECT_EQ(rig.cluster.clients(), 1);
  EXPECT_EQ(next.at, rig.now.steady + 80ms);
  rig.step(79ms);
  EXPECT_EQ(rig.troubles.size(), 2U);
  rig.cluster.refuse_clients({});
  rig.step(1ms);
  rig.step();
  EXPECT_EQ(rig.cluster.clients(), 2);
  EXPECT_EQ(rig.report().acknowledged, 1U);
}

TEST(Dispatcher, AClientThatBreaksAtOnceAgainIsNotMadeInALoop) {
  Rig rig;
  RunAccount& run = rig.open("r");
  rig.event(run, progress(0));
  rig.cluster.acknowledge_by_itself(false);
  for (int i = 0; i < 50; ++i) {
    rig.cluster.break_client();
    rig.step(1ms);
  }
  EXPECT_EQ(rig.cluster.clients(), 2);
}

TEST(Dispatcher, WhatKafkaGivesUpIsCountedByReasonAndToldInTheTotals) {
  Rig rig;
  rig.cluster.acknowledge_by_itself(false);
  RunAccount& run = rig.open("r");
  for (int i = 0; i < 3; ++i) rig.event(run, progress(1));
  rig.log(run, "one");
  rig.log(run, "two");
  rig.step();
  rig.step(100ms);
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kTimedOut, "too late"));
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kUnauthorised, "not you"));
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kTooLarge, "too large"));
  rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kTimedOut, "too late"));
  rig.cluster.acknowledge_by_itself(true);
  rig.step();
  rig.finish(run);
  rig.step();
  rig.step();

  const auto end = read_event(rig.taken_from("runfold.events").back()).completed();
  EXPECT_EQ(dropped(end.totals(0), v1::DROP_REASON_DELIVERY_TIMEOUT), 1U);
  EXPECT_EQ(dropped(end.totals(0), v1::DROP_REASON_REJECTED), 1U);
  EXPECT_EQ(dropped(end.totals(0), v1::DROP_REASON_TOO_LARGE), 1U);
  EXPECT_EQ(end.totals(0).emitted(), 4U);
  EXPECT_EQ(end.totals(0).last_sequence(), 4U);
  EXPECT_EQ(dropped(end.totals(1), v1::DROP_REASON_DELIVERY_TIMEOUT), 2U);
  EXPECT_EQ(end.totals(1).emitted(), 2U);
  const Report report = rig.report();
  EXPECT_EQ(report.emitted, 6U);
  EXPECT_EQ(report.acknowledged, 1U);
  EXPECT_EQ(report.pending, 0U);
}

TEST(Dispatcher, ARecordThatTheClientRefusesDoesNotBlockThoseBehindIt) {
  Rig rig;
  rig.cluster.judge_by([](const runfold::test::FakeKafka::Record& record) -> std::optional<kafka::Error> {
    if (record.token % 2 == 0) return runfold::test::trouble(kafka::Errc::kTooLarge, "too large");
    return std::nullopt;
  });
  RunAccount& run = rig.open("r");
  for (std::uint64_t i = 0; i < 5; ++i) rig.event(run, progress(i));
  rig.step();
  rig.step();
  EXPECT_EQ(rig.report().acknowledged, 3U);
  EXPECT_EQ(rig.report().dropped.at(Channel::kEvents, Drop::kTooLarge), 2U);
  EXPECT_EQ(rig.report().pending, 0U);
}

TEST(Dispatcher, ASilentRunSendsHeartbeatsUntilItEnds) {
  Rig rig;
  RunAccount& run = rig.open("r", 10s);
  rig.event(run, progress(0));
  rig.step();
  const NextStep silent = rig.step(20ms);
  EXPECT_EQ(silent.at, rig.now.steady + 9'980ms);
  rig.step(9'979ms);
  EXPECT_EQ(rig.cluster.taken().size(), 1U);
  rig.step(1ms);
  ASSERT_EQ(rig.cluster.taken().size(), 2U);
  const auto heartbeat = read_event(rig.cluster.taken()[1]);
  EXPECT_TRUE(heartbeat.has_heartbeat());
  EXPECT_EQ(heartbeat.sequence(), 2U);
  EXPECT_EQ(heartbeat.occurred_at().seconds(), rig.now.wall_ns / 1'000'000'000);
  EXPECT_EQ(heartbeat.trace().traceparent(), run.about.traceparent);

  rig.step(6s);
  rig.event(run, progress(1));
  rig.step();
  const NextStep next = rig.step(5s);
  EXPECT_EQ(next.at, rig.now.steady + 5s);  // the event was a sign of life of its own
  EXPECT_EQ(rig.cluster.taken().size(), 3U);
  rig.finish(run);
  rig.step();
  rig.step(1h);
  EXPECT_EQ(rig.cluster.taken().size(), 4U);
  EXPECT_EQ(read_event(rig.cluster.taken()[3]).completed().totals(0).emitted(), 4U);
  rig.expect_account();
}

TEST(Dispatcher, AReleasedRunIsForgottenOnceAllOfItIsAccountedFor) {
  Rig rig;
  rig.cluster.acknowledge_by_itself(false);
  RunAccount& run = rig.open("r", 10s);
  rig.log(run, "line");
  rig.finish(run);
  rig.dispatcher.release(run);
  rig.step();
  EXPECT_EQ(rig.dispatcher.runs(), 1U);
  rig.cluster.settle_all();
  rig.step();
  EXPECT_EQ(rig.dispatcher.runs(), 0U);
  rig.step(1h);
  EXPECT_EQ(rig.cluster.taken().size(), 2U);
}

TEST(Dispatcher, AWellEarnedSleepIsDeepAndANapIsNot) {
  Rig rig;
  RunAccount& run = rig.open("r");
  EXPECT_EQ(rig.step().least, Urgency::kRecord);
  rig.log(run, "line");
  const NextStep nap = rig.step();
  EXPECT_EQ(nap.least, Urgency::kFilling);
  EXPECT_EQ(nap.at, rig.now.steady + 2ms);
  const NextStep again = rig.step(19ms);  // nothing came, but it may be that the connector was only stopped for a moment
  EXPECT_EQ(again.least, Urgency::kFilling);
  EXPECT_EQ(again.at, rig.now.steady + 2ms);
  EXPECT_EQ(rig.step(1ms).least, Urgency::kEvent);
  const NextStep idle = rig.step(80ms);
  EXPECT_EQ(idle.least, Urgency::kRecord);
  EXPECT_EQ(idle.at, Clock::time_point::max());
}

TEST(Dispatcher, WhatIsAbandonedIsCountedAsTimedOut) {
  Rig rig;
  rig.cluster.acknowledge_by_itself(false);
  rig.cluster.set_room(2);
  RunAccount& run = rig.open("r");
  RunAccount& other = rig.open("other");
  rig.log(run, "in an open batch");
  rig.step();
  for (std::uint64_t i = 0; i < 5; ++i) rig.event(run, progress(i));
  rig.finish(other);
  rig.step();
  rig.dispatcher.shut();
  EXPECT_FALSE(rig.log(run, "too late"));
  rig.finish(run);
  rig.dispatcher.abandon(rig.now);
  const Report report = rig.report();
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.dropped.at(Channel::kEvents, Drop::kDeliveryTimeout), 6U);
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kDeliveryTimeout), 1U);
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kLate), 1U);
  EXPECT_EQ(report.dropped.at(Channel::kEvents, Drop::kLate), 1U);
  EXPECT_EQ(report.emitted, 9U);
  EXPECT_TRUE(rig.dispatcher.settled());
}

TEST(Dispatcher, ARecordThatIsBeingWrittenAtTheEndIsAccountedForToo) {
  Rig rig;
  RunAccount& run = rig.open("r");
  Ring scratch(4096);
  const LogView view{.logged_at_ns = rig.now.wall_ns, .severity = v1::SEVERITY_INFO, .message = "late"};
  ASSERT_FALSE(queue_log(scratch, run, view, 1024).dropped);
  const auto bytes = scratch.front();
  const auto claim = rig.ring.claim(bytes.size(), rig.ring.bound_bytes());
  ASSERT_NE(claim.data, nullptr);
  std::thread end([&] {
    rig.dispatcher.shut();
    rig.dispatcher.abandon(rig.now);
  });
  EXPECT_TRUE(runfold::test::wait_until([&] { return rig.ring.claim(1, 0).refusal == Ring::Refusal::kClosed; }));
  std::memcpy(claim.data, bytes.data(), bytes.size());
  rig.ring.commit(claim, bytes.size());
  end.join();
  EXPECT_TRUE(rig.dispatcher.settled());
  EXPECT_EQ(rig.ledger.given_up.at(Channel::kLogs, Drop::kDeliveryTimeout).load(), 1U);
}

}  // namespace
}  // namespace runfold::delivery::test

// One run as its events tell it.
#include "tests/support/folding.hpp"

#include <gmock/gmock.h>

#include <string>

namespace runfold::collector {
namespace {

using test::Folding;
using test::kSecond;
using test::Telling;

TEST(Run, AWholeRunIsFoldedIntoOneSnapshot) {
  Folding f;
  Telling t;
  auto started = t.started(10);
  started.mutable_started()->set_os_pid(77);
  started.mutable_started()->set_host("web-1");
  started.mutable_started()->set_account("acct");
  started.mutable_started()->mutable_heartbeat_interval()->set_seconds(15);
  started.mutable_trace()->set_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  f.send(started);
  f.send(t.step_started(11, "read"));
  f.send(t.step_completed(13, "read", 40));
  f.send(t.exited(20, 0));
  const v1::Run run = f.run();
  EXPECT_EQ(run.run_id(), "r-1");
  EXPECT_EQ(run.attempt(), 1U);
  EXPECT_EQ(run.connector_id(), "invoices");
  EXPECT_EQ(run.version(), "1.2");
  EXPECT_EQ(run.site(), "acme");
  EXPECT_EQ(run.status(), v1::RUN_STATUS_FINISHED);
  EXPECT_EQ(run.result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(run.result_source(), v1::RESULT_SOURCE_DECLARED);
  EXPECT_EQ(run.exit_code(), 0);
  EXPECT_TRUE(run.has_exit_code());
  EXPECT_FALSE(run.has_signal());
  EXPECT_EQ(run.started_at().seconds(), 10);
  EXPECT_EQ(run.finished_at().seconds(), 20);
  EXPECT_EQ(run.last_seen_at().seconds(), 20);
  EXPECT_EQ(run.duration().seconds(), 10);
  EXPECT_EQ(run.entities(), 40U);
  EXPECT_EQ(run.os_pid(), 77U);
  EXPECT_EQ(run.host(), "web-1");
  EXPECT_EQ(run.account(), "acct");
  EXPECT_EQ(run.heartbeat_interval().seconds(), 15);
  EXPECT_EQ(run.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(run.revision(), 4U);
  ASSERT_EQ(run.steps_size(), 1);
  EXPECT_EQ(run.steps(0).step_id(), "read");
  EXPECT_EQ(run.steps(0).duration().seconds(), 2);
  ASSERT_EQ(run.offsets_size(), 1);
  EXPECT_EQ(run.offsets(0).first_offset(), 100);
  EXPECT_EQ(run.offsets(0).last_offset(), 103);
}

TEST(Run, TheRowRepeatsWhatQueriesFilterBy) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.exited(20, 3));
  f.commit();
  const RunRow& row = f.runs.at({"r-1", 1});
  EXPECT_EQ(row.connector_id, "invoices");
  EXPECT_EQ(row.version, "1.2");
  EXPECT_EQ(row.site, "acme");
  EXPECT_EQ(row.status, v1::RUN_STATUS_FINISHED);
  EXPECT_EQ(row.result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(row.sort_at_ns, 10 * kSecond);
}

TEST(Run, TheSnapshotIsWrittenAsGeneratedCodeWritesIt) {
  Folding f;
  Telling t;
  auto started = t.started(10);
  started.mutable_started()->set_host(std::string(300, 'h'));
  f.send(started);
  for (int i = 0; i < 20; ++i) f.send(t.step_failed(11 + i, "step " + std::to_string(i), std::string(100, 'e')));
  auto completed = t.completed(60);
  completed.mutable_completed()->set_signal(-1);
  completed.mutable_completed()->set_exit_code(-7);
  f.send(completed);
  const v1::Run run = f.run();
  EXPECT_EQ(run.exit_code(), -7);
  EXPECT_EQ(f.runs.at({"r-1", 1}).snapshot, run.SerializeAsString());
}

TEST(Run, AnyEventShowsThatItRunsAndTheEarliestOrdersItUntilItsStartIsKnown) {
  Folding f;
  Telling t;
  f.send(t.heartbeat(30));
  EXPECT_EQ(f.run().status(), v1::RUN_STATUS_RUNNING);
  EXPECT_FALSE(f.run().has_started_at());
  f.send(t.heartbeat(29));
  f.run();
  EXPECT_EQ(f.runs.at({"r-1", 1}).sort_at_ns, 29 * kSecond);
  f.send(t.started(28));
  EXPECT_EQ(f.run().started_at().seconds(), 28);
  EXPECT_EQ(f.runs.at({"r-1", 1}).sort_at_ns, 28 * kSecond);
}

TEST(Run, UnknownIsNotZero) {
  Folding f;
  Telling t;
  f.send(t.step_completed(10, "read"));
  f.send(t.completed(20));
  const v1::Run run = f.run();
  EXPECT_FALSE(run.has_exit_code());
  EXPECT_FALSE(run.has_signal());
  EXPECT_FALSE(run.has_entities());
  EXPECT_FALSE(run.has_relationships());
  EXPECT_FALSE(run.has_stats());
  EXPECT_FALSE(run.has_duration()) << "no start and none measured";
  EXPECT_FALSE(run.has_started_at());
  EXPECT_FALSE(run.has_os_pid());
  EXPECT_FALSE(run.has_progress());
  EXPECT_FALSE(run.has_heartbeat_interval());
  EXPECT_FALSE(run.steps(0).has_entities());
  EXPECT_FALSE(run.steps(0).has_duration());
  EXPECT_FALSE(run.completeness(0).has_expected());
}

TEST(Run, ZeroIsNotUnknown) {
  Folding f;
  Telling t;
  f.send(t.step_completed(10, "read", 0));
  EXPECT_TRUE(f.run().has_entities());
  EXPECT_EQ(f.run().entities(), 0U);
  EXPECT_TRUE(f.run().steps(0).has_entities());
}

struct Ending {
  v1::RunResult said;
  std::optional<int> exit_code;
  std::optional<int> signal;
  v1::RunResult result;
  v1::ResultSource source;
};

TEST(Run, TheResultIsAsDeclaredOrElseFollowsFromHowTheProcessEnded) {
  const Ending endings[] = {
      {v1::RUN_RESULT_TIMEOUT, 0, {}, v1::RUN_RESULT_TIMEOUT, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_CANCELLED, {}, 15, v1::RUN_RESULT_CANCELLED, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_UNSPECIFIED, {}, 9, v1::RUN_RESULT_ERROR, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_UNSPECIFIED, 0, 9, v1::RUN_RESULT_ERROR, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_UNSPECIFIED, 0, 0, v1::RUN_RESULT_SUCCESS, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_UNSPECIFIED, 0, {}, v1::RUN_RESULT_SUCCESS, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_UNSPECIFIED, 3, {}, v1::RUN_RESULT_FAILURE, v1::RESULT_SOURCE_DECLARED},
      {v1::RUN_RESULT_UNSPECIFIED, {}, {}, v1::RUN_RESULT_SUCCESS, v1::RESULT_SOURCE_INFERRED},
      {static_cast<v1::RunResult>(99), {}, {}, v1::RUN_RESULT_ERROR, v1::RESULT_SOURCE_INFERRED},
      {static_cast<v1::RunResult>(99), 0, {}, v1::RUN_RESULT_SUCCESS, v1::RESULT_SOURCE_DECLARED},
  };
  for (const Ending& ending : endings) {
    Folding f;
    Telling t;
    auto event = t.completed(20, ending.said);
    if (ending.exit_code) event.mutable_completed()->set_exit_code(*ending.exit_code);
    if (ending.signal) event.mutable_completed()->set_signal(*ending.signal);
    f.send(event);
    const v1::Run run = f.run();
    EXPECT_EQ(run.result(), ending.result) << event.ShortDebugString();
    EXPECT_EQ(run.result_source(), ending.source) << event.ShortDebugString();
  }
}

TEST(Run, AStepThatFailedDoesNotMakeTheRunFail) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.step_failed(12, "upload", "503"));
  EXPECT_EQ(f.run().status(), v1::RUN_STATUS_RUNNING);
  f.send(t.exited(20, 0));
  const v1::Run run = f.run();
  EXPECT_EQ(run.result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(run.error(), "");
  EXPECT_EQ(run.steps(0).result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(run.steps(0).error(), "503");
}

TEST(Run, ARetriedStepKeepsEachTryApart) {
  Folding f;
  Telling t;
  f.send(t.step_started(10, "upload", 1));
  f.send(t.step_failed(12, "upload", "503", 1));
  f.send(t.step_started(13, "upload", 2));
  f.send(t.step_completed(15, "upload", 7, 2));
  const v1::Run run = f.run();
  ASSERT_EQ(run.steps_size(), 2);
  EXPECT_EQ(run.steps(0).attempt(), 1U);
  EXPECT_EQ(run.steps(0).result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(run.steps(1).attempt(), 2U);
  EXPECT_EQ(run.steps(1).result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(run.entities(), 7U);
}

std::vector<std::string> steps_of(const v1::Run& run) {
  std::vector<std::string> order;
  for (const auto& step : run.steps()) order.push_back(step.step_id() + std::to_string(step.attempt()));
  return order;
}

TEST(Run, AClockThatJumpsBackTurnsNoStepsOfASourceRound) {
  Telling one("r-1", "s-1");
  Telling two("r-1", "s-2");
  std::vector<v1::SyncEvent> events{one.step_started(100, "read"),  one.step_completed(110, "read"), one.step_started(40, "map"),
                                    one.step_completed(41, "map"),  one.step_started(42, "write"),   two.step_started(90, "before"),
                                    two.step_started(105, "behind")};
  std::string expected_row;
  for (std::size_t turn = 0; turn < events.size(); ++turn) {
    Folding f;
    for (const auto& event : events) {
      f.send(event);
      f.restart();
    }
    EXPECT_THAT(steps_of(f.run()), testing::ElementsAre("before1", "read1", "map1", "write1", "behind1")) << turn;
    const RunRow row = f.runs.at({"r-1", 1});
    if (turn == 0) expected_row = row.snapshot + row.fold_state;
    EXPECT_EQ(row.snapshot + row.fold_state, expected_row) << turn;
    std::rotate(events.begin(), events.begin() + 3, events.end());
  }
}

TEST(Run, StepsThatAreNotNumberedStandByStartThenByNameAndAttempt) {
  Folding f;
  Telling t;
  for (v1::SyncEvent event : {t.step_started(12, "b"), t.step_completed(11, "z"), t.step_started(12, "a", 2), t.step_started(12, "a", 1),
                              t.step_started(5, "late")}) {
    event.set_sequence(0);
    f.send(event);
  }
  EXPECT_THAT(steps_of(f.run()), testing::ElementsAre("late1", "z1", "a1", "a2", "b1"));
}

TEST(Run, ACompletedRunStaysCompletedWhateverComesLate) {
  Folding f;
  Telling t;
  const auto started = t.started(10);
  const auto step = t.step_completed(12, "read", 5);
  f.send(t.exited(20, 1));
  f.commit();
  f.send(step);
  f.send(started);
  const v1::Run run = f.run();
  EXPECT_EQ(run.status(), v1::RUN_STATUS_FINISHED);
  EXPECT_EQ(run.result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(run.started_at().seconds(), 10);
  EXPECT_EQ(run.duration().seconds(), 10);
  EXPECT_EQ(run.entities(), 5U);
}

TEST(Run, OfTwoEndingsTheEarlierHoldsWhicheverComesFirst) {
  for (const bool earlier_first : {true, false}) {
    Folding f;
    Telling agent("r-1", "agent");
    Telling sdk("r-1", "sdk");
    auto early = sdk.completed(20, v1::RUN_RESULT_FAILURE);
    early.mutable_completed()->set_error("declared by the connector");
    const auto late = agent.exited(21, 0);
    f.send(earlier_first ? early : late);
    f.send(earlier_first ? late : early);
    const v1::Run run = f.run();
    EXPECT_EQ(run.result(), v1::RUN_RESULT_FAILURE);
    EXPECT_EQ(run.error(), "declared by the connector");
    EXPECT_FALSE(run.has_exit_code());
    EXPECT_EQ(run.finished_at().seconds(), 20);
  }
}

TEST(Run, AnEndThatSaysHowHoldsAgainstAnEarlierOneThatDoesNotWhicheverComesFirst) {
  for (const bool silent_first : {true, false}) {
    Folding f;
    Telling agent("r-1", "agent");
    Telling sdk("r-1", "sdk");
    const auto silent = sdk.completed(20);
    const auto telling = agent.exited(21, 3);
    f.send(silent_first ? silent : telling);
    f.commit();
    f.send(silent_first ? telling : silent);
    const v1::Run run = f.run();
    EXPECT_EQ(run.result(), v1::RUN_RESULT_FAILURE);
    EXPECT_EQ(run.result_source(), v1::RESULT_SOURCE_DECLARED);
    EXPECT_EQ(run.exit_code(), 3);
    EXPECT_EQ(run.finished_at().seconds(), 21);
  }
}

TEST(Run, EventsOfOneTimeAreOrderedBySourceAndThenBySequence) {
  Folding f;
  Telling a("r-1", "a");
  Telling b("r-1", "b");
  f.send(b.exited(20, 1));
  f.send(a.exited(20, 2));
  f.send(a.exited(20, 3));
  EXPECT_EQ(f.run().exit_code(), 2);
}

TEST(Run, ADurationThatTheProducerMeasuredWins) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.step_started(11, "read"));
  auto step = t.step_completed(12, "read");
  step.mutable_step_completed()->mutable_duration()->set_nanos(250);
  f.send(step);
  auto completed = t.completed(20);
  completed.mutable_completed()->mutable_duration()->set_seconds(3);
  f.send(completed);
  EXPECT_EQ(f.run().duration().seconds(), 3);
  EXPECT_EQ(f.run().steps(0).duration().nanos(), 250);
}

TEST(Run, AClockThatWentBackwardsGivesNoDuration) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.step_started(11, "read"));
  auto step = t.step_completed(9, "read");
  step.mutable_step_completed()->mutable_duration()->set_seconds(-2);
  f.send(step);
  f.send(t.exited(5, 0));
  const v1::Run run = f.run();
  EXPECT_FALSE(run.has_duration());
  EXPECT_FALSE(run.steps(0).has_duration());
  EXPECT_EQ(run.last_seen_at().seconds(), 11);
}

TEST(Run, DuplicateStepCompletedIsCountedOnce) {
  Folding f;
  Telling t;
  const auto event = t.step_completed(12, "read", 5);
  EXPECT_EQ(f.send(event), Folded::kFolded);
  EXPECT_EQ(f.send(event), Folded::kDuplicate);
  EXPECT_EQ(f.counts().steps_completed, 1U);
  EXPECT_EQ(f.counts().entities, 5U);
  EXPECT_EQ(f.run().entities(), 5U);
  EXPECT_EQ(f.run().completeness(0).received(), 1U);
}

TEST(Run, ADuplicateChangesNothingButTheCountOfDuplicates) {
  Folding f;
  Telling t;
  const auto event = t.started(10);
  f.send(event);
  f.commit();
  const std::string before = f.runs.at({"r-1", 1}).snapshot;
  f.send(event);
  EXPECT_EQ(f.fold.dirty_rows(), 0U);
  f.commit();
  EXPECT_EQ(f.last_counts.topics.at("runfold.events").duplicates, 1U);
  EXPECT_EQ(f.last_counts.topics.at("runfold.events").records, 1U);
  f.send(t.heartbeat(11));
  f.commit();
  v1::Run run;
  ASSERT_TRUE(run.ParseFromString(f.runs.at({"r-1", 1}).snapshot));
  EXPECT_EQ(run.offsets(0).first_offset(), 100);
  EXPECT_EQ(run.offsets(0).last_offset(), 102) << "the repeat at 101 widens nothing, the heartbeat at 102 does";
}

TEST(Run, DuplicatesAreRecognisedAfterARestart) {
  Folding f;
  Telling t;
  const auto first = t.started(10);
  (void)t.heartbeat(11);  // lost
  const auto third = t.step_completed(12, "read", 5);
  f.send(first);
  f.send(third);
  f.restart();
  EXPECT_EQ(f.send(third), Folded::kDuplicate);
  EXPECT_EQ(f.send(first), Folded::kDuplicate);
  EXPECT_EQ(f.run().entities(), 5U);
}

TEST(Run, AnEventThatIsNotNumberedIsFoldedEachTime) {
  Folding f;
  Telling t;
  auto event = t.started(10);
  event.set_sequence(0);
  EXPECT_EQ(f.send(event), Folded::kFolded);
  EXPECT_EQ(f.send(event), Folded::kFolded);
  EXPECT_EQ(f.run().started_at().seconds(), 10);
  EXPECT_EQ(f.run().completeness(0).received(), 2U);
}

TEST(Run, EachSourceHasNumbersOfItsOwn) {
  Folding f;
  Telling agent("r-1", "agent");
  Telling sdk("r-1", "sdk");
  EXPECT_EQ(f.send(agent.heartbeat(10)), Folded::kFolded);
  EXPECT_EQ(f.send(sdk.heartbeat(10)), Folded::kFolded);
  EXPECT_EQ(f.run().completeness(0).received(), 2U);
}

TEST(Run, AttemptsAreRunsOfTheirOwn) {
  Folding f;
  Telling first("r-1", "s", 1);
  Telling second("r-1", "s", 2);
  f.send(first.exited(10, 1));
  f.send(second.started(20));
  EXPECT_EQ(f.run("r-1", 1).status(), v1::RUN_STATUS_FINISHED);
  EXPECT_EQ(f.run("r-1", 2).status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(f.run("r-1", 2).attempt(), 2U);
}

v1::TopicTotals& totals(v1::SyncEvent& event, v1::Topic topic, std::uint64_t emitted) {
  auto& entry = *event.mutable_completed()->add_totals();
  entry.set_topic(topic);
  entry.set_emitted(emitted);
  return entry;
}

TEST(Run, CompletenessComparesWhatCameWithWhatWasSaid) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  (void)t.heartbeat(11);  // lost
  auto completed = t.exited(20, 0);
  totals(completed, v1::TOPIC_EVENTS, 3);
  auto& logs = totals(completed, v1::TOPIC_LOGS, 240);
  auto& drop = *logs.add_drops();
  drop.set_reason(v1::DROP_REASON_RATE_LIMITED);
  drop.set_records(3);
  f.send(completed);
  EXPECT_EQ(f.counts().log_records_dropped[v1::DROP_REASON_RATE_LIMITED], 3U);
  const v1::Run run = f.run();
  ASSERT_EQ(run.completeness_size(), 2);
  EXPECT_EQ(run.completeness(0).topic(), v1::TOPIC_EVENTS);
  EXPECT_EQ(run.completeness(0).expected(), 3U);
  EXPECT_EQ(run.completeness(0).received(), 2U);
  EXPECT_EQ(run.completeness(1).topic(), v1::TOPIC_LOGS);
  EXPECT_EQ(run.completeness(1).expected(), 240U);
  EXPECT_EQ(run.completeness(1).received(), 0U) << "counted by the logs' own fold";
  ASSERT_EQ(run.completeness(1).drops_size(), 1);
  EXPECT_EQ(run.completeness(1).drops(0).reason(), v1::DROP_REASON_RATE_LIMITED);
  EXPECT_EQ(run.completeness(1).drops(0).records(), 3U);
}

TEST(Run, OneThatAnotherSourceGoesOnWithBeginsOnceAndLeavesWhatToExpectUnknown) {
  // As an agent that is started again tells a run of the one before it, whose totals nobody will say; the job itself has said
  // meanwhile how it ended, and the agent says later what it made of the silence.
  for (const bool reversed : {false, true}) {
    Telling before("r-1", "agent-1");
    Telling after("r-1", "agent-2");
    Telling job("r-1", "job");
    std::vector<v1::SyncEvent> told{before.started(10), job.completed(20, v1::RUN_RESULT_SUCCESS), after.started(10),
                                    after.completed(30, v1::RUN_RESULT_ERROR)};
    totals(told[1], v1::TOPIC_EVENTS, 1);
    totals(told[3], v1::TOPIC_EVENTS, 2);
    if (reversed) std::reverse(told.begin(), told.end());
    Folding f;
    std::uint64_t started = 0;
    std::uint64_t finished = 0;
    for (const auto& event : told) {
      f.send(event);
      started += f.counts().runs_started;
      for (const auto by_result : f.counts().runs_finished) finished += by_result;
    }
    EXPECT_EQ(started, 1U);
    EXPECT_EQ(finished, 1U);
    const v1::Run run = f.run();
    EXPECT_EQ(run.result(), v1::RUN_RESULT_SUCCESS) << "the earliest word holds";
    EXPECT_EQ(run.started_at().seconds(), 10);
    EXPECT_FALSE(run.completeness(0).has_expected());
    EXPECT_EQ(run.completeness(0).received(), 4U);
  }
}

TEST(Run, WhatWasNotNeededIsSaidByItsReasonAndNotExpected) {
  Folding f;
  Telling t;
  auto completed = t.exited(20, 0);
  auto& drop = *totals(completed, v1::TOPIC_LOGS, 7).add_drops();
  drop.set_reason(v1::DROP_REASON_NOT_NEEDED);
  drop.set_records(100);
  f.send(completed);
  EXPECT_EQ(f.counts().log_records_dropped[v1::DROP_REASON_NOT_NEEDED], 100U);
  f.restart();
  const v1::Run run = f.run();
  ASSERT_EQ(run.completeness_size(), 2);
  EXPECT_EQ(run.completeness(1).expected(), 7U);
  ASSERT_EQ(run.completeness(1).drops_size(), 1);
  EXPECT_EQ(run.completeness(1).drops(0).reason(), v1::DROP_REASON_NOT_NEEDED);
  EXPECT_EQ(run.completeness(1).drops(0).records(), 100U);
}

TEST(Run, WhatToExpectIsKnownOnceEverySourceHasSaidIt) {
  Folding f;
  Telling a("r-1", "a");
  Telling b("r-1", "b");
  auto from_a = a.exited(20, 0);
  totals(from_a, v1::TOPIC_EVENTS, 1);
  f.send(from_a);
  f.send(b.heartbeat(12));
  EXPECT_FALSE(f.run().completeness(0).has_expected());
  auto from_b = b.exited(21, 0);
  totals(from_b, v1::TOPIC_EVENTS, 2);
  f.send(from_b);
  EXPECT_EQ(f.run().completeness(0).expected(), 3U);
  EXPECT_EQ(f.run().completeness(0).received(), 3U);
}

TEST(Run, StatsOfAllCommitsAreAddedUpAndApartFromWhatStepsEmitted) {
  Folding f;
  Telling t;
  for (const std::uint64_t created : {3U, 4U}) {
    auto event = t.at(10);
    event.mutable_stats_committed()->mutable_stats()->set_entities_created(created);
    f.send(event);
  }
  EXPECT_EQ(f.counts().entities_created, 7U);
  const v1::Run run = f.run();
  EXPECT_EQ(run.stats().entities_created(), 7U);
  EXPECT_FALSE(run.stats().has_entities_updated());
  EXPECT_FALSE(run.has_entities());
}

TEST(Run, AClockThatJumpsBackDoesNotHideTheProgressAfterIt) {
  Telling one("r-1", "s-1");
  Telling two("r-1", "s-2");
  const auto progress = [](Telling& t, std::int64_t second, std::uint64_t done) {
    auto event = t.at(second);
    event.mutable_progress()->set_done(done);
    return event;
  };
  std::vector<v1::SyncEvent> events{progress(one, 100, 1), progress(one, 50, 2), progress(two, 70, 3), progress(one, 60, 4),
                                    progress(two, 60, 5)};
  std::string expected_row;
  for (std::size_t turn = 0; turn < events.size(); ++turn) {
    Folding f;
    for (const auto& event : events) {
      f.send(event);
      f.restart();
    }
    EXPECT_EQ(f.run().progress().done(), 4U) << turn;
    const RunRow row = f.runs.at({"r-1", 1});
    if (turn == 0) expected_row = row.snapshot + row.fold_state;
    EXPECT_EQ(row.snapshot + row.fold_state, expected_row) << turn;
    std::rotate(events.begin(), events.begin() + 2, events.end());
  }
}

TEST(Run, TheLatestProgressIsShown) {
  Folding f;
  Telling t;
  std::vector<v1::SyncEvent> events;
  for (const std::int64_t second : {11, 12, 15}) {
    auto& event = events.emplace_back(t.at(second));
    event.mutable_progress()->set_step_id("read");
    event.mutable_progress()->set_done(static_cast<std::uint64_t>(second));
  }
  for (const std::size_t i : {1U, 2U, 0U}) f.send(events[i]);
  EXPECT_EQ(f.run().progress().done(), 15U);
  EXPECT_FALSE(f.run().progress().has_total());
}

TEST(Run, ATimelessEventTakesTheTimeOfItsRecord) {
  Folding f;
  Telling t;
  auto event = t.started(10);
  event.clear_occurred_at();
  f.origin.record_time_ns = 42 * kSecond;
  f.send(event);
  EXPECT_EQ(f.run().started_at().seconds(), 42);
}

TEST(Run, AnInvalidTraceContextIsPassedOver) {
  for (const std::string text :
       {"", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01"}) {
    Folding f;
    Telling t;
    auto event = t.started(10);
    event.mutable_trace()->set_traceparent(text);
    f.send(event);
    EXPECT_EQ(f.run().trace_id(), "") << text;
  }
}

TEST(Run, LongTextIsCutAtAWholeCharacter) {
  Folding f;
  Telling t;
  auto event = t.completed(20, v1::RUN_RESULT_FAILURE);
  std::string text(16 * 1024 - 1, 'x');
  event.mutable_completed()->set_error(text + "€ and more");
  f.send(event);
  EXPECT_EQ(f.run().error(), text);
}

TEST(Run, BeyondTheBoundOfStepsTheSumsStillHold) {
  Folding forwards;
  Folding backwards;
  Telling t;
  std::vector<v1::SyncEvent> events;
  for (int i = 0; i < 1100; ++i) events.push_back(t.step_completed(10 + i, "page-" + std::to_string(i), 2));
  for (std::size_t i = 0; i < events.size(); ++i) {
    forwards.origin.offset = static_cast<std::int64_t>(i);
    forwards.send(events[i]);
    backwards.origin.offset = static_cast<std::int64_t>(events.size() - 1 - i);
    if (i % 100 == 0) backwards.restart();
    backwards.send(events[events.size() - 1 - i]);
  }
  // Backwards leaves 1100 sequence numbers behind one gap at a time, so none is given up.
  EXPECT_EQ(forwards.run().steps_size(), 1000);
  EXPECT_EQ(forwards.run().entities(), 2200U);
  backwards.commit();
  EXPECT_EQ(forwards.runs.at({"r-1", 1}).snapshot, backwards.runs.at({"r-1", 1}).snapshot);
  EXPECT_EQ(forwards.runs.at({"r-1", 1}).fold_state, backwards.runs.at({"r-1", 1}).fold_state);
}

TEST(Run, MoreSourcesThanCanBeToldApartLeaveWhatToExpectUnknown) {
  Folding f;
  for (int i = 0; i < 65; ++i) {
    Telling t("r-1", "source-" + std::to_string(i));
    auto event = t.exited(20, 0);
    totals(event, v1::TOPIC_EVENTS, 1);
    EXPECT_EQ(f.send(event), Folded::kFolded);
    if (i == 63) {
      EXPECT_EQ(f.run().completeness(0).expected(), 64U);
    }
  }
  EXPECT_FALSE(f.run().completeness(0).has_expected());
  EXPECT_EQ(f.run().completeness(0).received(), 65U);
  f.restart();
  auto known = Telling("r-1", "source-0").heartbeat(21);
  EXPECT_EQ(f.send(known), Folded::kDuplicate);
  known.set_sequence(2);
  EXPECT_EQ(f.send(known), Folded::kFolded);
  EXPECT_FALSE(f.run().completeness(0).has_expected());
  const auto other = Telling("r-1", "source-99").heartbeat(21);
  EXPECT_EQ(f.send(other), Folded::kFolded);
  EXPECT_EQ(f.send(other), Folded::kFolded) << "one of the many: a repeat is not recognised";
  EXPECT_EQ(f.run().completeness(0).received(), 68U);
}

TEST(Run, SumsStopAtTheGreatestNumber) {
  Folding f;
  Telling t;
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  for (const std::uint64_t number : {std::uint64_t{5}, kMost, std::uint64_t{7}}) {
    auto stats = t.at(10);
    stats.mutable_stats_committed()->mutable_stats()->set_entities_created(number);
    f.send(stats);
    f.send(t.step_completed(11, "step " + std::to_string(number), number));
  }
  EXPECT_EQ(f.counts().entities_created, kMost);
  EXPECT_EQ(f.counts().entities, kMost);
  EXPECT_EQ(f.run().stats().entities_created(), kMost);
  EXPECT_EQ(f.run().entities(), kMost);
}

TEST(Run, OfASourcesTwoAccountsTheLaterHoldsAndOfOneTimeTheGreater) {
  const auto account = [](std::int64_t second, std::uint64_t emitted) {
    auto event = Telling().exited(second, 0);
    event.set_sequence(0);
    totals(event, v1::TOPIC_EVENTS, emitted);
    return event;
  };
  const std::pair<v1::SyncEvent, v1::SyncEvent> pairs[] = {{account(20, 9), account(21, 5)}, {account(20, 4), account(20, 5)}};
  for (const auto& [first, second] : pairs) {
    Folding forwards;
    forwards.send(first);
    forwards.send(second);
    EXPECT_EQ(forwards.run().completeness(0).expected(), 5U);
    Folding backwards;
    backwards.send(second);
    backwards.restart();
    backwards.send(first);
    EXPECT_EQ(backwards.run().completeness(0).expected(), 5U);
  }
}

TEST(Run, RecordsGivenUpAsMissingStayMissingAfterARestart) {
  Folding f;
  Telling t;
  for (int i = 0; i < 66; ++i) {
    (void)t.heartbeat(10);  // every other one is lost
    f.send(t.heartbeat(10));
  }
  EXPECT_EQ(f.run().completeness(0).received(), 66U);
  f.restart();
  f.send(t.heartbeat(11));
  EXPECT_EQ(f.run().completeness(0).received(), 67U);
}

TEST(Run, ItIsPublishedWhenItsRevisionRose) {
  Folding f;
  Telling t;
  f.send(t.heartbeat(9));
  f.commit();
  EXPECT_FALSE(f.runs.at({"r-1", 1}).publish);
  f.send(t.started(10));
  f.commit();
  EXPECT_TRUE(f.runs.at({"r-1", 1}).publish);
  EXPECT_EQ(f.run().revision(), 1U);
  f.send(t.heartbeat(11));
  f.commit();
  EXPECT_FALSE(f.runs.at({"r-1", 1}).publish);
  f.restart();
  f.send(t.heartbeat(12));
  f.commit();
  EXPECT_FALSE(f.runs.at({"r-1", 1}).publish);
  f.send(t.step_started(13, "read"));
  f.commit();
  EXPECT_TRUE(f.runs.at({"r-1", 1}).publish);
  EXPECT_EQ(f.run().revision(), 2U);
}

TEST(Run, StateThatCannotBeReadIsNotTakenForNone) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.step_completed(12, "read", 5));
  f.commit();
  const RunRow good = f.runs.at({"r-1", 1});
  const RunKeyView key{"r-1", 1};
  const auto readable = [&](const std::function<void(RunRow&)>& damage) {
    Fold fold;
    RunRow row = good;
    damage(row);
    const bool supplied = fold.supply_run(key, row);
    EXPECT_EQ(fold.knows_run(key), supplied);
    return supplied;
  };
  EXPECT_TRUE(readable([](RunRow&) {}));
  EXPECT_FALSE(readable([](RunRow& row) { row.snapshot = "\x0a\xff"; }));
  EXPECT_FALSE(readable([](RunRow& row) { row.snapshot.clear(); }));
  EXPECT_FALSE(readable([](RunRow& row) { row.fold_state.clear(); }));
  EXPECT_FALSE(readable([](RunRow& row) { row.fold_state.pop_back(); }));
  EXPECT_FALSE(readable([](RunRow& row) { row.fold_state[1] = 2; })) << "made by a later release";
  EXPECT_FALSE(readable([](RunRow& row) {
    v1::Run run;
    ASSERT_TRUE(run.ParseFromString(row.snapshot));
    run.clear_steps();
    row.snapshot = run.SerializeAsString();
  })) << "the two do not belong together";
}

}  // namespace
}  // namespace runfold::collector

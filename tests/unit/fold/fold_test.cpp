// The fold as a whole: counts, operations, what is held in memory and what is forgotten.
#include "collector/fold.hpp"

#include "tests/support/folding.hpp"

#include <gmock/gmock.h>

#include <string>

namespace runfold::collector {
namespace {

using test::Folding;
using test::kNoBound;
using test::kSecond;
using test::Telling;
using ::testing::ElementsAre;

TEST(Counts, ARunIsActiveFromItsFirstEventToItsEnd) {
  Folding f;
  Telling t;
  f.send(t.heartbeat(9));
  EXPECT_EQ(f.counts().runs_active, 1);
  EXPECT_EQ(f.counts().runs_started, 0U);
  f.send(t.started(10));
  EXPECT_EQ(f.counts().runs_active, 0);
  EXPECT_EQ(f.counts().runs_started, 1U);
  f.send(t.exited(20, 0));
  EXPECT_EQ(f.counts().runs_active, -1);
  EXPECT_EQ(f.counts().runs_finished[v1::RUN_RESULT_SUCCESS], 1U);
  EXPECT_THAT(f.counts().run_durations_s, ElementsAre(10.0));
  EXPECT_EQ(f.counts().last_success_s, 20.0);
}

TEST(Counts, ARunThatBeginsAndEndsInOneBatchWasNotActiveForAnybody) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.exited(20, 1));
  EXPECT_EQ(f.counts().runs_active, 0);
  EXPECT_EQ(f.counts().runs_started, 1U);
  EXPECT_EQ(f.counts().runs_finished[v1::RUN_RESULT_FAILURE], 1U);
  EXPECT_EQ(f.counts().last_success_s, 0.0);
}

TEST(Counts, LateEventsDoNotMakeAnEndedRunActive) {
  Folding f;
  Telling t;
  const auto started = t.started(10);
  f.send(t.exited(20, 0));
  EXPECT_EQ(f.counts().runs_active, 0);
  f.restart();
  f.send(started);
  EXPECT_EQ(f.counts().runs_active, 0);
  EXPECT_EQ(f.counts().runs_started, 1U);
}

TEST(Counts, ASecondEndingIsNotCounted) {
  Folding f;
  Telling agent("r-1", "agent");
  Telling sdk("r-1", "sdk");
  f.send(sdk.exited(20, 0));
  f.restart();
  f.send(agent.exited(19, 1));
  EXPECT_EQ(f.counts().runs_finished[v1::RUN_RESULT_FAILURE], 0U);
  EXPECT_EQ(f.run().result(), v1::RUN_RESULT_FAILURE) << "but the earlier one holds";
}

TEST(Counts, StepsAndWhatTheyEmittedAreCountedOnce) {
  Folding f;
  Telling t;
  f.send(t.step_started(10, "read"));
  f.send(t.step_completed(12, "read", 5));
  f.send(t.step_failed(13, "upload", "503"));
  EXPECT_EQ(f.counts().steps_completed, 1U);
  EXPECT_EQ(f.counts().steps_failed, 1U);
  EXPECT_EQ(f.counts().entities, 5U);
  EXPECT_THAT(f.counts().step_durations_s, ElementsAre(2.0));
  f.restart();
  f.send(t.step_completed(14, "read", 5));
  EXPECT_EQ(f.counts().steps_completed, 0U);
  EXPECT_EQ(f.counts().entities, 0U);
}

TEST(Counts, ANamelessConnectorIsUnknown) {
  Folding f;
  Telling t;
  auto event = t.started(10);
  event.mutable_identity()->clear_connector_id();
  f.send(event);
  EXPECT_EQ(f.counts("unknown").runs_started, 1U);
}

TEST(Counts, DropsThatASourceReportsTwiceAreCountedOnce) {
  Folding f;
  Telling t;
  const auto completed = [&](std::int64_t second, std::uint64_t records) {
    auto event = t.exited(second, 0);
    auto& totals = *event.mutable_completed()->add_totals();
    totals.set_topic(v1::TOPIC_LOGS);
    totals.add_drops()->set_reason(v1::DROP_REASON_QUEUE_FULL);
    totals.mutable_drops(0)->set_records(records);
    return event;
  };
  f.send(completed(20, 3));
  EXPECT_EQ(f.counts().log_records_dropped[v1::DROP_REASON_QUEUE_FULL], 3U);
  f.restart();
  f.send(completed(21, 5));
  EXPECT_EQ(f.counts().log_records_dropped[v1::DROP_REASON_QUEUE_FULL], 2U);
  f.send(completed(19, 4));
  EXPECT_EQ(f.counts().log_records_dropped[v1::DROP_REASON_QUEUE_FULL], 0U);
}

TEST(Counts, FreshnessIsJudgedByTheOldestRecordAndNotByWhatItTellsOf) {
  Folding f;
  Telling t;
  f.origin.record_time_ns = 30 * kSecond;
  f.send(t.heartbeat(30));
  f.origin.record_time_ns = 20 * kSecond;
  f.send(t.heartbeat(20));
  f.origin.record_time_ns = 25 * kSecond;
  f.send(t.logs(1, {"happened long ago"}));
  f.commit();
  EXPECT_EQ(f.last_counts.oldest_emitted_ns, 20 * kSecond);
  f.commit();
  EXPECT_EQ(f.last_counts.oldest_emitted_ns, 0);
}

TEST(Counts, EachTopicHasItsRecordsAndBytes) {
  Folding f;
  Telling t;
  const auto event = t.started(10);
  f.send(event);
  f.send(t.logs(10, {"one"}));
  v1::Operation operation;
  operation.set_operation_id("op-1");
  f.send(operation);
  f.remove_operation("op-1");
  f.commit();
  EXPECT_EQ(f.last_counts.topics.at("runfold.events").records, 1U);
  EXPECT_EQ(f.last_counts.topics.at("runfold.events").bytes, event.ByteSizeLong());
  EXPECT_EQ(f.last_counts.topics.at("runfold.logs").records, 1U);
  EXPECT_EQ(f.last_counts.topics.at("runfold.operations").records, 2U);
  EXPECT_EQ(f.last_counts.topics.at("runfold.operations").bytes, operation.ByteSizeLong());
}

v1::Operation operation(const std::string& status, std::int64_t updated) {
  v1::Operation operation;
  operation.set_operation_id("op-1");
  operation.set_status(status);
  operation.set_name("build_connector");
  operation.set_owner_id("u-7");
  operation.set_connector_id("invoices");
  operation.mutable_created_at()->set_seconds(5);
  operation.mutable_updated_at()->set_seconds(updated);
  return operation;
}

TEST(Operations, TheNewestStateIsKept) {
  Folding f;
  const auto done = operation("done", 20);
  f.send(operation("pending", 10));
  f.send(done);
  f.send(operation("running", 15));
  EXPECT_EQ(f.fold.dirty_rows(), 1U);
  f.commit();
  const OperationRow& row = f.operations.at("op-1");
  EXPECT_EQ(row.status, "done");
  EXPECT_EQ(row.name, "build_connector");
  EXPECT_EQ(row.owner_id, "u-7");
  EXPECT_EQ(row.connector_id, "invoices");
  EXPECT_EQ(row.created_at_ns, 5 * kSecond);
  EXPECT_EQ(row.updated_at_ns, 20 * kSecond);
  EXPECT_EQ(row.payload, done.SerializeAsString());
}

TEST(Operations, OfTwoStatesOfOneTimeTheLaterRecordHolds) {
  Folding f;
  f.send(operation("pending", 10));
  f.send(operation("done", 10));
  f.commit();
  EXPECT_EQ(f.operations.at("op-1").status, "done");
}

TEST(Operations, ARemovalHasNoPayloadAndTheTimeOfItsRecord) {
  Folding f;
  f.send(operation("pending", 10));
  f.origin.record_time_ns = 30 * kSecond;
  f.remove_operation("op-1");
  f.commit();
  const OperationRow& row = f.operations.at("op-1");
  EXPECT_EQ(row.operation_id, "op-1");
  EXPECT_FALSE(row.payload.has_value());
  EXPECT_EQ(row.updated_at_ns, 30 * kSecond);
  EXPECT_EQ(row.status, "");
}

TEST(Operations, ARemovalRemovesWhatStandsBeforeItInItsPartitionHoweverNewThatSaysItIs) {
  Folding f;
  f.origin.record_time_ns = 30 * kSecond;
  f.send(operation("pending", 1'000));
  f.remove_operation("op-1");
  f.commit();
  EXPECT_FALSE(f.operations.at("op-1").payload.has_value());
  EXPECT_EQ(f.operations.at("op-1").updated_at_ns, 1'000 * kSecond) << "it is as new as what it removed";
  f.send(operation("pending", 1'000));
  f.origin.partition = 1;
  f.remove_operation("op-1");
  f.commit();
  EXPECT_TRUE(f.operations.at("op-1").payload.has_value());
}

TEST(Operations, AStateBehindARemovalOfTheSameBatchLeavesTheRemovalToTheStoreToo) {
  Folding f;
  f.origin.record_time_ns = 30 * kSecond;
  f.send(operation("pending", 10));
  f.remove_operation("op-1");
  f.send(operation("pending", 20));
  f.send(operation("again", 40));
  f.send(operation("still", 50));
  auto rows = f.fold.take().operations;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_FALSE(rows[0].payload.has_value());
  EXPECT_EQ(rows[1].status, "still");
  f.send(operation("pending", 60));
  f.remove_operation("op-1");
  f.send(operation("again", 70));
  f.remove_operation("op-1");
  rows = f.fold.take().operations;
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].payload.has_value());
  EXPECT_EQ(rows[0].updated_at_ns, 70 * kSecond);
}

TEST(Operations, OneWithoutTimesTakesThatOfItsRecord) {
  Folding f;
  v1::Operation bare;
  bare.set_operation_id("op-1");
  f.origin.record_time_ns = 30;
  f.send(bare);
  f.commit();
  EXPECT_EQ(f.operations.at("op-1").updated_at_ns, 30);
  EXPECT_EQ(f.operations.at("op-1").created_at_ns, 30);
}

TEST(Fold, TakingGivesEachChangedRowOnceAndKeepsTheState) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  f.send(t.heartbeat(11));
  EXPECT_EQ(f.fold.dirty_rows(), 1U);
  EXPECT_EQ(f.fold.take().runs.size(), 1U);
  EXPECT_EQ(f.fold.dirty_rows(), 0U);
  EXPECT_TRUE(f.fold.take().runs.empty());
  EXPECT_TRUE(f.fold.knows_run({"r-1", 1}));
}

/// Three runs in the store and in memory, heard of in this order; the second is finished.
void three_runs(Folding& f) {
  f.send(Telling("a").started(10));
  Telling b("b");
  f.send(b.started(10));
  f.send(b.exited(12, 0));
  f.send(Telling("c").started(10));
  f.commit();
  f.commit();
}

bool knows(const Folding& f, const std::string& run_id) {
  return f.fold.knows_run({run_id, 1});
}

TEST(Fold, FinishedRunsLeaveOnceCommittedThenTheLongestUnheardOf) {
  Folding f;
  three_runs(f);
  f.fold.evict(3, kNoBound);
  EXPECT_FALSE(knows(f, "b")) << "it has finished";
  EXPECT_TRUE(knows(f, "a") && knows(f, "c"));
  f.fold.evict(1, kNoBound);
  EXPECT_FALSE(knows(f, "a"));
  EXPECT_TRUE(knows(f, "c"));
  f.fold.evict(0, kNoBound);
  EXPECT_FALSE(knows(f, "c"));
}

TEST(Fold, WhatChangedIsNotForgotten) {
  Folding f;
  Telling t("d");
  f.send(t.started(10));
  f.fold.evict(0, 0);
  f.fold.evict(0, 0);
  EXPECT_TRUE(knows(f, "d"));
  f.commit();
  f.fold.evict(0, 0);
  EXPECT_FALSE(knows(f, "d"));
}

TEST(Fold, ARunThatWasSuppliedStaysForTheRecordThatAskedForIt) {
  Folding f;
  Telling t("late");
  f.send(t.started(10));
  f.send(t.exited(11, 0));
  f.restart();
  const auto& row = f.runs.at({"late", 1});
  ASSERT_TRUE(f.fold.supply_run({"late", 1}, row));
  f.fold.evict(0, 0);
  EXPECT_TRUE(knows(f, "late"));
  f.fold.evict(0, 0);
  EXPECT_FALSE(knows(f, "late"));
}

TEST(Fold, LogsOfAFinishedRunLeaveOnceTwoBatchesBroughtNoneOfThem) {
  Folding f;
  Telling done("done");
  Telling live("live");
  f.send(live.logs(10, {"x"}));
  f.send(done.logs(10, {"x"}));
  f.send(live.started(10));
  f.send(done.exited(10, 0));
  for (int batches = 0; batches < 2; ++batches) {
    f.commit();
    f.fold.evict(10, kNoBound);
    EXPECT_TRUE(f.fold.knows_run_logs({"done", 1}));
  }
  f.commit();
  f.fold.evict(10, kNoBound);
  EXPECT_FALSE(f.fold.knows_run_logs({"done", 1}));
  EXPECT_TRUE(f.fold.knows_run_logs({"live", 1}));
}

TEST(Fold, WhatIsHeldIsBoundByBytesToo) {
  Folding f;
  EXPECT_EQ(f.fold.held_bytes(), 0U);
  for (int i = 0; i < 10; ++i) {
    Telling t("run-" + std::to_string(i));
    f.send(t.started(10));
    for (int step = 0; step < 20; ++step) f.send(t.step_started(11 + step, "step-" + std::to_string(step)));
  }
  const auto growing = f.fold.held_bytes();
  f.commit();
  const auto all = f.fold.held_bytes();
  EXPECT_GT(growing, all / 4) << "what came since the last row counts";
  f.fold.evict(100, all);
  EXPECT_EQ(f.fold.held_bytes(), all);
  f.fold.evict(100, all / 2);
  EXPECT_LE(f.fold.held_bytes(), all / 2);
  EXPECT_GT(f.fold.held_bytes(), all / 3);
  EXPECT_FALSE(knows(f, "run-0"));
  EXPECT_TRUE(knows(f, "run-9"));
  f.fold.evict(100, 0);
  EXPECT_EQ(f.fold.held_bytes(), 0U);
}

TEST(Fold, BytesOfTheOpenBatchCountOperationsAndWholeRowsOfRuns) {
  Folding f;
  v1::Operation large;
  large.set_name(std::string(1'000, 'n'));
  for (int i = 0; i < 10; ++i) {
    large.set_operation_id("op-" + std::to_string(i));
    f.send(large);
  }
  EXPECT_GE(f.fold.dirty_bytes(), 10'000U);
  f.commit();
  EXPECT_EQ(f.fold.dirty_bytes(), 0U);

  Telling t("large");
  for (int step = 0; step < 200; ++step) f.send(t.step_started(10 + step, "step-" + std::to_string(step)));
  f.commit();
  const auto& row = f.runs.at({"large", 1});
  // One small event makes the whole row to be written again.
  f.send(t.step_started(500, "one-more"));
  EXPECT_GE(f.fold.dirty_bytes(), row.snapshot.size() + row.fold_state.size());
}

TEST(Fold, ClearingForgetsEverythingChangedOrNot) {
  Folding f;
  three_runs(f);
  Telling t("d");
  f.send(t.started(10));
  f.send(t.logs(10, {"x"}));
  v1::Operation bare;
  bare.set_operation_id("op-1");
  f.send(bare);
  f.fold.clear();
  EXPECT_EQ(f.fold.dirty_rows(), 0U);
  EXPECT_EQ(f.fold.dirty_bytes(), 0U);
  EXPECT_FALSE(knows(f, "a"));
  EXPECT_FALSE(f.fold.knows_run_logs({"d", 1}));
  const FoldedBatch batch = f.fold.take();
  EXPECT_TRUE(batch.runs.empty() && batch.run_logs.empty() && batch.pending_logs.empty() && batch.operations.empty());
  EXPECT_TRUE(batch.counts.connectors.empty() && batch.counts.topics.empty());
  EXPECT_EQ(batch.counts.oldest_emitted_ns, 0);
}

TEST(Fold, SupplyingWhatIsInMemoryChangesNothing) {
  Folding f;
  Telling t;
  f.send(t.started(10));
  EXPECT_TRUE(f.fold.supply_run({"r-1", 1}, std::nullopt));
  EXPECT_EQ(f.run().started_at().seconds(), 10);
}

TEST(Fold, ThousandsOfRunsAreToldApart) {
  Folding f;
  std::vector<Telling> tellings;
  for (int i = 0; i < 3000; ++i) tellings.emplace_back("run-" + std::to_string(i));
  for (Telling& t : tellings) f.send(t.started(10));
  for (Telling& t : tellings) f.send(t.exited(20, 0));
  EXPECT_EQ(f.fold.dirty_rows(), 3000U);
  f.commit();
  EXPECT_EQ(f.runs.size(), 3000U);
  EXPECT_EQ(f.counts().runs_finished[v1::RUN_RESULT_SUCCESS], 3000U);
  EXPECT_EQ(f.counts().runs_active, 0);
}

}  // namespace
}  // namespace runfold::collector

// Log batches: counts, chunks, API failures.
#include "runfold/v1/api_failure.pb.h"
#include "tests/support/folding.hpp"

#include <gmock/gmock.h>

#include <string>

namespace runfold::collector {
namespace {

using test::Folding;
using test::kSecond;
using test::Telling;

const RunLogsRow& row(Folding& f) {
  f.commit();
  return f.run_logs.at({"r-1", 1});
}

TEST(Logs, RecordsAreCountedBySeverityAndKeptInOrder) {
  Folding f;
  Telling t;
  auto batch = t.logs(10, {"one", "two", "three"});
  batch.mutable_records(1)->set_severity(v1::SEVERITY_ERROR);
  batch.mutable_records(2)->set_stream(v1::LOG_STREAM_STDERR);
  EXPECT_EQ(f.send(batch), Folded::kFolded);
  EXPECT_EQ(f.fold.dirty_rows(), 2U);
  EXPECT_GT(f.fold.dirty_bytes(), 0U);
  const RunLogsRow& logs = row(f);
  EXPECT_EQ(logs.counts[3], 1U);
  EXPECT_EQ(logs.counts[6], 2U);
  EXPECT_EQ(logs.received, 3U);
  EXPECT_EQ(logs.next_chunk, 1U);
  EXPECT_EQ(logs.offsets, (std::vector<OffsetBounds>{{0, 100, 100}}));
  EXPECT_EQ(logs.connector_id, "invoices");
  EXPECT_EQ(logs.version, "1.2");
  EXPECT_EQ(logs.site, "acme");
  ASSERT_EQ(f.chunks.size(), 1U);
  const PendingLogs& chunk = f.chunks[0];
  EXPECT_EQ(chunk.key, (RunKey{"r-1", 1}));
  EXPECT_EQ(chunk.records, 3U);
  EXPECT_EQ(chunk.first_ns, 10 * kSecond);
  EXPECT_EQ(chunk.last_ns, 12 * kSecond);
  EXPECT_EQ(chunk.severities, (1 << 3) | (1 << 6));
  EXPECT_EQ(chunk.streams, (1 << v1::LOG_STREAM_APPLICATION) | (1 << v1::LOG_STREAM_STDERR));
  v1::LogBatch kept;
  kept.mutable_records()->CopyFrom(batch.records());
  EXPECT_EQ(chunk.batch, kept.SerializeAsString());
  EXPECT_EQ(f.last_counts.connectors.at("invoices").log_records[3][v1::LOG_STREAM_APPLICATION], 1U);
  EXPECT_EQ(f.last_counts.connectors.at("invoices").log_records[6][v1::LOG_STREAM_STDERR], 1U);
  EXPECT_EQ(f.fold.dirty_bytes(), 0U);
}

TEST(Logs, OffsetBoundsAreThoseOfWhatWasFoldedByPartitionAcrossARestart) {
  Folding f;
  Telling t;
  const auto first = t.logs(10, {"one"});
  f.origin.offset = 40;
  EXPECT_EQ(f.send(first), Folded::kFolded);
  f.origin.offset = 90;
  EXPECT_EQ(f.send(first), Folded::kDuplicate);
  f.origin.partition = 3;
  f.origin.offset = 7;
  EXPECT_EQ(f.send(t.logs(11, {"two"})), Folded::kFolded);
  EXPECT_EQ(row(f).offsets, (std::vector<OffsetBounds>{{0, 40, 40}, {3, 7, 7}}));
  f.restart();
  f.origin.partition = 0;
  f.origin.offset = 20;
  EXPECT_EQ(f.send(t.logs(12, {"three"})), Folded::kFolded);
  EXPECT_EQ(row(f).offsets, (std::vector<OffsetBounds>{{0, 20, 40}, {3, 7, 7}}));
}

TEST(Logs, OfABatchSeenInPartOnlyTheRestIsFolded) {
  Folding f;
  Telling t;
  const auto all = t.logs(10, {"one", "two", "three", "four"});
  auto middle = all;
  middle.set_first_sequence(2);
  middle.mutable_records()->DeleteSubrange(3, 1);
  middle.mutable_records()->DeleteSubrange(0, 1);
  f.send(middle);
  f.restart();
  EXPECT_EQ(f.send(all), Folded::kFolded);
  EXPECT_EQ(f.send(all), Folded::kDuplicate);
  EXPECT_EQ(row(f).received, 4U);
  EXPECT_EQ(f.last_counts.topics.at("runfold.logs").duplicates, 1U);
  ASSERT_EQ(f.chunks.size(), 2U);
  v1::LogBatch second;
  ASSERT_TRUE(second.ParseFromString(f.chunks[1].batch));
  ASSERT_EQ(second.records_size(), 2);
  EXPECT_EQ(second.records(0).message(), "one");
  EXPECT_EQ(second.records(1).message(), "four");
}

TEST(Logs, ADuplicateBatchMakesNoRow) {
  Folding f;
  Telling t;
  const auto batch = t.logs(10, {"one"});
  f.send(batch);
  f.commit();
  EXPECT_EQ(f.send(batch), Folded::kDuplicate);
  EXPECT_EQ(f.fold.dirty_rows(), 0U);
}

TEST(Logs, ABatchWithNoRecordsIsNothing) {
  Folding f;
  Telling t;
  EXPECT_EQ(f.send(t.logs(10, {})), Folded::kFolded);
  EXPECT_EQ(f.fold.dirty_rows(), 0U);
}

TEST(Logs, ABatchWithNoRecordsLeavesNoTraceWhetherItsRunIsForgottenBehindItOrNot) {
  std::vector<RunLogsRow> rows;
  for (const bool forgotten : {true, false}) {
    Folding f;
    Telling t;
    auto empty = t.logs(10, {});
    empty.mutable_identity()->set_source_id("a");
    empty.mutable_identity()->set_connector_id("a");
    f.origin.partition = 3;
    f.send(empty);
    EXPECT_TRUE(f.last_counts.connectors.empty());
    if (forgotten) f.restart();
    f.origin.partition = 0;
    f.origin.offset = 200;
    f.send(t.logs(11, {"one"}));
    rows.push_back(row(f));
  }
  EXPECT_EQ(rows[0].offsets, (std::vector<OffsetBounds>{{0, 200, 200}}));
  EXPECT_EQ(rows[0].offsets, rows[1].offsets);
  EXPECT_EQ(rows[0].connector_id, rows[1].connector_id);
  EXPECT_EQ(rows[0].fold_state, rows[1].fold_state);
}

TEST(Logs, WhatWaitsForTheStoreCountsTheFailuresAndTheRowsOfTheLogsToo) {
  Folding f;
  Telling t;
  auto batch = t.logs(10, {"one", "two"});
  for (auto& record : *batch.mutable_records()) record.mutable_api_call()->set_response_body(std::string(10'000, 'b'));
  f.send(batch);
  EXPECT_GE(f.fold.dirty_bytes(), 40'000U) << "each body is in a chunk and in a failure";
  f.commit();
  EXPECT_EQ(f.fold.dirty_bytes(), 0U);

  for (int source = 0; source < 60; ++source) {
    Telling other("r-1", std::string(190, 's') + std::to_string(source));
    auto late = other.logs(10, {""});
    for (int number = 3; number < 100; number += 2) {
      late.set_first_sequence(number);
      f.send(late);
    }
  }
  const std::size_t counted = f.fold.dirty_bytes();
  f.commit();
  const std::size_t row_bytes = f.run_logs.at({"r-1", 1}).fold_state.size();
  EXPECT_GT(row_bytes, 20'000U);
  EXPECT_GE(counted, row_bytes) << "while it grows";
  f.send(t.logs(20, {"three"}));
  EXPECT_GE(f.fold.dirty_bytes(), row_bytes) << "once it is there";
}

TEST(Logs, ChunksOfARunAreNumberedOnAcrossRestarts) {
  Folding f;
  Telling t;
  f.send(t.logs(10, {"one"}));
  f.restart();
  f.send(t.logs(11, {"two"}));
  f.send(t.logs(12, {"three"}));
  f.commit();
  ASSERT_EQ(f.chunks.size(), 2U);
  EXPECT_EQ(f.chunks[0].chunk, 0U);
  EXPECT_EQ(f.chunks[1].chunk, 1U);
  EXPECT_EQ(f.chunks[1].records, 2U);
  EXPECT_EQ(f.run_logs.at({"r-1", 1}).next_chunk, 2U);
}

TEST(Logs, MoreThanAMebibyteIsSplitIntoConsecutiveChunks) {
  Folding f;
  Telling t;
  for (int i = 0; i < 5; ++i) f.send(t.logs(10, std::vector<std::string>(10, std::string(50'000, 'x'))));
  f.send(t.logs(10, {std::string(2'000'000, 'y')}));
  f.send(t.logs(10, {"small"}));
  f.commit();
  ASSERT_EQ(f.chunks.size(), 5U);
  std::uint32_t records = 0;
  for (std::size_t i = 0; i < f.chunks.size(); ++i) {
    EXPECT_EQ(f.chunks[i].chunk, i);
    EXPECT_TRUE(f.chunks[i].batch.size() <= 1024 * 1024 || f.chunks[i].records == 1);
    records += f.chunks[i].records;
  }
  EXPECT_EQ(records, 52U);
  EXPECT_EQ(f.run_logs.at({"r-1", 1}).next_chunk, 5U);
}

TEST(Logs, OfNamesThatDisagreeTheFirstInTheOrderOfBytesHolds) {
  for (const bool forwards : {true, false}) {
    Folding f;
    Telling t;
    auto one = t.logs(10, {"one"});
    one.mutable_identity()->set_connector_id("b");
    one.mutable_identity()->clear_site();
    auto two = t.logs(11, {"two"});
    two.mutable_identity()->set_connector_id("a");
    f.send(forwards ? one : two);
    f.restart();
    f.send(forwards ? two : one);
    EXPECT_EQ(row(f).connector_id, "a");
    EXPECT_EQ(row(f).site, "acme");
  }
}

TEST(Logs, RecordsWithoutATimeTakeThatOfTheirKafkaRecord) {
  Folding f;
  Telling t;
  auto batch = t.logs(10, {"one"});
  batch.mutable_records(0)->clear_logged_at();
  f.origin.record_time_ns = 77;
  f.send(batch);
  f.commit();
  EXPECT_EQ(f.chunks[0].first_ns, 77);
}

TEST(Logs, AVersionAndASiteOfAnyLengthTakeABoundedPlaceInEachFailureOfABatch) {
  Folding f;
  Telling t;
  auto batch = t.logs(10, std::vector<std::string>(1'000, ""));
  batch.mutable_identity()->set_version(std::string(400'000, 'v'));
  std::string site = "x";
  while (site.size() < 400'000) site += "\xc3\xa9";
  batch.mutable_identity()->set_site(site);
  for (auto& record : *batch.mutable_records()) record.mutable_api_call();
  EXPECT_EQ(f.send(batch), Folded::kFolded);
  EXPECT_EQ(row(f).version, std::string(1024, 'v'));
  EXPECT_EQ(row(f).site.size(), 1023U) << "it is cut at a whole character";
  ASSERT_EQ(f.api_failures.size(), 1'000U);
  for (const auto& [id, failure] : f.api_failures) {
    EXPECT_EQ(failure.site, row(f).site);
    EXPECT_LE(failure.payload.size(), 3'000U);
  }
}

v1::LogBatch failing_call(Telling& t, std::optional<std::uint32_t> code) {
  auto batch = t.logs(10, {"before", "GET /files/9 answered 404"});
  auto& record = *batch.mutable_records(1);
  record.set_step_id("upload");
  record.set_stream(v1::LOG_STREAM_CONTAINER_API);
  record.set_severity(v1::SEVERITY_ERROR);
  auto& call = *record.mutable_api_call();
  call.set_method("GET");
  call.set_request_uri("/files/9");
  call.set_response_body("no such file");
  call.set_response_body_truncated(true);
  call.mutable_duration()->set_nanos(5);
  if (code) call.set_response_code(*code);
  return batch;
}

TEST(Logs, AFailingCallBecomesAnApiFailureOfItsRun) {
  Folding f;
  Telling t;
  f.send(failing_call(t, 404));
  EXPECT_EQ(row(f).api_failures, 1U);
  ASSERT_EQ(f.api_failures.size(), 1U);
  const ApiFailureRow& failure = f.api_failures.begin()->second;
  EXPECT_EQ(failure.key, (RunKey{"r-1", 1}));
  EXPECT_EQ(failure.connector_id, "invoices");
  EXPECT_EQ(failure.site, "acme");
  EXPECT_EQ(failure.at_ns, 11 * kSecond);
  EXPECT_EQ(failure.code, 404U);
  EXPECT_EQ(failure.version, "1.2");
  EXPECT_EQ(failure.kind.method, "GET");
  EXPECT_EQ(failure.kind.uri_template, "/files/{id}");
  EXPECT_EQ(failure.kind.body, "no such file");
  EXPECT_TRUE(failure.kind.fingerprint.starts_with("v1:"));
  EXPECT_EQ(failure.kind.fingerprint.size(), 19U);
  v1::ApiFailure payload;
  ASSERT_TRUE(payload.ParseFromString(failure.payload));
  EXPECT_EQ(payload.failure_id(), failure.failure_id);
  EXPECT_EQ(payload.run_id(), "r-1");
  EXPECT_EQ(payload.attempt(), 1U);
  EXPECT_EQ(payload.version(), "1.2");
  EXPECT_EQ(payload.step_id(), "upload");
  EXPECT_EQ(payload.at().seconds(), 11);
  EXPECT_EQ(payload.call().method(), "GET");
  EXPECT_EQ(payload.call().request_uri(), "/files/9");
  EXPECT_EQ(payload.call().response_code(), 404U);
  EXPECT_EQ(payload.call().response_body(), "no such file");
  EXPECT_TRUE(payload.call().response_body_truncated());
  EXPECT_EQ(payload.call().duration().nanos(), 5);
  EXPECT_EQ(f.last_counts.connectors.at("invoices").api_failures[4], 1U);
}

TEST(Logs, ACallWithNoResponseHasNoCode) {
  Folding f;
  Telling t;
  f.send(failing_call(t, {}));
  f.send(failing_call(t, 999));
  f.commit();
  EXPECT_EQ(f.last_counts.connectors.at("invoices").api_failures[0], 2U);
  std::vector<std::optional<std::uint32_t>> codes;
  for (const auto& [id, failure] : f.api_failures) codes.push_back(failure.code);
  EXPECT_THAT(codes, testing::UnorderedElementsAre(std::nullopt, std::optional(999U)));
}

TEST(Logs, WhatWentWrongStandsForTheBodyWhereNoResponseCame) {
  Folding f;
  Telling t;
  auto batch = failing_call(t, {});
  auto& call = *batch.mutable_records(batch.records_size() - 1)->mutable_api_call();
  call.clear_response_body();
  call.set_transport_error("connection reset after 17 ms");
  f.send(batch);
  f.commit();
  ASSERT_EQ(f.api_failures.size(), 1U);
  EXPECT_EQ(f.api_failures.begin()->second.kind.body, "connection reset after {n} ms");
}

TEST(Logs, AFailureHasOneIdForEverDerivedFromItsNumber) {
  Folding one;
  Folding other;
  Telling t;
  const auto batch = failing_call(t, 404);
  one.send(batch);
  one.commit();
  other.origin.offset = 9000;
  auto alone = batch;
  alone.mutable_records()->DeleteSubrange(0, 1);
  alone.set_first_sequence(2);
  other.send(alone);
  other.commit();
  EXPECT_EQ(one.api_failures.begin()->first, other.api_failures.begin()->first);
  EXPECT_EQ(one.api_failures.begin()->first.size(), 36U);

  Folding third;
  Telling another("r-1", "s-2");
  third.send(failing_call(another, 404));
  third.commit();
  EXPECT_NE(one.api_failures.begin()->first, third.api_failures.begin()->first);
}

TEST(Logs, AFailureThatIsNotNumberedIsNamedByItsPlaceInTheLog) {
  Folding f;
  Telling t;
  auto batch = failing_call(t, 404);
  batch.set_first_sequence(0);
  f.send(batch);
  f.send(batch);
  f.commit();
  EXPECT_EQ(f.api_failures.size(), 2U) << "two places, two failures";
  Folding again;
  again.send(batch);
  again.commit();
  EXPECT_TRUE(f.api_failures.contains(again.api_failures.begin()->first)) << "the same place read again is the same failure";
}

TEST(Logs, FailuresThatStandInTheSamePlaceOfATopicMadeAnewAreTwoFailures) {
  const auto id = [](TimeNs written_ns, const std::string& run_id) {
    Folding f;
    f.origin.record_time_ns = written_ns;
    Telling t(run_id, "s-1");
    auto batch = failing_call(t, 404);
    batch.set_first_sequence(0);
    f.send(batch);
    f.commit();
    return f.api_failures.begin()->first;
  };
  EXPECT_EQ(id(5'000, "r-1"), id(5'000, "r-1"));
  EXPECT_NE(id(5'000, "r-1"), id(6'000, "r-1"));
  EXPECT_NE(id(5'000, "r-1"), id(5'000, "r-2"));
}

TEST(Logs, StateThatCannotBeReadIsNotTakenForNone) {
  Folding f;
  Telling t;
  f.send(t.logs(10, {"one"}));
  const RunLogsRow good = row(f);
  const auto readable = [&](const std::function<void(RunLogsRow&)>& damage) {
    Fold fold;
    RunLogsRow damaged = good;
    damage(damaged);
    return fold.supply_run_logs({"r-1", 1}, damaged);
  };
  EXPECT_TRUE(readable([](RunLogsRow&) {}));
  EXPECT_FALSE(readable([](RunLogsRow& logs) { logs.fold_state.clear(); }));
  EXPECT_FALSE(readable([](RunLogsRow& logs) { logs.fold_state.pop_back(); }));
  EXPECT_FALSE(readable([](RunLogsRow& logs) { logs.fold_state[1] = 2; })) << "made by a later release";
}

}  // namespace
}  // namespace runfold::collector

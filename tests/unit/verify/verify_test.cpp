// Two stores compared: what is the same truth however it came there, and what is not, by name.
#include "collector/verify.hpp"

#include "collector/log_chunk.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "collector/verify_fields.hpp"
#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"
#include "tests/support/temporary_folder.hpp"

#include <gmock/gmock.h>

#include <functional>

namespace runfold::collector {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What one store is filled with; tests alter it before they write it.
struct World {
  v1::Run run;
  RunRow row;
  RunLogsRow logs;
  std::vector<std::vector<std::string>> chunks{{"one", "two"}, {"three"}};
  ApiFailureRow failure;
  v1::Operation operation;

  World() {
    run.set_run_id("r-1");
    run.set_attempt(1);
    run.set_connector_id("invoices");
    run.set_status(v1::RUN_STATUS_FINISHED);
    run.set_result(v1::RUN_RESULT_SUCCESS);
    run.set_result_source(v1::RESULT_SOURCE_DECLARED);
    run.mutable_started_at()->set_seconds(100);
    run.set_revision(7);
    for (const char* name : {"read", "write"}) {
      auto& step = *run.add_steps();
      step.set_step_id(name);
      step.set_attempt(1);
      step.set_entities(3);
    }
    auto& offsets = *run.add_offsets();
    offsets.set_partition(1);
    offsets.set_last_offset(20);
    row.key = logs.key = failure.key = {"r-1", 1};
    row.connector_id = logs.connector_id = failure.connector_id = "invoices";
    row.status = v1::RUN_STATUS_FINISHED;
    row.result = v1::RUN_RESULT_SUCCESS;
    row.sort_at_ns = 100;
    row.fold_state = "state";
    logs.counts[6] = 3;
    logs.received = 3;
    logs.fold_state = "windows";
    failure.failure_id = "f-1";
    failure.at_ns = 50;
    failure.code = 404;
    failure.kind.fingerprint = "v1:a";
    operation.set_operation_id("o-1");
    operation.set_status("done");
  }

  void write(Store& store) const {
    auto writer = std::move(store.writer().value());
    Batch batch;
    batch.runs.push_back(row);
    batch.runs.back().snapshot = run.SerializeAsString();
    batch.run_logs.push_back(logs);
    batch.run_logs.back().next_chunk = static_cast<std::uint32_t>(chunks.size());
    std::uint32_t number = 0;
    for (const auto& messages : chunks) {
      v1::LogBatch records;
      for (const std::string& message : messages) records.add_records()->set_message(message);
      PendingLogs pending;
      pending.key = row.key;
      pending.chunk = number++;
      pending.records = static_cast<std::uint32_t>(messages.size());
      pending.severities = 0x40;
      pending.streams = 0x02;
      pending.batch = records.SerializeAsString();
      batch.log_chunks.push_back(to_chunk(std::move(pending)));
    }
    v1::ApiFailure payload;
    payload.set_failure_id(failure.failure_id);
    batch.api_failures.push_back(failure);
    batch.api_failures.back().payload = payload.SerializeAsString();
    OperationRow row_of_operation;
    row_of_operation.operation_id = operation.operation_id();
    row_of_operation.status = operation.status();
    row_of_operation.created_at_ns = 10;
    row_of_operation.payload = operation.SerializeAsString();
    batch.operations.push_back(row_of_operation);
    writer->commit(batch).value();
  }
};

class Verify : public ::testing::Test {
 protected:
  struct Found {
    Verdict verdict;
    std::vector<std::string> lines;
  };

  std::unique_ptr<Store> store(const World& world) {
    auto made = std::move(open_sqlite_store(folder_.path() / ("store-" + std::to_string(++stores_) + ".db")).value());
    world.write(*made);
    return made;
  }

  Found compare(Store& a, Store& b) {
    Found found;
    VerifyCalls calls;
    calls.on_difference = [&](const Difference& one) { found.lines.push_back(one.row + ": " + one.field + ": " + one.a + " | " + one.b); };
    auto query_a = std::move(a.query().value());
    auto query_b = std::move(b.query().value());
    found.verdict = verify(*query_a, *query_b, calls).value();
    EXPECT_EQ(found.verdict.differences, found.lines.size());
    return found;
  }

  /// The differences when B is altered.
  std::vector<std::string> lines(const std::function<void(World&)>& alter) {
    World b;
    alter(b);
    return compare(*store(World()), *store(b)).lines;
  }

  runfold::test::TemporaryFolder folder_;
  int stores_ = 0;
};

TEST_F(Verify, StoresThatWereFilledInOtherStepsAreTheSame) {
  World b;
  b.run.set_revision(9);
  b.run.mutable_offsets(0)->set_last_offset(23);
  b.run.mutable_steps()->SwapElements(0, 1);
  b.row.fold_state = "another";
  b.logs.fold_state = "other windows";
  b.chunks = {{"three"}, {"two"}, {"one"}};
  const Found found = compare(*store(World()), *store(b));
  EXPECT_THAT(found.lines, IsEmpty());
  EXPECT_EQ(found.verdict.runs, 1U);
  EXPECT_EQ(found.verdict.log_records, 3U);
  EXPECT_EQ(found.verdict.api_failures, 1U);
  EXPECT_EQ(found.verdict.api_failure_groups, 1U);
  EXPECT_EQ(found.verdict.operations, 1U);
}

TEST_F(Verify, EveryAlteredFieldIsNamedWithBothValues) {
  EXPECT_THAT(lines([](World& b) { b.run.mutable_steps(1)->set_entities(4); }),
              ElementsAre("run r-1, attempt 1: steps[write, 1].entities: 3 | 4"));
  EXPECT_THAT(lines([](World& b) { b.run.mutable_steps()->RemoveLast(); }),
              ElementsAre(HasSubstr("run r-1, attempt 1: steps[write, 1]: step_id: \"write\"")));
  EXPECT_THAT(lines([](World& b) { b.run.set_exit_code(0); }), ElementsAre("run r-1, attempt 1: exit_code: nothing | 0"));
  EXPECT_THAT(lines([](World& b) { b.row.status = 2; }), ElementsAre("run r-1, attempt 1: status (listed): 3 | 2"));
  EXPECT_THAT(lines([](World& b) { b.row.sort_at_ns = 5; }), ElementsAre("run r-1, attempt 1: sort_at_ns (listed): 100 | 5"));
  EXPECT_THAT(lines([](World& b) { b.logs.counts[6] = 2; }), ElementsAre("run r-1, attempt 1: log_counts[6]: 3 | 2"));
  EXPECT_THAT(lines([](World& b) { b.logs.received = 2; }), ElementsAre("run r-1, attempt 1: logs.received: 3 | 2"));
  EXPECT_THAT(lines([](World& b) { b.failure.code.reset(); }), ElementsAre("API failure f-1 of run r-1, attempt 1: code: 404 | nothing"));
  EXPECT_THAT(lines([](World& b) { b.operation.set_error("no"); }), ElementsAre("operation o-1: payload.error: nothing | \"no\""));
}

TEST_F(Verify, EveryAlteredFieldOfAGroupIsNamedOnce) {
  const auto altered = [this](const std::function<void(ApiFailureRow&)>& alter) {
    const auto a = store(World());
    const auto b = store(World());
    for (Store* each : {a.get(), b.get()}) {
      ApiFailureRow more = World().failure;
      more.failure_id = "f-2";
      if (each == b.get()) alter(more);
      const auto writer = std::move(each->writer().value());
      writer->commit({.api_failures = {more}}).value();
    }
    std::vector<std::string> found = compare(*a, *b).lines;
    std::erase_if(found, [](const std::string& line) { return !line.starts_with("API failure group"); });
    return found;
  };
  const std::string group = "API failure group v1:a of connector invoices: ";
  EXPECT_THAT(altered([](ApiFailureRow& row) { row.origin = {7, 7}; }), IsEmpty());
  EXPECT_THAT(altered([](ApiFailureRow& row) { row.at_ns = 60; }), ElementsAre(group + "last_ns: 50 | 60"));
  EXPECT_THAT(altered([](ApiFailureRow& row) { row.at_ns = 40; }), ElementsAre(group + "first_ns: 50 | 40"));
  EXPECT_THAT(altered([](ApiFailureRow& row) { row.site = "acme"; }), ElementsAre(group + "sites:  | acme"));
  EXPECT_THAT(altered([](ApiFailureRow& row) { row.failure_id = "f-1"; }), ElementsAre(group + "count: 2 | 1"));
  EXPECT_THAT(altered([](ApiFailureRow& row) { row.kind.fingerprint = "v1:b"; }),
              testing::UnorderedElementsAre(group + "count: 2 | 1", "API failure group v1:b of connector invoices: : nothing | there"));
}

TEST_F(Verify, LogRecordsAreComparedAsAMultiset) {
  EXPECT_THAT(lines([](World& b) {
                b.chunks = {{"one", "two", "thr33"}};
              }),
              ElementsAre("run r-1, attempt 1: log records: 3 records, only here: SEVERITY_UNSPECIFIED \"three\" | "
                          "3 records, only here: SEVERITY_UNSPECIFIED \"thr33\""));
  EXPECT_THAT(lines([](World& b) {
                b.chunks = {{"one", "two", "three", "one"}};
              }),
              ElementsAre("run r-1, attempt 1: log records: 3 records | 4 records, only here: SEVERITY_UNSPECIFIED \"one\""));
}

TEST_F(Verify, WhatIsInOneStoreOnlyIsSaidOnceFromEitherSide) {
  World other;
  other.run.set_run_id("r-2");
  other.row.key.run_id = other.logs.key.run_id = "r-2";
  other.failure.failure_id = "f-2";
  other.operation.set_operation_id("o-2");
  const auto a = store(World());
  other.write(*a);
  const auto b = store(World());
  EXPECT_THAT(compare(*a, *b).lines,
              ElementsAre("run r-2, attempt 1: : there | nothing", "API failure f-2 of run r-1, attempt 1: : there | nothing",
                          "API failure group v1:a of connector invoices: count: 2 | 1", "operation o-2: : there | nothing"));
  EXPECT_THAT(compare(*b, *a).lines,
              ElementsAre("run r-2, attempt 1: : nothing | there", "API failure f-2 of run r-1, attempt 1: : nothing | there",
                          "API failure group v1:a of connector invoices: count: 1 | 2", "operation o-2: : nothing | there"));
}

TEST_F(Verify, ARunPresumedLostCountsAsRunning) {
  World a;
  a.run.set_result(v1::RUN_RESULT_LOST);
  a.run.set_result_source(v1::RESULT_SOURCE_INFERRED);
  a.run.mutable_finished_at()->set_seconds(900);
  a.row.result = v1::RUN_RESULT_LOST;
  World b;
  b.run.set_status(v1::RUN_STATUS_RUNNING);
  b.run.clear_result();
  b.run.clear_result_source();
  b.row.status = v1::RUN_STATUS_RUNNING;
  b.row.result = 0;
  EXPECT_THAT(compare(*store(a), *store(b)).lines, IsEmpty());
  b.run.mutable_steps(0)->set_entities(9);
  EXPECT_THAT(compare(*store(a), *store(b)).lines, ElementsAre("run r-1, attempt 1: steps[read, 1].entities: 3 | 9"));
}

TEST_F(Verify, ManyPagesAreWalkedWhoeverIsLonger) {
  const auto a = store(World());
  const auto b = store(World());
  auto writer_a = std::move(a->writer().value());
  auto writer_b = std::move(b->writer().value());
  Batch batch;
  for (int i = 0; i < 1234; ++i) {
    World world;
    world.run.set_run_id("many-" + std::to_string(i));
    world.row.key.run_id = world.run.run_id();
    world.row.sort_at_ns = i / 3;
    world.row.snapshot = world.run.SerializeAsString();
    batch.runs.push_back(world.row);
  }
  writer_a->commit(batch).value();
  batch.runs.erase(batch.runs.begin() + 700);
  batch.runs.pop_back();
  writer_b->commit(batch).value();
  const Found found = compare(*a, *b);
  EXPECT_THAT(found.lines, ElementsAre("run many-1233, attempt 1: : there | nothing", "run many-700, attempt 1: : there | nothing"));
  EXPECT_EQ(found.verdict.runs, 1235U);
}

TEST(ShownValues, AreShortAndHarmless) {
  EXPECT_EQ(shown("a\x1b[31m\nb"), "a [31m b");
  EXPECT_EQ(shown(std::string(300, 'x')), std::string(200, 'x') + "...");
}

}  // namespace
}  // namespace runfold::collector

// What a store removes when it is told what to keep, and what it leaves.
#include "tests/contract/store/sample_rows.hpp"
#include "tests/contract/store/store_under_test.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace runfold::collector::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimeNs kHour = 3'600'000'000'000;
constexpr std::int32_t kRunning = 2, kFinished = 3;

class TrimContract : public StoreContract {
 protected:
  RunRow run(const std::string& run_id, std::int32_t status = kFinished) {
    RunRow row = sample_run(run_id);
    row.status = status;
    return row;
  }

  /// A run with everything that can belong to one, heard of now.
  void commit_whole_run(const std::string& run_id, std::int32_t status = kFinished) {
    Batch batch;
    batch.runs = {run(run_id, status)};
    batch.run_logs = {sample_logs(run_id)};
    batch.log_chunks = {sample_chunk(run_id, 0), sample_chunk(run_id, 1)};
    batch.api_failures = {sample_failure("failure-of-" + run_id, run_id, 10)};
    commit(batch);
  }

  Trimmed step(const Retention& keep, const TrimStep& step = {}) {
    const auto trimmed = writer_->trim(keep, step);
    if (!trimmed) throw std::runtime_error(trimmed.error().message);
    return *trimmed;
  }
  /// Steps until there is no more to do; what they add up to.
  Trimmed trim(const Retention& keep, const TrimStep& how = {}) {
    Trimmed sum;
    for (int steps = 0; steps < 10'000; ++steps) {
      Trimmed one = step(keep, how);
      one.runs += sum.runs;
      one.log_records += sum.log_records;
      one.api_failures += sum.api_failures;
      one.api_failure_groups += sum.api_failure_groups;
      one.operations += sum.operations;
      one.rejected += sum.rejected;
      sum = one;
      if (!sum.more) return sum;
    }
    throw std::runtime_error("it never ends");
  }

  std::vector<std::string> listed() {
    std::vector<std::string> ids;
    for (const auto& item : query_->runs({}, 1000, "").value().items) ids.push_back(item.run.key.run_id);
    std::ranges::sort(ids);
    return ids;
  }
  std::size_t chunks(const std::string& run_id) { return query_->log_chunks({run_id, 1}, {}, 1000).value().size(); }
  std::size_t failures(const std::string& run_id) { return query_->api_failures({.run_id = run_id}, 1000, "").value().items.size(); }
};

TEST_P(TrimContract, KeepsEverythingUnlessToldOtherwise) {
  commit_whole_run("r1");
  database_->pass(kHour * 24 * 10'000);
  const Trimmed trimmed = trim({});
  EXPECT_EQ(trimmed.runs + trimmed.log_records + trimmed.api_failures, 0U);
  EXPECT_THAT(listed(), ElementsAre("r1"));
  EXPECT_EQ(chunks("r1"), 2U);
}

TEST_P(TrimContract, ARunTooOldGoesWithAllThatBelongsToIt) {
  commit_whole_run("old");
  database_->pass(2 * kHour);
  commit_whole_run("new");
  const Trimmed trimmed = trim({.runs = {.age_ns = kHour}});
  EXPECT_EQ(trimmed.runs, 1U);
  EXPECT_EQ(trimmed.api_failures, 1U);
  EXPECT_EQ(trimmed.log_records, 6U);
  EXPECT_THAT(listed(), ElementsAre("new"));
  EXPECT_EQ(chunks("old"), 0U);
  EXPECT_EQ(failures("old"), 0U);
  EXPECT_FALSE(reader_->load_run_logs(std::array{RunKey{"old", 1}}).value().at(0));
  EXPECT_EQ(chunks("new"), 2U);
  EXPECT_EQ(failures("new"), 1U);
}

TEST_P(TrimContract, AgeIsJudgedByWhenARunWasLastHeardOfAndNotByItsStart) {
  commit_whole_run("steady");
  commit_whole_run("quiet");
  for (int i = 0; i < 3; ++i) {
    database_->pass(kHour / 2);
    RunRow again = run("steady");
    again.snapshot = std::to_string(i);
    commit({.runs = {again}});
  }
  trim({.runs = {.age_ns = kHour}});
  EXPECT_THAT(listed(), ElementsAre("steady"));
}

TEST_P(TrimContract, LogsAreHeardFromAsEventsAre) {
  Batch batch;
  batch.run_logs = {sample_logs("logs-only")};
  batch.log_chunks = {sample_chunk("logs-only", 0)};
  commit(batch);
  commit_whole_run("quiet");
  database_->pass(kHour * 3 / 2);
  batch.log_chunks = {sample_chunk("logs-only", 1)};
  commit(batch);
  trim({.runs = {.age_ns = kHour}});
  EXPECT_THAT(listed(), ElementsAre("logs-only"));
}

TEST_P(TrimContract, ARunThatIsRunningStaysWhateverItsAgeAndTheBound) {
  commit_whole_run("active", kRunning);
  commit_whole_run("done");
  database_->pass(100 * kHour);
  trim({.runs = {.age_ns = kHour, .bytes = 1}});
  EXPECT_THAT(listed(), ElementsAre("active"));
  EXPECT_EQ(failures("active"), 1U);
  commit({.runs = {run("active", kFinished)}});
  trim({.runs = {.bytes = 1}});
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_P(TrimContract, LogsGoByThemselvesAndTheirCountsStay) {
  commit_whole_run("old");
  commit_whole_run("active", kRunning);
  database_->pass(2 * kHour);
  commit_whole_run("new");
  const Trimmed trimmed = trim({.logs = {.age_ns = kHour}});
  EXPECT_EQ(trimmed.runs, 0U);
  EXPECT_EQ(trimmed.log_records, 12U);
  EXPECT_THAT(listed(), ElementsAre("active", "new", "old"));
  EXPECT_EQ(chunks("old"), 0U);
  EXPECT_EQ(chunks("active"), 0U);
  EXPECT_EQ(chunks("new"), 2U);
  EXPECT_EQ(query_->run("old", 1).value()->logs->counts, sample_logs("old").counts);
  EXPECT_EQ(failures("old"), 1U);
}

TEST_P(TrimContract, TheOldestGoFirstUntilTheRestIsWithinTheBytes) {
  for (int i = 0; i < 10; ++i) {
    RunRow row = run("run-" + std::to_string(i));
    row.snapshot = std::string(10'000, 's');
    LogChunk chunk = sample_chunk(row.key.run_id, 0);
    chunk.data = std::string(100'000, 'd');
    RunLogsRow logs = sample_logs(row.key.run_id);
    commit({.runs = {row}, .run_logs = {logs}, .log_chunks = {chunk}});
    database_->pass(1'000);
  }
  const Trimmed logs = trim({.logs = {.bytes = 350'000}});
  EXPECT_LE(logs.logs_bytes, 350'000U);
  EXPECT_GT(logs.logs_bytes, 240'000U);
  EXPECT_EQ(listed().size(), 10U);
  EXPECT_EQ(chunks("run-6"), 0U);
  EXPECT_EQ(chunks("run-7"), 1U);

  const Trimmed runs = trim({.runs = {.bytes = 55'000}});
  EXPECT_LE(runs.runs_bytes, 55'000U);
  EXPECT_THAT(listed(), ElementsAre("run-5", "run-6", "run-7", "run-8", "run-9"));
}

TEST_P(TrimContract, AStepRemovesNoMoreThanItMay) {
  for (int i = 0; i < 40; ++i) commit_whole_run("run-" + std::to_string(i));
  database_->pass(2 * kHour);
  const Retention keep{.runs = {.age_ns = kHour}, .logs = {.age_ns = kHour}};
  TrimStep small;
  small.rows = 5;
  const Trimmed first = step(keep, small);
  EXPECT_TRUE(first.more);
  EXPECT_LE(first.log_records, 2 * 5 * 3U);
  EXPECT_LE(first.runs, 5U);
  EXPECT_GT(first.runs + first.log_records, 0U);
  const Trimmed rest = trim(keep, small);
  EXPECT_EQ(first.runs + rest.runs, 40U);
  EXPECT_EQ(first.log_records + rest.log_records, 240U);
  EXPECT_THAT(listed(), IsEmpty());
}

TEST_P(TrimContract, ARunLargerThanAStepGoesInSeveralAndItsRowLast) {
  Batch batch;
  batch.runs = {run("large")};
  batch.run_logs = {sample_logs("large")};
  for (std::uint32_t i = 0; i < 20; ++i) {
    batch.log_chunks.push_back(sample_chunk("large", i));
    batch.api_failures.push_back(sample_failure("f" + std::to_string(i), "large", i));
  }
  commit(batch);
  database_->pass(2 * kHour);
  TrimStep small;
  small.rows = 7;
  const Retention keep{.runs = {.age_ns = kHour}};
  int steps = 0;
  while (!listed().empty()) {
    ASSERT_LT(++steps, 20);
    step(keep, small);
    EXPECT_TRUE(!listed().empty() || chunks("large") + failures("large") == 0);
  }
  EXPECT_GT(steps, 4);
}

TEST_P(TrimContract, AGroupOfApiFailuresOutlivesRunsAndGoesWhenNothingWasAddedForThatLong) {
  const auto groups = [&] { return query_->api_failure_groups({}, 10, "").value().items; };
  commit_whole_run("old");
  database_->pass(2 * kHour);
  commit_whole_run("new");
  EXPECT_EQ(trim({.runs = {.age_ns = kHour}}).api_failure_groups, 0U);
  ASSERT_EQ(groups().size(), 1U);
  EXPECT_EQ(groups()[0].count, 2U) << "that of the run that went is still counted";
  database_->pass(2 * kHour);
  EXPECT_EQ(trim({.runs = {.bytes = 0}}).api_failure_groups, 0U);
  EXPECT_EQ(trim({.runs = {.age_ns = kHour}}).api_failure_groups, 1U);
  EXPECT_THAT(groups(), IsEmpty());
}

TEST_P(TrimContract, OperationsAndRefusedRecordsGoByTheAgeOfRuns) {
  const auto now = std::chrono::system_clock::now();
  OperationRow removed;
  removed.operation_id = "removed";
  removed.updated_at_ns = 5;
  commit({.operations = {sample_operation("old", 1, 1), removed}, .outbox = {sample_outbox("hook", "k", "r")}});
  const sinks::Outbox::Judged refused{
      outbox_->due("hook", now, 1).value().at(0).outbox_id, {sinks::Outcome::kRejected, "410 Gone", {}}, {}};
  ASSERT_FALSE(outbox_->judge("hook", {&refused, 1}).has_error());
  database_->pass(3 * kHour);
  commit({.operations = {sample_operation("new", 1, 1)}});
  const Trimmed trimmed = trim({.runs = {.age_ns = 2 * kHour}});
  EXPECT_EQ(trimmed.operations, 2U);
  EXPECT_EQ(trimmed.rejected, 1U);
  EXPECT_FALSE(query_->operation("old").value());
  EXPECT_TRUE(query_->operation("new").value());
}

TEST_P(TrimContract, WhatIsHeardOfARunAfterItWentMakesItAnew) {
  commit_whole_run("r1");
  database_->pass(2 * kHour);
  trim({.runs = {.age_ns = kHour}});
  ASSERT_THAT(listed(), IsEmpty());
  // The fold still held the counts of its logs: the next chunk has a later number.
  Batch late;
  late.run_logs = {sample_logs("r1")};
  late.log_chunks = {sample_chunk("r1", 2)};
  commit(late);
  EXPECT_THAT(listed(), ElementsAre("r1"));
  EXPECT_EQ(chunks("r1"), 1U);
  commit({.runs = {run("r1")}});
  EXPECT_EQ(query_->run("r1", 1).value()->run.status, kFinished);
}

TEST_P(TrimContract, SaysWhatStandsInTheStore) {
  const Trimmed empty = step({});
  EXPECT_EQ(empty.runs_bytes, 0U);
  EXPECT_EQ(empty.logs_bytes, 0U);
  commit_whole_run("r1");
  const Trimmed filled = step({});
  EXPECT_GT(filled.runs_bytes, sample_run("r1").snapshot.size());
  EXPECT_GT(filled.logs_bytes, sample_chunk("r1", 0).data.size());
  EXPECT_GT(filled.file_bytes, 0U);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, TrimContract, testing::ValuesIn(stores()), [](const auto& store) { return store.param.name; });

}  // namespace runfold::collector::contract

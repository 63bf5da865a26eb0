// Reads a store row by row and holds it against the oracle.
#include "tests/broker/collector/compare.hpp"

#include "collector/log_chunk.hpp"
#include "collector/store/sqlite/sqlite_store.hpp"
#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/run.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

namespace runfold::collector::test {
namespace {

std::int64_t ns(const auto& time) {
  return time.seconds() * 1'000'000'000 + time.nanos();
}

template <class Message, class Time>
std::optional<std::int64_t> told(const Message& message, bool (Message::*has)() const, const Time& (Message::*get)() const) {
  return (message.*has)() ? std::optional(ns((message.*get)())) : std::nullopt;
}

Sum told(bool present, std::uint64_t value) {
  return present ? Sum(value) : Sum();
}

v1::RunResult expected_result(const ExpectedRun& run) {
  if (!run.finished_ns) return v1::RUN_RESULT_UNSPECIFIED;
  if (run.signal) return v1::RUN_RESULT_ERROR;
  return run.exit_code == 0 ? v1::RUN_RESULT_SUCCESS : v1::RUN_RESULT_FAILURE;
}

void expect_equal(const ExpectedStep& expected, const v1::Step& step) {
  SCOPED_TRACE(step.step_id() + ", try " + std::to_string(step.attempt()));
  EXPECT_EQ(step.status(), expected.ended_ns ? v1::RUN_STATUS_FINISHED : v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(step.result(), !expected.ended_ns ? v1::RUN_RESULT_UNSPECIFIED
                           : expected.failed  ? v1::RUN_RESULT_FAILURE
                                              : v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(told(step, &v1::Step::has_started_at, &v1::Step::started_at), expected.started_ns);
  EXPECT_EQ(told(step, &v1::Step::has_finished_at, &v1::Step::finished_at), expected.ended_ns);
  EXPECT_EQ(told(step, &v1::Step::has_duration, &v1::Step::duration), expected.duration_ns);
  EXPECT_EQ(told(step.has_entities(), step.entities()), expected.entities);
  EXPECT_EQ(told(step.has_relationships(), step.relationships()), expected.relationships);
  EXPECT_EQ(step.error(), expected.error);
}

void expect_equal_events(const ExpectedRun& expected, const RunRow& row) {
  v1::Run run;
  ASSERT_TRUE(run.ParseFromString(row.snapshot));
  EXPECT_EQ(row.connector_id, expected.connector);
  EXPECT_EQ(row.status, run.status());
  EXPECT_EQ(row.result, run.result());
  EXPECT_EQ(run.run_id(), row.key.run_id);
  EXPECT_EQ(run.attempt(), 1U);
  EXPECT_EQ(run.connector_id(), expected.connector);
  EXPECT_EQ(run.version(), expected.version);
  EXPECT_EQ(run.site(), expected.site);
  EXPECT_EQ(run.status(), expected.finished_ns ? v1::RUN_STATUS_FINISHED : v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(run.result(), expected_result(expected));
  EXPECT_EQ(run.result_source(), expected.finished_ns ? v1::RESULT_SOURCE_DECLARED : v1::RESULT_SOURCE_UNSPECIFIED);
  EXPECT_EQ(run.has_exit_code() ? std::optional<int>(run.exit_code()) : std::nullopt, expected.exit_code);
  EXPECT_EQ(run.has_signal() ? std::optional<int>(run.signal()) : std::nullopt, expected.signal);
  EXPECT_EQ(told(run, &v1::Run::has_started_at, &v1::Run::started_at), expected.started_ns);
  EXPECT_EQ(told(run, &v1::Run::has_finished_at, &v1::Run::finished_at), expected.finished_ns);
  EXPECT_EQ(ns(run.last_seen_at()), expected.last_seen_ns);
  EXPECT_EQ(told(run, &v1::Run::has_duration, &v1::Run::duration), expected.duration_ns);

  Sum entities;
  Sum relationships;
  ASSERT_EQ(static_cast<std::size_t>(run.steps_size()), expected.steps.size());
  for (const v1::Step& step : run.steps()) {
    const auto found = expected.steps.find({step.step_id(), step.attempt()});
    ASSERT_NE(found, expected.steps.end()) << step.step_id();
    expect_equal(found->second, step);
    if (found->second.entities) add(entities, *found->second.entities);
    if (found->second.relationships) add(relationships, *found->second.relationships);
  }
  EXPECT_EQ(told(run.has_entities(), run.entities()), entities);
  EXPECT_EQ(told(run.has_relationships(), run.relationships()), relationships);
  const v1::SyncStats& stats = run.stats();
  EXPECT_EQ(told(stats.has_entities_created(), stats.entities_created()), expected.stats[0]);
  EXPECT_EQ(told(stats.has_entities_updated(), stats.entities_updated()), expected.stats[1]);
  EXPECT_EQ(told(stats.has_entities_deleted(), stats.entities_deleted()), expected.stats[2]);
  EXPECT_EQ(told(stats.has_relationships_created(), stats.relationships_created()), expected.stats[3]);
  EXPECT_EQ(told(stats.has_relationships_updated(), stats.relationships_updated()), expected.stats[4]);
  EXPECT_EQ(told(stats.has_relationships_deleted(), stats.relationships_deleted()), expected.stats[5]);

  EXPECT_EQ(run.revision(), expected.revision);
  EXPECT_EQ(told(run.has_progress(), run.progress().done()), expected.progress_done);
  for (const v1::Completeness& completeness : run.completeness()) {
    if (completeness.topic() == v1::TOPIC_EVENTS) {
      EXPECT_EQ(completeness.received(), expected.events);
    }
  }
  ASSERT_EQ(static_cast<std::size_t>(run.offsets_size()), expected.offsets.size());
  for (const v1::OffsetBounds& bounds : run.offsets()) {
    EXPECT_EQ(std::pair(bounds.first_offset(), bounds.last_offset()), expected.offsets.at(bounds.partition()));
  }
}

void expect_equal_logs(const ExpectedRun& expected, const RunKey& key, const std::optional<RunLogsRow>& logs, Query& query) {
  ASSERT_EQ(logs.has_value(), !expected.messages.empty());
  if (!logs) return;
  EXPECT_EQ(logs->counts, expected.log_counts);
  EXPECT_EQ(logs->received, expected.messages.size());
  EXPECT_EQ(logs->api_failures, expected.api_failures.size());
  EXPECT_EQ(logs->connector_id, expected.connector);

  std::vector<std::string> messages;
  Query::ChunkRange range;
  range.descending = false;
  for (;;) {
    const auto chunks = query.log_chunks(key, range, 100).value();
    if (chunks.empty()) break;
    for (const LogChunk& chunk : chunks) {
      const v1::LogBatch batch = from_chunk(chunk).value();
      EXPECT_EQ(chunk.records, static_cast<std::uint32_t>(batch.records_size()));
      for (const v1::LogRecord& record : batch.records()) messages.push_back(record.message());
    }
    range.start = chunks.back().chunk + 1;
  }
  if (expected.in_order) {
    EXPECT_EQ(messages, expected.messages);
  } else {
    EXPECT_THAT(messages, testing::UnorderedElementsAreArray(expected.messages));
  }
}

template <class Item>
std::vector<Item> all_of(const std::function<StoreResult<Page<Item>>(const std::string&)>& page) {
  std::vector<Item> items;
  std::string cursor;
  for (;;) {
    Page<Item> one = page(cursor).value();
    std::move(one.items.begin(), one.items.end(), std::back_inserter(items));
    if (!one.next_cursor) return items;
    cursor = *one.next_cursor;
  }
}

void expect_equal_api_failures(const Oracle& oracle, Query& query) {
  std::map<std::string, std::multiset<std::string>> expected;
  for (const auto& [id, run] : oracle.runs) {
    if (!run.api_failures.empty()) expected[id] = run.api_failures;
  }
  std::map<std::string, std::multiset<std::string>> stored;
  for (const auto& row : all_of<ApiFailureRow>([&](const std::string& cursor) { return query.api_failures({}, 500, cursor); })) {
    v1::ApiFailure failure;
    ASSERT_TRUE(failure.ParseFromString(row.payload));
    stored[row.key.run_id].insert(failure.call().request_uri());
  }
  EXPECT_EQ(stored, expected);
}

void expect_equal_operations(const Oracle& oracle, Query& query) {
  std::map<std::string, std::pair<std::string, std::int64_t>> expected;
  for (const auto& [id, operation] : oracle.operations) {
    if (!operation.removed && operation.updated_ns != 0) expected[id] = {operation.status, operation.updated_ns};
  }
  std::map<std::string, std::pair<std::string, std::int64_t>> stored;
  for (const auto& row : all_of<OperationRow>([&](const std::string& cursor) { return query.operations({}, 500, cursor); })) {
    stored[row.operation_id] = {row.status, row.updated_at_ns};
  }
  EXPECT_EQ(stored, expected);
}

}  // namespace

void expect_equal(const Oracle& oracle, const std::filesystem::path& store_path) {
  auto store = open_sqlite_store(store_path).value();
  auto query = store->query().value();
  std::map<std::string, StoredRun> stored;
  for (auto& run : all_of<StoredRun>([&](const std::string& cursor) { return query->runs({}, 500, cursor); })) {
    const std::string id = run.run.key.run_id;
    ASSERT_TRUE(stored.emplace(id, std::move(run)).second) << id << " is there twice";
  }
  ASSERT_EQ(stored.size(), oracle.runs.size());
  for (const auto& [id, expected] : oracle.runs) {
    SCOPED_TRACE(id);
    ASSERT_TRUE(stored.contains(id));
    expect_equal_events(expected, stored[id].run);
    expect_equal_logs(expected, stored[id].run.key, stored[id].logs, *query);
    if (testing::Test::HasFailure()) return;  // One run's differences say enough.
  }
  expect_equal_api_failures(oracle, *query);
  expect_equal_operations(oracle, *query);

  std::vector<std::pair<std::string, std::int32_t>> partitions;
  for (const auto& [at, end] : oracle.ends) partitions.push_back(at);
  auto writer = store->writer().value();
  for (const Claim& claim : writer->claim(partitions).value()) {
    EXPECT_EQ(claim.next_offset, (oracle.ends.at({claim.topic, claim.partition}))) << claim.topic << " " << claim.partition;
  }
}

bool all_folded(Query& query, std::int32_t partitions) {
  for (std::int32_t partition = 0; partition < partitions; ++partition) {
    const auto run = query.run(last_of(partition), std::nullopt).value();
    if (!run || run->run.snapshot.empty() || !run->logs) return false;
    if (partition < kPartitions && !query.operation(last_of(partition)).value()) return false;
  }
  return true;
}

std::uint64_t events_folded(Query& query) {
  std::uint64_t sum = 0;
  for (const auto& stored : all_of<StoredRun>([&](const std::string& cursor) { return query.runs({}, 500, cursor); })) {
    v1::Run run;
    if (!run.ParseFromString(stored.run.snapshot)) continue;
    for (const v1::Completeness& completeness : run.completeness()) {
      if (completeness.topic() == v1::TOPIC_EVENTS) sum += completeness.received();
    }
  }
  return sum;
}

}  // namespace runfold::collector::test

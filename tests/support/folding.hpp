// A fold with a store of maps beside it, fed with messages: what a pipeline does, in a few lines.
#pragma once

#include "collector/decode.hpp"
#include "collector/fold.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace runfold::test {

inline constexpr collector::TimeNs kSecond = 1'000'000'000;
/// A bound of memory or of runs that nothing meets.
inline constexpr std::size_t kNoBound = ~std::size_t{0};

class Folding {
 public:
  collector::Fold fold;
  // What was committed.
  std::map<collector::RunKey, collector::RunRow> runs;
  std::map<collector::RunKey, collector::RunLogsRow> run_logs;
  std::map<std::string, collector::ApiFailureRow> api_failures;
  std::map<std::string, collector::OperationRow> operations;
  std::vector<collector::PendingLogs> chunks;
  collector::Counts last_counts;

  /// The record's place, and what the partition's clock says there; the offset goes up by itself.
  collector::Origin origin{"runfold.events", 0, 100, 5'000};

  Folding() = default;
  explicit Folding(collector::LivenessLimits limits) : fold(std::move(limits)) {}

  collector::Folded send(const v1::SyncEvent& event) {
    origin.topic = "runfold.events";
    const std::string bytes = event.SerializeAsString();
    const auto view = collector::decode_event(bytes);
    if (!view) throw std::invalid_argument(collector::describe(view.error()));
    supply(view->key());
    const auto folded = fold.event(*view, origin);
    ++origin.offset;
    return folded;
  }

  collector::Folded send(const v1::LogBatch& batch) {
    origin.topic = "runfold.logs";
    const std::string bytes = batch.SerializeAsString();
    collector::LogBatchView view;
    if (const auto result = collector::decode_log_batch(bytes, view); !result) throw std::invalid_argument(describe(result.error()));
    supply_logs(view.key());
    const auto folded = fold.logs(view, origin);
    ++origin.offset;
    return folded;
  }

  void send(const v1::Operation& operation) {
    origin.topic = "runfold.operations";
    const std::string bytes = operation.SerializeAsString();
    const auto view = collector::decode_operation(operation.operation_id(), bytes);
    if (!view) throw std::invalid_argument(collector::describe(view.error()));
    fold.operation(*view, origin);
    ++origin.offset;
  }

  void remove_operation(const std::string& id) {
    origin.topic = "runfold.operations";
    fold.operation(*collector::decode_operation(id, std::nullopt), origin);
    ++origin.offset;
  }

  /// Judges a run by its partition's clock, with what the store has of it when it is not in memory.
  collector::Judged judge(collector::TimeNs clock_ns, std::optional<std::int64_t> logs_silence_ns = {}, const std::string& run_id = "r-1") {
    const collector::RunKeyView key{run_id, 1};
    supply(key);
    supply_logs(key);
    return fold.judge(key, {origin.partition, clock_ns}, logs_silence_ns);
  }

  /// Takes what changed and stores it.
  void commit() {
    auto batch = fold.take();
    for (auto& row : batch.runs) runs.insert_or_assign(row.key, std::move(row));
    for (auto& row : batch.run_logs) run_logs.insert_or_assign(row.key, std::move(row));
    for (auto& row : batch.api_failures) api_failures.emplace(row.failure_id, std::move(row));
    for (auto& row : batch.operations) operations.insert_or_assign(row.operation_id, std::move(row));
    for (auto& chunk : batch.pending_logs) chunks.push_back(std::move(chunk));
    last_counts = std::move(batch.counts);
  }

  /// Commits, and forgets all that is in memory.
  void restart() {
    commit();
    fold.clear();
  }

  v1::Run run(const std::string& run_id = "r-1", std::uint32_t attempt = 1) {
    commit_keeping_counts();
    v1::Run run;
    const auto at = runs.find({run_id, attempt});
    EXPECT_TRUE(at != runs.end() && run.ParseFromString(at->second.snapshot)) << "there is no run " << run_id;
    return run;
  }

  collector::ConnectorCounts& counts(const std::string& connector = "invoices") {
    if (fold.dirty_rows() > 0) commit();
    return last_counts.connectors[connector];
  }

 private:
  void supply(const collector::RunKeyView& key) {
    if (fold.knows_run(key)) return;
    const auto at = runs.find({std::string(key.run_id), key.attempt});
    EXPECT_TRUE(fold.supply_run(key, at == runs.end() ? std::nullopt : std::optional(at->second)));
  }
  void supply_logs(const collector::RunKeyView& key) {
    if (fold.knows_run_logs(key)) return;
    // A log record calls a run back that was called lost.
    const auto run = runs.find({std::string(key.run_id), key.attempt});
    if (run != runs.end() && run->second.result == v1::RUN_RESULT_LOST) supply(key);
    const auto at = run_logs.find({std::string(key.run_id), key.attempt});
    EXPECT_TRUE(fold.supply_run_logs(key, at == run_logs.end() ? std::nullopt : std::optional(at->second)));
  }

  void commit_keeping_counts() {
    if (fold.dirty_rows() > 0) commit();
  }
};

/// Events of one source of one run, numbered as they are made.
class Telling {
 public:
  explicit Telling(std::string run_id = "r-1", std::string source_id = "s-1", std::uint32_t attempt = 1) {
    identity_.set_run_id(std::move(run_id));
    identity_.set_connector_id("invoices");
    identity_.set_version("1.2");
    identity_.set_site("acme");
    identity_.set_attempt(attempt);
    identity_.set_source_id(std::move(source_id));
  }

  /// An event at a time, in seconds.
  v1::SyncEvent at(std::int64_t second) {
    v1::SyncEvent event;
    *event.mutable_identity() = identity_;
    event.set_sequence(++sequence_);
    event.mutable_occurred_at()->set_seconds(second);
    return event;
  }
  v1::SyncEvent started(std::int64_t second) {
    auto event = at(second);
    event.mutable_started();
    return event;
  }
  v1::SyncEvent heartbeat(std::int64_t second) {
    auto event = at(second);
    event.mutable_heartbeat();
    return event;
  }
  v1::SyncEvent step_started(std::int64_t second, const std::string& step, std::uint32_t attempt = 1) {
    auto event = at(second);
    event.mutable_step_started()->set_step_id(step);
    event.mutable_step_started()->set_step_attempt(attempt);
    return event;
  }
  v1::SyncEvent step_completed(std::int64_t second, const std::string& step, std::optional<std::uint64_t> entities = {},
                               std::uint32_t attempt = 1) {
    auto event = at(second);
    event.mutable_step_completed()->set_step_id(step);
    event.mutable_step_completed()->set_step_attempt(attempt);
    if (entities) event.mutable_step_completed()->set_entities(*entities);
    return event;
  }
  v1::SyncEvent step_failed(std::int64_t second, const std::string& step, const std::string& error, std::uint32_t attempt = 1) {
    auto event = at(second);
    event.mutable_step_failed()->set_step_id(step);
    event.mutable_step_failed()->set_step_attempt(attempt);
    event.mutable_step_failed()->set_error(error);
    return event;
  }
  v1::SyncEvent completed(std::int64_t second, v1::RunResult result = v1::RUN_RESULT_UNSPECIFIED) {
    auto event = at(second);
    event.mutable_completed()->set_result(result);
    return event;
  }
  v1::SyncEvent exited(std::int64_t second, int code) {
    auto event = completed(second);
    event.mutable_completed()->set_exit_code(code);
    return event;
  }

  /// A batch of as many records as there are messages, one a second from `second` on.
  v1::LogBatch logs(std::int64_t second, const std::vector<std::string>& messages) {
    v1::LogBatch batch;
    *batch.mutable_identity() = identity_;
    batch.set_first_sequence(log_sequence_ + 1);
    for (const std::string& message : messages) {
      auto& record = *batch.add_records();
      record.set_message(message);
      record.set_severity(v1::SEVERITY_INFO);
      record.set_stream(v1::LOG_STREAM_APPLICATION);
      record.mutable_logged_at()->set_seconds(second++);
    }
    log_sequence_ += messages.size();
    return batch;
  }

 private:
  v1::RunIdentity identity_;
  std::uint64_t sequence_ = 0;
  std::uint64_t log_sequence_ = 0;
};

}  // namespace runfold::test

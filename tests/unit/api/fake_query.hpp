// A store in memory for the API's tests, and short ways to fill it.
#pragma once

#include "collector/log_chunk.hpp"
#include "collector/store/store.hpp"
#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"

#include <algorithm>
#include <functional>
#include <mutex>

namespace runfold::collector::test {

/// 2026-05-16T14:32:11Z.
inline constexpr TimeNs kAt = 1'778'941'931'000'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;

/// What the fake holds, and what it was last asked.
struct FakeStore {
  std::vector<StoredRun> runs;
  std::vector<LogChunk> chunks;
  std::vector<ApiFailureRow> failures;
  std::vector<ApiFailureGroupRow> groups;
  std::vector<OperationRow> operations;
  std::vector<LossRow> losses;
  /// When set, every query fails with it.
  std::optional<StoreError> error;
  /// When set, runs at the start of every query.
  std::function<void()> before;

  RunFilter run_filter;
  ApiFailureFilter failure_filter;
  ApiFailureGroupFilter group_filter;
  OperationFilter operation_filter;
  LossFilter loss_filter;
  std::size_t limit = 0;
  std::string cursor;
  std::size_t chunks_read = 0;
  std::mutex mutex;
};

class FakeQuery : public Query {
 public:
  explicit FakeQuery(FakeStore& store) : store_(store) {}

  StoreResult<Page<StoredRun>> runs(const RunFilter& filter, std::size_t limit, std::string_view cursor) override {
    if (auto wrong = begin(limit, cursor)) return *wrong;
    store_.run_filter = filter;
    return page(store_.runs);
  }
  StoreResult<std::optional<StoredRun>> run(std::string_view run_id, std::optional<std::uint32_t> attempt) override {
    if (auto wrong = begin(1, {})) return *wrong;
    std::optional<StoredRun> best;
    for (const auto& stored : store_.runs) {
      const RunKey& key = stored.run.key;
      if (key.run_id == run_id && (!attempt || *attempt == key.attempt) && (!best || best->run.key.attempt < key.attempt)) {
        best = stored;
      }
    }
    return best;
  }
  StoreResult<std::vector<LogChunk>> log_chunks(const RunKey& key, const ChunkRange& range, std::size_t limit) override {
    if (auto wrong = begin(limit, {})) return *wrong;
    std::vector<LogChunk> found;
    for (const auto& chunk : store_.chunks) {
      const bool in_range = !range.start || (range.descending ? chunk.chunk <= *range.start : chunk.chunk >= *range.start);
      if (chunk.key == key && in_range && (chunk.severities & range.severities) != 0 && (chunk.streams & range.streams) != 0) {
        found.push_back(chunk);
      }
    }
    std::sort(found.begin(), found.end(),
              [&](const LogChunk& a, const LogChunk& b) { return range.descending ? a.chunk > b.chunk : a.chunk < b.chunk; });
    if (found.size() > limit) found.resize(limit);
    store_.chunks_read += found.size();
    return found;
  }
  StoreResult<Page<ApiFailureRow>> api_failures(const ApiFailureFilter& filter, std::size_t limit, std::string_view cursor) override {
    if (auto wrong = begin(limit, cursor)) return *wrong;
    store_.failure_filter = filter;
    return page(store_.failures);
  }
  StoreResult<Page<ApiFailureGroupRow>> api_failure_groups(const ApiFailureGroupFilter& filter, std::size_t limit,
                                                           std::string_view cursor) override {
    if (auto wrong = begin(limit, cursor)) return *wrong;
    store_.group_filter = filter;
    return page(store_.groups);
  }
  StoreResult<Page<OperationRow>> operations(const OperationFilter& filter, std::size_t limit, std::string_view cursor) override {
    if (auto wrong = begin(limit, cursor)) return *wrong;
    store_.operation_filter = filter;
    return page(store_.operations);
  }
  StoreResult<std::optional<OperationRow>> operation(std::string_view operation_id) override {
    if (auto wrong = begin(1, {})) return *wrong;
    for (const auto& row : store_.operations) {
      if (row.operation_id == operation_id) return std::optional(row);
    }
    return std::optional<OperationRow>();
  }
  StoreResult<Page<LossRow>> losses(const LossFilter& filter, std::size_t limit, std::string_view cursor) override {
    if (auto wrong = begin(limit, cursor)) return *wrong;
    store_.loss_filter = filter;
    return page(store_.losses);
  }
  StoreResult<std::vector<std::uint32_t>> attempts(std::string_view run_id) override {
    if (auto wrong = begin(1, {})) return *wrong;
    std::vector<std::uint32_t> found;
    for (const auto& stored : store_.runs) {
      if (stored.run.key.run_id == run_id) found.push_back(stored.run.key.attempt);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  StoreResult<std::vector<std::pair<std::string, std::uint64_t>>> running_by_connector() override {
    return std::vector<std::pair<std::string, std::uint64_t>>{};
  }

 private:
  /// Notes what was asked; the error that the store is to give, if any.
  std::optional<StoreError> begin(std::size_t limit, std::string_view cursor) {
    if (store_.before) store_.before();
    const std::scoped_lock lock(store_.mutex);
    store_.limit = limit;
    store_.cursor = cursor;
    if (cursor == "bad") return StoreError{StoreErrc::kInvalid, "bad"};
    return store_.error;
  }
  /// The first `limit` of them, and a cursor when there are more.
  template <class T>
  Page<T> page(const std::vector<T>& all) {
    Page<T> made{all, {}};
    if (made.items.size() > store_.limit) {
      made.items.resize(store_.limit);
      made.next_cursor = "more";
    }
    return made;
  }

  FakeStore& store_;
};

inline StoredRun run_named(const std::string& run_id, std::uint32_t attempt = 1) {
  StoredRun stored;
  stored.run.key = {run_id, attempt};
  stored.run.connector_id = "invoices";
  return stored;
}

inline v1::LogRecord record(std::string message, v1::Severity severity = v1::SEVERITY_INFO,
                            v1::LogStream stream = v1::LOG_STREAM_APPLICATION, TimeNs at = kAt) {
  v1::LogRecord made;
  made.mutable_logged_at()->set_seconds(at / kSecond);
  made.mutable_logged_at()->set_nanos(static_cast<int>(at % kSecond));
  made.set_severity(severity);
  made.set_stream(stream);
  made.set_message(std::move(message));
  return made;
}

/// A chunk of these records, as the pipeline would make it.
inline LogChunk chunk(const RunKey& key, std::uint32_t number, const std::vector<v1::LogRecord>& records) {
  PendingLogs logs;
  logs.key = key;
  logs.chunk = number;
  logs.records = static_cast<std::uint32_t>(records.size());
  v1::LogBatch batch;
  for (const auto& one : records) {
    const TimeNs at = one.logged_at().seconds() * kSecond + one.logged_at().nanos();
    logs.first_ns = logs.first_ns == 0 ? at : std::min(logs.first_ns, at);
    logs.last_ns = std::max(logs.last_ns, at);
    logs.severities |= static_cast<std::uint8_t>(1U << (one.severity() == 0 ? 6 : one.severity() - 1));
    logs.streams |= static_cast<std::uint8_t>(1U << one.stream());
    *batch.add_records() = one;
  }
  logs.batch = batch.SerializeAsString();
  return to_chunk(std::move(logs));
}

}  // namespace runfold::collector::test

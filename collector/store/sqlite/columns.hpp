// Rows of the tables that the writer and the queries both read.
#pragma once

#include "collector/rows.hpp"
#include "collector/store/api_failure_groups.hpp"
#include "collector/store/offsets.hpp"
#include "collector/store/sqlite/connection.hpp"

namespace runfold::collector::sqlite {

/// Of `runs r`, as read_run() takes them.
inline constexpr const char* kRunColumns =
    "r.run_id, r.attempt, r.connector_id, r.version, r.site, r.status, r.result, r.sort_at_ns, r.partition, r.deadline_ns, r.snapshot";
inline constexpr int kRunColumnCount = 11;

/// Of `run_logs l`, as read_run_logs() takes them. The first is NULL where an outer join found no row.
inline constexpr const char* kRunLogsColumns =
    "l.connector_id, l.version, l.site, l.severity_0, l.severity_1, l.severity_2, l.severity_3, l.severity_4, l.severity_5, l.severity_6, "
    "l.severity_7, l.api_failures, l.received, l.next_chunk, l.offsets, l.partition, l.heard_ns";
inline constexpr int kRunLogsColumnCount = 17;

[[nodiscard]] inline RunRow read_run(const Statement& row, int first) {
  RunRow run;
  run.key = {row.bytes(first), row.integer<std::uint32_t>(first + 1)};
  run.connector_id = row.bytes(first + 2);
  run.version = row.bytes(first + 3);
  run.site = row.bytes(first + 4);
  run.status = row.integer<std::int32_t>(first + 5);
  run.result = row.integer<std::int32_t>(first + 6);
  run.sort_at_ns = row.integer(first + 7);
  if (!row.is_null(first + 8)) run.partition = row.integer<std::int32_t>(first + 8);
  if (!row.is_null(first + 9)) run.deadline_ns = row.integer(first + 9);
  run.snapshot = row.bytes(first + 10);
  return run;
}

/// Errors: kCorrupt.
[[nodiscard]] inline StoreResult<RunLogsRow> read_run_logs(const Statement& row, int first, const RunKey& key) {
  RunLogsRow logs;
  logs.key = key;
  logs.connector_id = row.bytes(first);
  logs.version = row.bytes(first + 1);
  logs.site = row.bytes(first + 2);
  for (int severity = 0; severity < 8; ++severity) {
    logs.counts[static_cast<std::size_t>(severity)] = row.integer<std::uint64_t>(first + 3 + severity);
  }
  logs.api_failures = row.integer<std::uint64_t>(first + 11);
  logs.received = row.integer<std::uint64_t>(first + 12);
  logs.next_chunk = row.integer<std::uint32_t>(first + 13);
  auto offsets = parse_offsets(row.bytes(first + 14));
  if (!offsets) {
    return StoreError{StoreErrc::kCorrupt, "the offsets of the logs of run " + key.run_id + ", attempt " + std::to_string(key.attempt) +
                                               ", cannot be read: restore the store from a backup or rebuild it from the topics"};
  }
  logs.offsets = std::move(*offsets);
  logs.partition = row.integer<std::int32_t>(first + 15);
  logs.heard_ns = row.integer(first + 16);
  return logs;
}

/// Of `api_failure_groups`, as read_group() takes them.
inline constexpr const char* kGroupColumns =
    "fingerprint, connector_id, method, uri_template, code, body, failures, first_ns, last_ns, first_version, sites, offsets";

/// Errors: kCorrupt.
[[nodiscard]] inline StoreResult<ApiFailureGroupRow> read_group(const Statement& row) {
  ApiFailureGroupRow group;
  group.kind.fingerprint = row.bytes(0);
  group.connector_id = row.bytes(1);
  group.kind.method = row.bytes(2);
  group.kind.uri_template = row.bytes(3);
  if (!row.is_null(4)) group.code = row.integer<std::uint32_t>(4);
  group.kind.body = row.bytes(5);
  group.count = row.integer<std::uint64_t>(6);
  group.first_ns = row.integer(7);
  group.last_ns = row.integer(8);
  group.first_version = row.bytes(9);
  auto sites = parse_sites(row.bytes(10));
  auto offsets = parse_offsets(row.bytes(11));
  if (!sites || !offsets) {
    return StoreError{StoreErrc::kCorrupt, "the group " + group.kind.fingerprint + " of API failures of " + group.connector_id +
                                               " cannot be read: restore the store from a backup or rebuild it from the topics"};
  }
  group.sites = std::move(*sites);
  group.offsets = std::move(*offsets);
  return group;
}

}  // namespace runfold::collector::sqlite

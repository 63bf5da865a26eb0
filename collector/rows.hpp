// What folding makes: the aggregates, a struct a table. Plain values, made by fold and written by the store.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Nanoseconds since the Unix epoch, UTC.
using TimeNs = std::int64_t;

/// One attempt of one run: the key of runs and of all that belongs to them.
struct RunKey {
  std::string run_id;
  std::uint32_t attempt = 1;
  auto operator<=>(const RunKey&) const = default;
};

/// A RunKey that owns nothing.
struct RunKeyView {
  std::string_view run_id;
  std::uint32_t attempt = 1;
  auto operator<=>(const RunKeyView&) const = default;
};

/// Records of one partition that went into an aggregate: the lowest and the highest offset, repeats not counted.
struct OffsetBounds {
  std::int32_t partition = 0;
  std::int64_t first = 0;
  std::int64_t last = 0;
  auto operator<=>(const OffsetBounds&) const = default;
};

/// The record that something was made of, on the one topic that such things come from.
struct RecordPlace {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  auto operator<=>(const RecordPlace&) const = default;
};

/// A run as folded from the events topic.
struct RunRow {
  RunKey key;
  // What queries filter and sort by; all of it stands in the snapshot too.
  std::string connector_id;
  std::string version;
  std::string site;
  std::int32_t status = 0;  ///< runfold.v1.RunStatus
  std::int32_t result = 0;  ///< runfold.v1.RunResult
  /// started_at; while that is unknown, the earliest event's time.
  TimeNs sort_at_ns = 0;
  /// The partition of the events topic that it was last heard on, and when it is overdue by that partition's clock unless it
  /// is heard of again; absent once it has finished.
  std::optional<std::int32_t> partition{};
  std::optional<TimeNs> deadline_ns{};
  /// A serialized runfold.v1.Run.
  std::string snapshot;
  /// What the fold needs beside the snapshot to go on: sequence windows, what is provisional. Opaque to the store.
  std::string fold_state;
  /// The snapshot's revision rose since the row was last taken: sinks are to hear of it. Not stored.
  bool publish = false;
};

/// What was folded for a run from the logs topic, beside the chunks.
struct RunLogsRow {
  RunKey key;
  std::string connector_id;
  std::string version;
  std::string site;
  /// Records by syslog severity, 0 to 7.
  std::array<std::uint64_t, 8> counts{};
  std::uint64_t api_failures = 0;
  /// Different records received.
  std::uint64_t received = 0;
  /// The number of the next chunk, from 0.
  std::uint32_t next_chunk = 0;
  /// Of the logs topic, by partition.
  std::vector<OffsetBounds> offsets{};
  /// The partition of the logs topic that it was last heard on, and when, by that partition's clock.
  std::int32_t partition = 0;
  TimeNs heard_ns = 0;
  /// Sequence windows. Opaque to the store.
  std::string fold_state;
};

/// Log records of a run since its last chunk, in the order in which they came: what becomes a chunk.
struct PendingLogs {
  RunKey key;
  /// The number of the chunk that they become.
  std::uint32_t chunk = 0;
  std::uint32_t records = 0;
  TimeNs first_ns = 0;
  TimeNs last_ns = 0;
  /// Bit n: holds a record of syslog severity n. Bit n: holds a record of runfold.v1.LogStream n.
  std::uint8_t severities = 0;
  std::uint8_t streams = 0;
  /// A serialized runfold.v1.LogBatch with nothing but records.
  std::string batch;
};

/// What failing Container API calls have in common when the same trouble was met again.
struct ApiFailureKind {
  /// Of the members below and the response code; equal on every machine. See collector/fold_fingerprint.hpp.
  std::string fingerprint;
  std::string method;
  /// The request URI with {id} for what looks like an identifier and {} for values of its query.
  std::string uri_template;
  /// The beginning of the response body, or of what went wrong where no response came, with {n} for what varies.
  std::string body;
  bool operator==(const ApiFailureKind&) const = default;
};

/// One failing Container API call.
struct ApiFailureRow {
  /// Names the failure for ever: it is derived from the record that it came in.
  std::string failure_id;
  RunKey key;
  std::string connector_id;
  std::string site;
  TimeNs at_ns = 0;
  std::optional<std::uint32_t> code;
  /// A serialized runfold.v1.ApiFailure.
  std::string payload;
  /// On the logs topic.
  RecordPlace origin{};
  /// What the group that it counts in is made of; stored with the group only.
  std::string version;
  ApiFailureKind kind;
};

/// All failing calls of one connector with one fingerprint, counted.
struct ApiFailureGroupRow {
  std::string connector_id;
  ApiFailureKind kind;
  std::optional<std::uint32_t> code;
  std::uint64_t count = 0;
  TimeNs first_ns = 0;
  TimeNs last_ns = 0;
  /// Of the connector, at the first of them; empty when that one did not say.
  std::string first_version;
  /// In the order of bytes, the first kMaxGroupSites; one more says that there are more.
  std::vector<std::string> sites;
  /// Of the logs topic, by partition.
  std::vector<OffsetBounds> offsets;
  bool operator==(const ApiFailureGroupRow&) const = default;
};
inline constexpr std::size_t kMaxGroupSites = 32;

/// The newest state of an operation; no payload: it was removed.
struct OperationRow {
  std::string operation_id;
  std::string status;
  std::string name;
  std::string owner_id;
  std::string connector_id;
  TimeNs created_at_ns = 0;
  TimeNs updated_at_ns = 0;
  /// A serialized runfold.v1.Operation.
  std::optional<std::string> payload;
  /// On the operations topic.
  RecordPlace origin{};
};

}  // namespace runfold::collector

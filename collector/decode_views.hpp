// What decoding finds in a record: views of its value that own nothing.
//
// A view lives as long as the bytes it was decoded from. An absent optional was absent on the wire: unknown, not zero.
#pragma once

#include "collector/counts.hpp"
#include "collector/rows.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace runfold::collector {

/// A length of time in nanoseconds. Negative when the producer's clock went backwards.
using DurationNs = std::int64_t;

/// runfold.v1.RunIdentity. run_id is 1 to 200 bytes, connector_id and source_id are 0 to 200.
struct IdentityView {
  std::string_view run_id;
  std::string_view connector_id;
  std::string_view version;
  std::string_view site;
  std::string_view source_id;
  /// As on the wire: 0 is read as 1, see key().
  std::uint32_t attempt = 0;

  [[nodiscard]] RunKeyView key() const noexcept { return {run_id, attempt == 0 ? 1 : attempt}; }
};

/// runfold.v1.TraceContext, unread: it may be anything.
struct TraceView {
  std::string_view traceparent;
  std::string_view tracestate;
};

struct StartedView {
  std::optional<DurationNs> heartbeat_interval_ns;
  std::optional<std::uint64_t> os_pid;
  std::string_view host;
  std::string_view account;
};

struct StepStartedView {
  std::string_view step_id;
  std::uint32_t step_attempt = 1;
};

struct StepCompletedView {
  std::string_view step_id;
  std::uint32_t step_attempt = 1;
  std::optional<std::uint64_t> entities;
  std::optional<std::uint64_t> relationships;
  std::optional<DurationNs> duration_ns;
};

struct StepFailedView {
  std::string_view step_id;
  std::uint32_t step_attempt = 1;
  std::string_view error;
  std::optional<DurationNs> duration_ns;
};

/// runfold.v1.TopicTotals; of two entries for one topic the last one holds.
struct TopicTotalsView {
  std::uint64_t emitted = 0;
  std::uint64_t last_sequence = 0;
  /// By runfold.v1.DropReason; reasons that this release does not know stand under 0. Entries for one reason are added up.
  std::array<std::uint64_t, kDropReasons> drops{};
  auto operator<=>(const TopicTotalsView&) const = default;
};

struct CompletedView {
  /// A runfold.v1.RunResult, or a number that this release does not know.
  std::int32_t result = 0;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::string_view error;
  std::optional<DurationNs> duration_ns;
  std::optional<TopicTotalsView> events_totals;
  std::optional<TopicTotalsView> logs_totals;
};

struct HeartbeatView {};

struct ProgressView {
  std::string_view step_id;
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total;
  std::string_view message;
};

struct StatsCommittedView {
  std::optional<std::uint64_t> entities_created, entities_updated, entities_deleted;
  std::optional<std::uint64_t> relationships_created, relationships_updated, relationships_deleted;
};

/// runfold.v1.SyncEvent.
struct EventView {
  IdentityView identity;
  /// 0: not numbered.
  std::uint64_t sequence = 0;
  /// Absent: the record's own time holds.
  std::optional<TimeNs> occurred_at_ns;
  std::optional<TraceView> trace;
  std::variant<StartedView, StepStartedView, StepCompletedView, StepFailedView, CompletedView, HeartbeatView, ProgressView,
               StatsCommittedView>
      event;
  /// The whole value.
  std::string_view bytes;

  [[nodiscard]] RunKeyView key() const noexcept { return identity.key(); }
};

/// runfold.v1.ApiCall.
struct ApiCallView {
  std::string_view method;
  std::string_view request_uri;
  std::string_view response_body;
  std::string_view transport_error;
  std::optional<DurationNs> duration_ns;
  std::optional<std::uint32_t> response_code;
  bool response_body_truncated = false;
};

/// runfold.v1.LogRecord.
struct LogRecordView {
  static constexpr std::uint32_t kNoApiCall = 0xffffffff;

  std::string_view message;
  std::string_view step_id;
  std::string_view detail_json;
  std::string_view raw;
  /// The record as it was serialized, without tag and length: what goes into a chunk.
  std::string_view bytes;
  /// Absent: the Kafka record's own time holds.
  std::optional<TimeNs> logged_at_ns;
  /// Where in LogBatchView::api_calls its failing request stands.
  std::uint32_t api_call = kNoApiCall;
  /// syslog's number, 0 to 7; 6 (informational) when the record does not say, or says what this release does not know.
  std::uint8_t severity = 6;
  /// A runfold.v1.LogStream, 1 to 4; 1 (application) when the record does not say, or says what this release does not know.
  std::uint8_t stream = 1;
  bool partial = false;
  bool truncated = false;
};

/// runfold.v1.LogBatch. Made to be used again: clear() keeps the memory.
struct LogBatchView {
  IdentityView identity;
  /// The sequence number of records[0]; 0: not numbered.
  std::uint64_t first_sequence = 0;
  std::optional<TraceView> trace;
  std::vector<LogRecordView> records;
  std::vector<ApiCallView> api_calls;
  /// The whole value.
  std::string_view bytes;

  [[nodiscard]] RunKeyView key() const noexcept { return identity.key(); }
  /// The failing request of one of the records; null when it has none.
  [[nodiscard]] const ApiCallView* api_call(const LogRecordView& record) const noexcept {
    return record.api_call == LogRecordView::kNoApiCall ? nullptr : &api_calls[record.api_call];
  }
  void clear() noexcept {
    identity = {};
    first_sequence = 0;
    trace.reset();
    records.clear();
    api_calls.clear();
    bytes = {};
  }
};

/// runfold.v1.Operation, or the removal of one.
struct OperationView {
  /// 1 to 200 bytes.
  std::string_view operation_id;
  std::string_view status;
  std::string_view name;
  std::string_view owner_id;
  std::string_view connector_id;
  std::string_view error;
  std::string_view version;
  std::optional<TimeNs> created_at_ns;
  /// Absent: the record's own time holds.
  std::optional<TimeNs> updated_at_ns;
  /// The record had a null value; only operation_id is set.
  bool removed = false;
  /// The whole value.
  std::string_view bytes;
};

}  // namespace runfold::collector

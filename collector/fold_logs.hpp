// What one run says, counted: the state that every log batch of the run goes through.
#pragma once

#include "collector/decode_views.hpp"
#include "collector/fold_origin.hpp"
#include "collector/fold_sources.hpp"
#include "collector/fold_tally.hpp"
#include "collector/rows.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runfold::collector {

/// Log records and API failures waiting for a transaction, of all runs.
struct PendingSheet {
  /// A chunk is closed when it has this much text; a longer record has one of its own.
  static constexpr std::size_t kChunkBytes = 1024 * 1024;

  std::vector<PendingLogs> logs;
  std::vector<ApiFailureRow> api_failures;
  /// Of both.
  std::size_t bytes = 0;
};

/// The state of one attempt of one run on the logs topic.
///
/// Counts are the same for any order of the same records. Where records disagree on connector, version or site, the first
/// name in the order of bytes holds. When they were heard of is the latest there is, by the clock of the partition that they
/// came on last. Chunks hold the records in the order in which they came, as many as one
/// transaction took, so their borders and next_chunk depend on batching; nothing else does.
class RunLogsState {
 public:
  explicit RunLogsState(const RunKeyView& key) : key_{std::string(key.run_id), key.attempt} {}

  [[nodiscard]] RunKeyView key() const noexcept { return {key_.run_id, key_.attempt}; }

  /// Precondition: the batch has records.
  Folded fold(const LogBatchView& batch, const Origin& origin, Tally& tally, PendingSheet& pending);

  /// Absent until a record has come.
  [[nodiscard]] std::optional<HeardAt> heard() const noexcept { return heard_; }

  /// The row as it is now. What is pending is taken at the same time: the next record begins a chunk of its own.
  [[nodiscard]] RunLogsRow row();
  /// Takes up where the row was made. False when it cannot be read. Precondition: nothing was folded yet.
  [[nodiscard]] bool restore(const RunLogsRow& row);

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void append(const LogRecordView& record, TimeNs at_ns, PendingSheet& pending);
  void widen(const Origin& origin);

  RunKey key_;
  std::string connector_id_;
  std::string version_;
  std::string site_;
  std::array<std::uint64_t, 8> counts_{};
  std::uint64_t api_failures_ = 0;
  std::uint32_t next_chunk_ = 0;
  std::optional<HeardAt> heard_;
  /// Into PendingSheet::logs.
  std::size_t open_chunk_ = kNone;
  /// Mostly one: a run's records share a key.
  std::vector<OffsetBounds> bounds_;
  Sources sources_;
};

/// A failing call as a row. `index` is the record's place in its batch.
[[nodiscard]] ApiFailureRow api_failure_row(const LogBatchView& batch, std::size_t index, TimeNs at_ns, const Origin& origin);

}  // namespace runfold::collector

// The store: aggregates, offsets and outbox in one transaction; queries beside it.
#pragma once

#include "collector/store/batch.hpp"
#include "collector/store/error.hpp"
#include "collector/store/retention.hpp"
#include "sinks/sink.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::collector {

/// A partition as claimed: the epoch that commits must show, and where to go on.
struct Claim {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t epoch = 0;
  /// Absent: nothing was ever committed of it.
  std::optional<std::int64_t> next_offset;
  /// Of the record at next_offset - 1, when it is known.
  std::optional<LastRecord> last{};
  /// The partition's clock as it was committed; see PartitionRow.
  TimeNs clock_ns = 0;
  TimeNs covered_until_ns = 0;
};

/// What a pipeline writes with. One pipeline, one Writer.
///
/// Thread: one at a time, any. Calls wait for the disk: keep them off event loops.
class Writer {
 public:
  virtual ~Writer() = default;

  /// Takes partitions over: raises the epoch of each, so that whoever held it can no longer commit.
  [[nodiscard]] virtual StoreResult<std::vector<Claim>> claim(std::span<const std::pair<std::string, std::int32_t>> partitions) = 0;

  /// Writes the batch, all or nothing. When it returns without error the batch survives kill -9; SQLite's survives power
  /// loss up to the last few commits, offsets with them, so the topics repair it.
  /// Rows replace those with the same key; a loss of the same partition and time is left as it is; an operation does not replace one with a
  /// later updated_at; an API failure or outbox row whose id or idempotency key is already there is left as it is. An API failure
  /// that is not left counts in its group, so that a batch that is written again counts nothing twice. Errors: kFenced when a
  /// partition's epoch is no longer the one given: nothing was written.
  [[nodiscard]] virtual StoreResult<> commit(const Batch& batch) = 0;

  /// Removes some of what is not to be kept any more, in a transaction of its own, and gives some of the free space back
  /// to the disk; what one step may do is bounded, so that a commit behind it waits for milliseconds.
  /// A run whose state the caller still holds, or of which a record comes later, comes back with the next commit of it:
  /// with all that the caller holds, else with what is new.
  [[nodiscard]] virtual StoreResult<Trimmed> trim(const Retention& keep, const TrimStep& step) = 0;

  /// Running runs of one partition of the events topic whose deadline is at or before `clock_ns`, the earliest first, at most
  /// `limit`.
  [[nodiscard]] virtual StoreResult<std::vector<RunKey>> overdue_runs(std::int32_t partition, TimeNs clock_ns, std::size_t limit) = 0;

  /// Forgets every offset, for a cluster that is new at each start (the embedded broker). Aggregates stay.
  [[nodiscard]] virtual StoreResult<> forget_offsets() = 0;
};

/// What a pipeline loads rows with that it does not hold. It reads while its Writer writes, and sees every commit that ended
/// before the call.
///
/// Thread: one at a time, any. Calls wait for the disk: keep them off event loops.
class RunReader {
 public:
  virtual ~RunReader() = default;

  /// What was committed of each run asked for, in the order asked; absent where nothing was.
  [[nodiscard]] virtual StoreResult<std::vector<std::optional<RunRow>>> load_runs(std::span<const RunKey> keys) = 0;
  [[nodiscard]] virtual StoreResult<std::vector<std::optional<RunLogsRow>>> load_run_logs(std::span<const RunKey> keys) = 0;
};

/// Which runs to list. Empty and absent members do not filter.
struct RunFilter {
  std::string run_id{};
  std::string connector_id{};
  std::string version{};
  std::string site{};
  std::optional<std::int32_t> status{};
  std::optional<std::int32_t> result{};
  /// On sort_at_ns: from inclusive, to exclusive.
  std::optional<TimeNs> from_ns{};
  std::optional<TimeNs> to_ns{};
};

struct ApiFailureFilter {
  std::string run_id{};
  std::optional<std::uint32_t> attempt{};
  std::string connector_id{};
  std::string site{};
  std::optional<std::uint32_t> code{};
  std::optional<TimeNs> from_ns{};
  std::optional<TimeNs> to_ns{};
};

struct ApiFailureGroupFilter {
  std::string fingerprint{};
  std::string connector_id{};
  std::optional<std::uint32_t> code{};
  /// Seen at or after from_ns, first seen before to_ns.
  std::optional<TimeNs> from_ns{};
  std::optional<TimeNs> to_ns{};
};

struct LossFilter {
  std::string topic{};
  std::optional<std::int32_t> partition{};
};

struct OperationFilter {
  std::string status{};
  std::string name{};
  std::string owner_id{};
  std::string connector_id{};
};

/// A page of a list, and the opaque cursor of the next one; absent on the last.
template <class T>
struct Page {
  std::vector<T> items;
  std::optional<std::string> next_cursor;
};

/// A run with what both topics say of it. `logs` is absent when no log record has come. A run of which only logs have come
/// has an empty snapshot, is pending (1) with result 0, has its key and identity from them, and sorts by the time of its first record.
struct StoredRun {
  RunRow run;
  std::optional<RunLogsRow> logs;
};

/// What the API reads with. Sees whole transactions only; leaves fold_state empty, it is the writer's alone.
///
/// Thread: one at a time, any; open one a thread. Calls wait for the disk: keep them off event loops.
/// Errors: kInvalid for a cursor that this store did not make.
class Query {
 public:
  virtual ~Query() = default;

  /// Newest first, by sort_at_ns, then run_id and attempt. `limit` is 1 to 1000.
  [[nodiscard]] virtual StoreResult<Page<StoredRun>> runs(const RunFilter& filter, std::size_t limit, std::string_view cursor) = 0;
  /// The attempt asked for; absent: the highest there is.
  [[nodiscard]] virtual StoreResult<std::optional<StoredRun>> run(std::string_view run_id, std::optional<std::uint32_t> attempt) = 0;

  /// Which chunks of a run to read, and from where.
  struct ChunkRange {
    /// Bits as in LogChunk; 0xff takes all.
    std::uint8_t severities = 0xff;
    std::uint8_t streams = 0xff;
    /// The first chunk to look at, in the direction of reading; absent: the first or the last there is.
    std::optional<std::uint32_t> start{};
    bool descending = true;
  };
  /// At most `limit` chunks in order of their number, those with none of the wanted severities and streams left out.
  [[nodiscard]] virtual StoreResult<std::vector<LogChunk>> log_chunks(const RunKey& key, const ChunkRange& range, std::size_t limit) = 0;

  /// Newest first, by at_ns, then failure_id.
  [[nodiscard]] virtual StoreResult<Page<ApiFailureRow>> api_failures(const ApiFailureFilter& filter, std::size_t limit,
                                                                      std::string_view cursor) = 0;

  /// Last seen first, by last_ns, then fingerprint and connector_id.
  [[nodiscard]] virtual StoreResult<Page<ApiFailureGroupRow>> api_failure_groups(const ApiFailureGroupFilter& filter, std::size_t limit,
                                                                                 std::string_view cursor) = 0;

  /// Newest first, by created_at_ns, then operation_id.
  [[nodiscard]] virtual StoreResult<Page<OperationRow>> operations(const OperationFilter& filter, std::size_t limit,
                                                                   std::string_view cursor) = 0;
  [[nodiscard]] virtual StoreResult<std::optional<OperationRow>> operation(std::string_view operation_id) = 0;

  /// Newest first, by at_ns, then topic and partition.
  [[nodiscard]] virtual StoreResult<Page<LossRow>> losses(const LossFilter& filter, std::size_t limit, std::string_view cursor) = 0;

  /// The attempts that there are of a run, in order; none when there is no such run.
  [[nodiscard]] virtual StoreResult<std::vector<std::uint32_t>> attempts(std::string_view run_id) = 0;

  /// How many runs are running, by connector: for the gauge at start.
  [[nodiscard]] virtual StoreResult<std::vector<std::pair<std::string, std::uint64_t>>> running_by_connector() = 0;
};

/// A database: makes the objects that work on it, each with a connection of its own.
class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual StoreResult<std::unique_ptr<Writer>> writer() = 0;
  [[nodiscard]] virtual StoreResult<std::unique_ptr<RunReader>> run_reader() = 0;
  [[nodiscard]] virtual StoreResult<std::unique_ptr<Query>> query() = 0;
  [[nodiscard]] virtual StoreResult<std::unique_ptr<sinks::Outbox>> outbox() = 0;

  /// Names the one collector that works on this database: made with it and the same at each start, so that Kafka knows a
  /// collector that starts again. Absent when several may work on it, or it was opened to read.
  [[nodiscard]] virtual std::optional<std::string> instance_id() const = 0;
};

}  // namespace runfold::collector

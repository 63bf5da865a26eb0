// What one transaction writes. Made on the pipeline's strand, read on the writer's thread.
#pragma once

#include "collector/rows.hpp"
#include "sinks/sink.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace runfold::collector {

/// A block of consecutive log records of a run, in the order in which they came. Members as in PendingLogs.
struct LogChunk {
  RunKey key;
  std::uint32_t chunk = 0;
  std::uint32_t records = 0;
  TimeNs first_ns = 0;
  TimeNs last_ns = 0;
  std::uint8_t severities = 0;
  std::uint8_t streams = 0;
  /// Compressed; see collector/log_chunk.hpp.
  std::string data;
};

/// A record for one sink, until it is delivered.
struct OutboxRow {
  std::string sink;
  sinks::Kind kind = sinks::Kind::kApiFailure;
  std::string idempotency_key;
  std::string run_id;
  std::string payload;
};

/// What tells the last record taken of a partition from any other that could stand at its offset: the topic may have been
/// deleted and made anew.
struct LastRecord {
  /// As Kafka gave it; -1: it had none.
  std::int64_t timestamp_ms = -1;
  /// Of its key and value; see last_record() in collector/consume_last_record.hpp.
  std::uint64_t hash = 0;
  bool operator==(const LastRecord&) const = default;
};

/// How far the store has come with one partition, and who may write it.
struct PartitionRow {
  std::string topic;
  std::int32_t partition = 0;
  /// The offset after the last one whose effect is in this batch; absent: it stays as it is.
  std::optional<std::int64_t> next_offset;
  /// The epoch this collector was given when it claimed the partition.
  std::int64_t epoch = 0;
  /// Of the record at next_offset - 1; absent: none was taken there.
  std::optional<LastRecord> last{};
  /// The partition's clock, for whoever goes on; see PartitionClock in collector/liveness.hpp.
  TimeNs clock_ns = 0;
  TimeNs covered_until_ns = 0;
};

/// Records that will never be folded, although a partition goes on behind them.
struct LossRow {
  std::string topic;
  std::int32_t partition = 0;
  /// The offset that would have been next.
  std::int64_t from_offset = 0;
  /// Where it goes on; in the new topic when the old one was deleted.
  std::int64_t to_offset = 0;
  /// At most so many; absent: nobody knows.
  std::optional<std::uint64_t> records;
  /// A short fixed word: "retention" or "recreated".
  std::string reason;
  /// When it was found.
  TimeNs at_ns = 0;
};

/// Everything one transaction writes: dirty rows once each, and the offsets that they stand for.
struct Batch {
  std::vector<RunRow> runs{};
  std::vector<RunLogsRow> run_logs{};
  std::vector<LogChunk> log_chunks{};
  std::vector<ApiFailureRow> api_failures{};
  std::vector<OperationRow> operations{};
  std::vector<OutboxRow> outbox{};
  std::vector<PartitionRow> partitions{};
  /// What the partitions' offsets skip.
  std::vector<LossRow> losses{};
};

}  // namespace runfold::collector

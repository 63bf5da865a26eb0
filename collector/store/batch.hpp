// What one transaction writes. Made on the pipeline's strand, read on the writer's thread.
#pragma once

#include "collector/rows.hpp"
#include "sinks/sink.hpp"

#include <cstdint>
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

/// How far the store has come with one partition, and who may write it.
struct PartitionRow {
  std::string topic;
  std::int32_t partition = 0;
  /// The offset after the last one whose effect is in this batch.
  std::int64_t next_offset = 0;
  /// The epoch this collector was given when it claimed the partition.
  std::int64_t epoch = 0;
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
};

}  // namespace runfold::collector

// What a pipeline tells of its work: implemented by the metrics.
#pragma once

#include "collector/counts.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runfold::collector {

/// Thread: the pipeline's strand and its writer's thread; implementations lock for themselves.
class Observer {
 public:
  virtual ~Observer() = default;
  /// A batch is in the store: its counts may now be shown.
  virtual void committed(const Counts& counts, std::chrono::nanoseconds duration) = 0;
  virtual void commit_failed(std::string_view reason) = 0;
  /// A record went to the dead letters, acknowledged. `reason` is a short fixed word, for example "undecodable".
  virtual void dead_letter(std::string_view topic, std::string_view reason) = 0;
  virtual void lag(std::string_view topic, std::int32_t partition, std::int64_t records) = 0;
  /// The partition is another member's now: its lag is no longer ours to show.
  virtual void lag_gone(std::string_view topic, std::int32_t partition) = 0;
  /// Retention removed some: `kind` is "runs", "log_records", "api_failures", "api_failure_groups", "operations" or "rejected".
  virtual void removed(std::string_view kind, std::uint64_t count) = 0;
  /// How much stands in the store: `kind` is "runs", "logs", "file" or "free".
  virtual void store_bytes(std::string_view kind, std::uint64_t bytes) = 0;
  virtual void retention_failed() = 0;
  /// How many of this collector's partitions are stopped for an operator.
  virtual void partitions_stopped(std::size_t partitions) = 0;
};

}  // namespace runfold::collector

// What the store must hold in the end, worked out from what was sent: maps and sums, and nothing of the fold's.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace runfold::collector::test {

/// Unknown is not zero: absent stays absent.
using Sum = std::optional<std::uint64_t>;
inline void add(Sum& sum, std::uint64_t part) {
  sum = sum.value_or(0) + part;
}

/// Of each topic.
inline constexpr std::int32_t kPartitions = 4;
/// The run and the operation whose records stand last in a partition of their topic.
inline std::string last_of(std::int32_t partition) {
  return "last-of-" + std::to_string(partition);
}

struct ExpectedStep {
  std::optional<std::int64_t> started_ns;
  std::optional<std::int64_t> ended_ns;
  bool failed = false;
  Sum entities;
  Sum relationships;
  std::optional<std::int64_t> duration_ns;
  std::string error;
};

struct ExpectedRun {
  std::string connector;
  std::string version;
  std::string site;
  std::optional<std::int64_t> started_ns;
  std::optional<std::int64_t> finished_ns;
  std::int64_t last_seen_ns = 0;
  std::optional<int> exit_code;
  std::optional<int> signal;
  std::optional<std::int64_t> duration_ns;
  /// By name and try.
  std::map<std::pair<std::string, std::uint32_t>, ExpectedStep> steps;
  /// As in SyncStats: entities created, updated, deleted, then relationships.
  std::array<Sum, 6> stats;
  std::uint64_t events = 0;
  /// Events that are worth publishing: neither heartbeat nor progress.
  std::uint64_t revision = 0;
  std::optional<std::uint64_t> progress_done;
  /// By partition of the events topic: the lowest and the highest offset.
  std::map<std::int32_t, std::pair<std::int64_t, std::int64_t>> offsets;

  std::array<std::uint64_t, 8> log_counts{};
  /// In the order in which they were logged.
  std::vector<std::string> messages;
  /// False: its logs stand in several partitions, so nobody knows in which order they arrive.
  bool in_order = true;
  /// Request URIs of the failing calls.
  std::multiset<std::string> api_failures;
};

struct ExpectedOperation {
  std::string status;
  std::int64_t updated_ns = 0;
  bool removed = false;
};

struct Oracle {
  std::map<std::string, ExpectedRun> runs;
  std::map<std::string, ExpectedOperation> operations;
  /// By topic and partition: the offset behind the last record.
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> ends;
  /// Where records stand that cannot be read: topic, partition, offset.
  std::set<std::tuple<std::string, std::int32_t, std::int64_t>> poison;
};

}  // namespace runfold::collector::test

// How long a store keeps what it has, and what one step of removing the rest did.
#pragma once

#include "collector/rows.hpp"

#include <cstdint>
#include <optional>

namespace runfold::collector {

/// Bounds on one kind of row. An absent one keeps for ever.
struct Keep {
  /// Unit: nanoseconds since the row was last heard of, on the store's own clock.
  std::optional<TimeNs> age_ns{};
  /// Of the rows as the store estimates their share of the disk, indexes included.
  std::optional<std::uint64_t> bytes{};
};

/// What a store keeps. The oldest goes first.
struct Retention {
  /// A run with its log counts, log chunks and API failures. A run that is running is never removed, whatever its age.
  /// The age is that of the groups of API failures, of the operations and of the records that a sink refused, too; those
  /// have no bound in bytes. A group counts the failures of runs that are gone, until nothing was added to it for that long.
  Keep runs{};
  /// Log chunks alone; the counts stay with the run. Those of a run that is running are removed like others.
  Keep logs{};
};

/// One step of Writer::trim().
struct TrimStep {
  /// Rows and bytes that it may remove, of runs and of logs each. A row is removed whole, so one may pass the bytes.
  std::size_t rows = 200;
  std::uint64_t bytes = 4 * 1024 * 1024;
  /// Bytes that it may give back to the file system.
  std::uint64_t give_back = 1024 * 1024;
  /// Nothing has been written for a while: there is time to put the write-ahead log away.
  bool quiet = false;
};

/// What a step did, and what is left.
struct Trimmed {
  std::uint64_t runs = 0;
  std::uint64_t log_records = 0;
  std::uint64_t api_failures = 0;
  std::uint64_t api_failure_groups = 0;
  std::uint64_t operations = 0;
  std::uint64_t rejected = 0;
  /// There is more to do: call again soon.
  bool more = false;

  /// What stands in the store now, as Keep::bytes counts it.
  std::uint64_t runs_bytes = 0;
  std::uint64_t logs_bytes = 0;
  /// The database file without its log, and how much of it is free for rows to come.
  std::uint64_t file_bytes = 0;
  std::uint64_t free_bytes = 0;
};

}  // namespace runfold::collector

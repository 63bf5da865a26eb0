// Where a record came from, and what folding it did.
#pragma once

#include "collector/rows.hpp"

#include <cstdint>
#include <string_view>

namespace runfold::collector {

/// Where a record stood, and when the log says it was written.
struct Origin {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  /// The record's Kafka timestamp; the time of what has none of its own.
  TimeNs record_time_ns = 0;
  /// What the partition's clock says at this record; see collector/liveness.hpp.
  TimeNs clock_ns = 0;
};

/// When something was last heard of: on which partition, and what its clock said.
struct HeardAt {
  std::int32_t partition = 0;
  TimeNs clock_ns = 0;
};

enum class Folded : std::uint8_t {
  kFolded,
  kDuplicate,  ///< Seen before by its sequence number; nothing changed but the count of duplicates.
};

/// What judging a run came to.
enum class Judged : std::uint8_t {
  kNothing,  ///< It is not running; nothing changed.
  kGranted,  ///< It has time left: its row says until when.
  kLost,
  kTimeout,
};

}  // namespace runfold::collector

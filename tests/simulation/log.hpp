// The topics of the model: what was appended, and what each record means to the oracle.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"
#include "transport/kafka/record.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace runfold::simulation {

inline const std::string kEvents = "runfold.events";
inline const std::string kLogs = "runfold.logs";
inline const std::string kOperations = "runfold.operations";

struct Poison {};
/// An operation's null value.
struct Removal {};

/// A record as its producer meant it, and as it stands on the wire.
struct Sent {
  std::variant<v1::SyncEvent, v1::LogBatch, v1::Operation, Removal, Poison> meaning;
  std::string key;
  std::optional<std::string> value;
};

struct Entry {
  std::shared_ptr<const Sent> sent;
  std::int64_t timestamp_ms = 0;
  /// True time. Unit: nanoseconds since the Unix epoch.
  std::int64_t appended_ns = 0;
};

struct Log {
  std::vector<Entry> entries;
  /// Retention has deleted what is before it.
  std::int64_t low = 0;
  [[nodiscard]] std::int64_t high() const noexcept { return static_cast<std::int64_t>(entries.size()); }
};

using Logs = std::map<kafka::TopicPartition, Log>;

}  // namespace runfold::simulation

// Ranges of records: which there are of a topic, and reading them to their ends.
#pragma once

#include "transport/kafka/consumer.hpp"
#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/record.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace runfold::kafka {

/// Milliseconds since the Unix epoch, by the records' own Kafka timestamps. Absent: the oldest record there is, and the
/// high watermark of now.
struct TimeBounds {
  std::optional<std::int64_t> from_ms;
  std::optional<std::int64_t> to_ms;
};

/// The range of every partition of the topics: from the first record with a timestamp at or after `from_ms`, up to the
/// first one at or after `to_ms`. Empty ranges (first == end) stand in it too. An embedded broker does not know times.
/// Errors: kNotFound names the topic that is not there; kUnreachable, kTimedOut, kUnauthorised.
[[nodiscard]] Result<std::vector<Range>> find_ranges(const Properties& properties, std::span<const std::string> topics,
                                                     const TimeBounds& times, std::chrono::milliseconds limit);

/// Reads the ranges, outside of any group, waiting where it must. Records come in order within a partition. `on_message`
/// returns false to stop; its view lives until it returns. `patience` bounds each wait for the next record.
/// Errors: kTimedOut or kUnreachable when Kafka gave nothing for that long; what it refuses, as it comes.
[[nodiscard]] Result<void> read_ranges(const Properties& properties, std::vector<Range> ranges,
                                       const std::function<bool(const Message&)>& on_message, std::chrono::milliseconds patience);

}  // namespace runfold::kafka

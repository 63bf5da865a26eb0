// The librdkafka properties of our consumers: what we add, what we insist on, what we do ourselves.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/watch_turns.hpp"

#include <string>

namespace runfold::kafka {

/// Where a partition starts whose owner names no offset.
enum class OffsetReset { kEarliest, kLatest, kError };

struct ConsumerSettings {
  /// Complete: what librdkafka gets.
  Properties properties;
  OffsetReset reset = OffsetReset::kEarliest;
  WatchPace pace{};
};

/// Errors: kInvalid when a property contradicts how our consumers work.
[[nodiscard]] Result<ConsumerSettings> consumer_settings(const Properties& users, const std::string& group);

}  // namespace runfold::kafka

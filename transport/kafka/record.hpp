// Kafka records as views: what is read from a topic and what is written to one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace runfold::kafka {

struct Header {
  std::string_view name;
  std::optional<std::string_view> value;
};

/// One partition of one topic. Orders by topic, then partition.
struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

/// Records of one partition: from offset `first` up to, not including, `end`.
struct Range {
  TopicPartition at;
  std::int64_t first = 0;
  std::int64_t end = 0;
};

/// A record to write. Views: they need to live only until produce() returns.
struct OutRecord {
  std::string_view topic;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::span<const Header> headers;
  /// Milliseconds since the Unix epoch; 0 leaves it to the client.
  std::int64_t timestamp_ms = 0;
  /// -1 leaves it to the partitioner.
  std::int32_t partition = -1;
};

/// A record as read. Views into the message that holds it: valid while that message lives.
struct InRecord {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  /// Milliseconds since the Unix epoch; -1 when the record has none.
  std::int64_t timestamp_ms = -1;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
};

}  // namespace runfold::kafka

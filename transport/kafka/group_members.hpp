// What the members of a consumer group were given, as its coordinator tells.
#pragma once

#include "transport/kafka/handle.hpp"
#include "transport/kafka/record.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::kafka {

/// The partitions that all members of the group have together. Absent when nobody says within the limit, or the group is just
/// dividing them. Asks every broker. Thread: any.
[[nodiscard]] std::optional<std::set<TopicPartition>> given_to_members(rd_kafka_t* client, const std::string& group,
                                                                       std::chrono::milliseconds limit);

/// Reads a member's assignment as the consumer protocol writes it (big-endian: version, then topics with their partitions).
/// Absent: it is something else.
[[nodiscard]] std::optional<std::vector<TopicPartition>> read_assignment(std::string_view bytes);

}  // namespace runfold::kafka

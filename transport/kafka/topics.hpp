// Runfold's topics: their policies, and making or verifying them on a cluster.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace runfold::kafka {

/// The names of the six topics. Sources and sinks alike use these, so a renamed topic is renamed once.
struct TopicNames {
  std::string events = "runfold.events";
  std::string logs = "runfold.logs";
  std::string operations = "runfold.operations";
  std::string runs = "runfold.runs";
  std::string api_failures = "runfold.api-failures";
  std::string dead_letters = "runfold.dead-letters";
};

/// What a topic should be like.
struct TopicPolicy {
  std::string name;
  std::int32_t partitions = 4;
  /// -1: the broker's default.
  std::int32_t replication = -1;
  /// Topic configuration, for example cleanup.policy=compact.
  std::map<std::string, std::string> config;
};

/// The policies of all six topics, as the wire contract has them (events kept 7 days, logs 3, compacted operations and runs).
[[nodiscard]] std::vector<TopicPolicy> topic_policies(const TopicNames& names, std::int32_t partitions = 4, std::int32_t replication = -1);

/// How one topic compares with its policy.
struct TopicReport {
  std::string name;
  bool exists = false;
  bool created = false;
  std::int32_t partitions = 0;
  /// One sentence each, for example "cleanup.policy: has delete, wants compact". Empty when all is well.
  std::vector<std::string> differences;
};

/// Compares topics with their policies; changes nothing. More partitions than the policy says, and a longer retention, are
/// no difference: a cluster's owner may want them.
/// Errors: kUnreachable names the address and the cause, after a second when connections fail; kTimedOut; kUnauthorised; for embedded
/// brokers, which have no topic configuration to compare, kOther.
[[nodiscard]] Result<std::vector<TopicReport>> verify_topics(const Properties& properties, const std::vector<TopicPolicy>& policies,
                                                             std::chrono::milliseconds limit);

/// Makes the topics that are missing, with their policies, waits until the brokers list them, and compares the others. Never
/// alters a topic that exists.
/// Errors: as verify_topics(); kInvalid names the topic that the broker refuses.
[[nodiscard]] Result<std::vector<TopicReport>> create_topics(const Properties& properties, const std::vector<TopicPolicy>& policies,
                                                             std::chrono::milliseconds limit);

}  // namespace runfold::kafka

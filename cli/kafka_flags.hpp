// The flags that say where Kafka is.
#pragma once

#include "cli/query.hpp"
#include "transport/kafka/properties.hpp"

#include <string>
#include <vector>

namespace runfold::cli {

/// Shared by exec, emit, log and topics.
struct KafkaFlags {
  std::string bootstrap_servers;
  /// "name=value" each.
  std::vector<std::string> properties;
  /// A file of such lines, for what must not stand on a command line.
  std::string properties_file;
};
void add_kafka_flags(CLI::App& command, KafkaFlags& flags);

/// Adds to `properties` what the flags say, over what is there: the file, then -X, then --bootstrap-servers. When none of
/// them, nor RUNFOLD_BOOTSTRAP_SERVERS, names a broker, an embedded one's address is taken if there is one.
/// Errors: kConfiguration names the property, and for a file its line.
[[nodiscard]] Outcome<> apply_kafka_flags(const KafkaFlags& flags, kafka::Properties& properties);

}  // namespace runfold::cli

// The flags that say where Kafka is.
#include "cli/kafka_flags.hpp"

#include "transport/kafka/embedded_broker.hpp"
#include "transport/kafka/properties_file.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace runfold::cli {

void add_kafka_flags(CLI::App& command, KafkaFlags& flags) {
  command.add_option("--bootstrap-servers", flags.bootstrap_servers, "Kafka's host:port, ... (or RUNFOLD_BOOTSTRAP_SERVERS)")
      ->type_name("HOSTS");
  command.add_option("-X", flags.properties, "Any librdkafka property; may be given more than once")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--kafka-config", flags.properties_file, "A file of librdkafka properties, name=value a line (or RUNFOLD_KAFKA_CONFIG)")
      ->type_name("FILE");
}

Outcome<> apply_kafka_flags(const KafkaFlags& flags, kafka::Properties& properties) {
  std::string file = flags.properties_file;
  if (const char* set = std::getenv("RUNFOLD_KAFKA_CONFIG"); file.empty() && set != nullptr) file = set;
  if (!file.empty()) {
    if (const auto read = kafka::read_properties_file(file, properties); !read) return Failure{kConfiguration, read.error().message};
  }
  for (const std::string& pair : flags.properties) {
    if (const auto set = properties.set_pair(pair); !set) return Failure{kConfiguration, "-X: " + set.error().message};
  }
  std::string servers = flags.bootstrap_servers;
  const char* environment = std::getenv("RUNFOLD_BOOTSTRAP_SERVERS");
  if (servers.empty() && !properties.get("bootstrap.servers") && environment != nullptr) servers = environment;
  if (servers.empty() && !properties.get("bootstrap.servers")) {
    if (const auto embedded = kafka::read_embedded_address()) servers = embedded->bootstrap_servers;
  }
  if (!servers.empty()) {
    if (const auto set = properties.set("bootstrap.servers", servers); !set) return Failure{kConfiguration, set.error().message};
  }
  return {};
}

}  // namespace runfold::cli

// The collector's configuration: flags over environment over one YAML file.
#pragma once

#include "collector/config_section.hpp"
#include "collector/liveness.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runfold::collector {

/// A value, and where it was given, for messages about it: "runfold.yaml:4: store", "--store", "RUNFOLD_STORE" or "the default".
struct Setting {
  std::string value;
  std::string origin;
};

struct CommitConfig {
  std::chrono::milliseconds interval{200};
  std::size_t rows = 10'000;
  std::size_t bytes = 16 * 1024 * 1024;
};

/// Bounds on what is held in memory.
struct LimitsConfig {
  std::size_t runs_in_memory = 20'000;
  std::size_t run_memory_bytes = 128 * 1024 * 1024;
  std::size_t record_bytes = 4 * 1024 * 1024;
};

/// Bounds on what the store keeps; an absent one keeps for ever.
struct KeepConfig {
  std::optional<std::chrono::milliseconds> age;
  std::optional<std::uint64_t> bytes;
};
struct RetentionConfig {
  KeepConfig runs{std::chrono::hours(90 * 24), std::uint64_t{10} << 30};
  KeepConfig logs{std::chrono::hours(14 * 24), std::uint64_t{20} << 30};
};

struct HttpConfig {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 1024 * 1024;
  std::size_t connections = 256;
  std::chrono::milliseconds request_time{10'000};
  std::chrono::milliseconds response_time{30'000};
  std::chrono::milliseconds idle_time{60'000};
  /// Threads that read the store, one connection each.
  std::size_t query_threads = 2;
  /// Queries that may wait for one of them.
  std::size_t waiting_queries = 128;
};

struct MetricsConfig {
  /// Connectors with a label value of their own; the others are counted as "other".
  std::size_t max_connectors = 200;
};

/// A sink to be made. What its type means, and which options it takes, is known to who makes it.
struct SinkConfig {
  std::string name;
  std::string type;
  /// "run", "api_failure"; at least one.
  std::vector<std::string> kinds;
  /// For the options of the type. Its maker calls finish() when it has asked for all it knows.
  ConfigSection options;
};

struct Config {
  kafka::Properties kafka;
  kafka::TopicNames topics;
  /// Whether missing topics are made at start.
  bool create_topics = true;
  std::int32_t partitions = 4;
  /// -1: the broker's default.
  std::int32_t replication = -1;
  std::string group = "runfold-collector";
  /// Go on behind records that Kafka no longer has, instead of stopping their partition.
  bool continue_on_data_loss = false;
  Setting store;
  Setting listen{"127.0.0.1:8730", "the default"};
  CommitConfig commit;
  LimitsConfig limits;
  RetentionConfig retention;
  LivenessLimits liveness;
  HttpConfig http;
  MetricsConfig metrics;
  std::vector<SinkConfig> sinks;
  /// The file that was read; empty: none was given.
  std::string file;
  /// Holds what is wrong, and takes what the makers of sinks and stores find wrong. Never null.
  std::shared_ptr<ConfigSection::File> notes;

  [[nodiscard]] const ConfigProblems& problems() const noexcept { return notes->problems; }
};

/// What the command line says.
struct ConfigFlags {
  std::optional<std::string> file;
  std::optional<std::string> bootstrap_servers;
  std::optional<std::string> group;
  std::optional<std::string> store;
  std::optional<std::string> listen;
  std::optional<std::string> on_data_loss;
  /// "name=value" each, as given to -X.
  std::vector<std::string> properties;
  /// Kafka is to be had in this process: bootstrap.servers need not be given.
  bool embedded_broker = false;
};

/// Reads the configuration. Wherever something is wrong the default stands, and problems() says what, each by file, line and key.
[[nodiscard]] Config load_config(const ConfigFlags& flags, const Environment& environment);

/// What the collector would do with it, a line each, for a person. Shows no secret.
[[nodiscard]] std::string describe(const Config& config);

/// The process's own environment.
[[nodiscard]] Environment process_environment();

/// Where the collector keeps its state unless told otherwise: $RUNFOLD_STATE_DIR, else $XDG_STATE_HOME/runfold,
/// else ~/.local/state/runfold.
[[nodiscard]] std::filesystem::path state_folder(const Environment& environment);

}  // namespace runfold::collector

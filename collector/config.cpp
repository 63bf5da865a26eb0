// The collector's configuration: flags over environment over one YAML file.
#include "collector/config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

namespace runfold::collector {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostFileBytes = 1024 * 1024;
constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

struct Owned {
  std::string_view property;
  std::string_view why;
};

/// Properties that the collector sets itself: exactly-once rests on them.
constexpr std::array kOwned{
    Owned{"group.id", "is set by group"},
    Owned{"enable.auto.commit", "is the collector's own: offsets are committed with the aggregates"},
    Owned{"enable.auto.offset.store", "is the collector's own: offsets are committed with the aggregates"},
    Owned{"enable.partition.eof", "is the collector's own: it tells that all was read where the last offsets hold no record"},
};

/// The empty text when all is well.
std::string set_property(kafka::Properties& properties, const std::string& name, const std::string& value) {
  for (const Owned& owned : kOwned) {
    if (owned.property == name) {
      return name + " " + std::string(owned.why);
    }
  }
  const auto set = properties.set(name, value);
  return set ? std::string{} : set.error().message;
}

void read_kafka(ConfigSection kafka, Config& to) {
  kafka.each([&](const std::string& key, const std::string& name, const std::string& value) {
    if (const std::string problem = set_property(to.kafka, name, value); !problem.empty()) {
      kafka.problem(key, problem);
    }
  });
}

bool is_topic_name(const std::string& name) {
  return name.size() <= 249 && name != "." && name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

void read_topics(ConfigSection topics, Config& to) {
  const std::array<std::pair<std::string_view, std::string*>, 6> names{{{"events", &to.topics.events},
                                                                        {"logs", &to.topics.logs},
                                                                        {"operations", &to.topics.operations},
                                                                        {"runs", &to.topics.runs},
                                                                        {"api_failures", &to.topics.api_failures},
                                                                        {"dead_letters", &to.topics.dead_letters}}};
  for (const auto& [key, name] : names) {
    if (const auto given = topics.text(key)) {
      if (is_topic_name(*given)) {
        *name = *given;
      } else {
        topics.problem(key, "is \"" + *given + "\"; a topic's name is 1 to 249 letters, digits, dots, underscores and hyphens");
      }
    }
  }
  std::set<std::string> seen;
  for (const auto& [key, name] : names) {
    if (!seen.insert(*name).second) {
      topics.problem(key, "is \"" + *name + "\", as another of these topics is; each needs a topic of its own");
    }
  }
  to.create_topics = topics.flag("create", to.create_topics);
  to.partitions = static_cast<std::int32_t>(topics.number("partitions", to.partitions, 1, 10'000));
  to.replication = static_cast<std::int32_t>(topics.number("replication", to.replication, -1, 32));
  if (to.replication == 0) {
    topics.problem("replication", "is \"0\"; allowed is -1 (the broker's default) or a whole number from 1 to 32");
  }
  topics.finish();
}

void read_commit(ConfigSection commit, CommitConfig& to) {
  to.interval = commit.duration("interval", to.interval, 1ms, 1min);
  to.rows = static_cast<std::size_t>(commit.number("rows", static_cast<std::int64_t>(to.rows), 1, 1'000'000));
  to.bytes = commit.size("bytes", to.bytes, 64 * kKiB, kGiB);
  commit.finish();
}

void read_limits(ConfigSection limits, LimitsConfig& to) {
  to.runs_in_memory =
      static_cast<std::size_t>(limits.number("runs_in_memory", static_cast<std::int64_t>(to.runs_in_memory), 100, 10'000'000));
  to.run_memory_bytes = limits.size("run_memory_bytes", to.run_memory_bytes, kMiB, 64 * kGiB);
  // Not above what collector/log_chunk.cpp reads again.
  to.record_bytes = limits.size("record_bytes", to.record_bytes, kKiB, 64 * kMiB);
  limits.finish();
}

void read_keep(ConfigSection keep, KeepConfig& to) {
  to.age = keep.duration_or_none("age", to.age, 1min, 24h * 36'500);
  to.bytes = keep.size_or_none("bytes", to.bytes, kMiB, 1024 * 1024 * kGiB);
  keep.finish();
}

void read_retention(ConfigSection retention, RetentionConfig& to) {
  read_keep(retention.section("runs"), to.runs);
  read_keep(retention.section("logs"), to.logs);
  retention.finish();
}

constexpr std::chrono::milliseconds kMostSilence = 30 * 24h;

/// Absent: the key is not given, or wrong.
std::optional<std::chrono::nanoseconds> read_limit(ConfigSection& section, std::string_view key) {
  const auto limit = section.duration(key, 0ms, 1s, kMostSilence);
  return limit > 0ms ? std::optional<std::chrono::nanoseconds>(limit) : std::nullopt;
}

void read_liveness(ConfigSection liveness, LivenessLimits& to) {
  to.silence = read_limit(liveness, "silence").value_or(to.silence);
  to.missed_heartbeats = static_cast<std::uint32_t>(liveness.number("missed_heartbeats", to.missed_heartbeats, 1, 1'000));
  to.max_duration = read_limit(liveness, "max_duration");
  to.settle = liveness.duration("settle", std::chrono::duration_cast<std::chrono::milliseconds>(to.settle), 0ms, 60min);
  ConfigSection connectors = liveness.section("connectors");
  for (const std::string& name : connectors.names()) {
    ConfigSection connector = connectors.section(name);
    auto& own = to.connectors[name];
    own.silence = read_limit(connector, "silence");
    own.max_duration = read_limit(connector, "max_duration");
    connector.finish();
  }
  liveness.finish();
}

void read_http(ConfigSection http, HttpConfig& to) {
  to.header_bytes = http.size("header_bytes", to.header_bytes, kKiB, kMiB);
  to.body_bytes = http.size("body_bytes", to.body_bytes, kKiB, 64 * kMiB);
  to.connections = static_cast<std::size_t>(http.number("connections", static_cast<std::int64_t>(to.connections), 1, 100'000));
  to.request_time = http.duration("request_time", to.request_time, 100ms, 10min);
  to.response_time = http.duration("response_time", to.response_time, 100ms, 10min);
  to.idle_time = http.duration("idle_time", to.idle_time, 100ms, 60min);
  to.query_threads = static_cast<std::size_t>(http.number("query_threads", static_cast<std::int64_t>(to.query_threads), 1, 64));
  to.waiting_queries = static_cast<std::size_t>(http.number("waiting_queries", static_cast<std::int64_t>(to.waiting_queries), 1, 10'000));
  http.finish();
}

void read_metrics(ConfigSection metrics, MetricsConfig& to) {
  to.max_connectors = static_cast<std::size_t>(metrics.number("max_connectors", static_cast<std::int64_t>(to.max_connectors), 1, 100'000));
  metrics.finish();
}

const std::vector<std::string> kKinds{"run", "api_failure"};

bool is_sink_name(const std::string& name) {
  return name.size() <= 60 && std::all_of(name.begin(), name.end(),
                                          [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; });
}

void read_sink(ConfigSection section, std::set<std::string>& names, Config& to) {
  const std::string type = section.text("type").value_or("");
  const std::string name = section.text("name").value_or("");
  if (!section.has("type")) section.problem("type", "is missing; say of which type the sink is");
  if (!section.has("name")) section.problem("name", "is missing; a sink is known by its name in metrics and in the store");
  if (!is_sink_name(name)) {
    section.problem("name", "is \"" + name + "\"; a sink's name is at most 60 lower-case letters, digits, underscores and hyphens");
  } else if (!name.empty() && !names.insert(name).second) {
    section.problem("name", "is \"" + name + "\", as an earlier sink's is; each needs a name of its own");
  }
  const auto kinds = section.words("kinds").value_or(kKinds);
  for (const auto& kind : kinds) {
    if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
      section.problem("kinds", "holds \"" + kind + "\"; allowed are run and api_failure");
    }
  }
  if (kinds.empty()) {
    section.problem("kinds", "is empty; name run, api_failure or both");
  }
  to.sinks.push_back({name, type, kinds, std::move(section)});
}

void read_sinks(ConfigSection& root, Config& to) {
  auto sections = root.sections("sinks");
  if (!sections) {
    to.sinks.push_back({"kafka", "kafka_topic", kKinds, ConfigSection(to.notes, {}, "sinks[0]")});
    return;
  }
  std::set<std::string> names;
  for (auto& section : *sections) {
    read_sink(std::move(section), names, to);
  }
}

void read_on_data_loss(const Setting& setting, Config& to) {
  if (setting.value == "stop" || setting.value == "continue") {
    to.continue_on_data_loss = setting.value == "continue";
  } else {
    to.notes->problems.push_back(setting.origin + ": is \"" + setting.value + "\"; allowed is stop or continue");
  }
}

void read_file(const std::string& path, const std::string& given_by, const Environment& environment, Config& to) {
  to.file = path;
  to.notes->name = path;
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) {
    to.notes->problems.push_back(path + ": is a folder, not a configuration file (given by " + given_by + ")");
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    to.notes->problems.push_back(path + ": cannot be read: " + std::strerror(errno) + " (given by " + given_by + ")");
    return;
  }
  std::string text(kMostFileBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kMostFileBytes) {
    to.notes->problems.push_back(path + ": is larger than 1MiB; that is no configuration");
    return;
  }

  ConfigSection root(to.notes, parse_config(text, path, environment, to.notes->problems), "");
  read_kafka(root.section("kafka"), to);
  read_topics(root.section("topics"), to);
  if (const auto group = root.text("group")) to.group = *group;
  if (const auto store = root.secret("store")) to.store = {*store, root.origin(root.has("store") ? "store" : "store_file")};
  if (const auto word = root.text("on_data_loss")) read_on_data_loss({*word, root.origin("on_data_loss")}, to);
  if (const auto listen = root.text("listen")) to.listen = {*listen, root.origin("listen")};
  read_commit(root.section("commit"), to.commit);
  read_limits(root.section("limits"), to.limits);
  read_retention(root.section("retention"), to.retention);
  read_liveness(root.section("liveness"), to.liveness);
  read_http(root.section("http"), to.http);
  read_metrics(root.section("metrics"), to.metrics);
  read_sinks(root, to);
  root.finish();
}

/// The flag if given, else the variable if set and not empty.
std::optional<Setting> over_file(const std::optional<std::string>& flag, const std::string& flag_name, const Environment& environment,
                                 const std::string& variable, ConfigProblems& problems) {
  if (flag && flag->empty()) {
    problems.push_back(flag_name + ": has no value; give one or leave it out");
    return std::nullopt;
  }
  if (flag) {
    return Setting{*flag, flag_name};
  }
  const auto set = environment(variable);
  return set && !set->empty() ? std::optional(Setting{*set, variable}) : std::nullopt;
}

void check_listen(Config& config) {
  const std::string& listen = config.listen.value;
  const std::size_t colon = listen.rfind(':');
  const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
  const bool digits =
      !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (colon == 0 || !digits || std::stoi(port) > 65'535) {
    config.notes->problems.push_back(config.listen.origin + ": is \"" + listen + "\"; write HOST:PORT, for example 127.0.0.1:8730");
  }
}

}  // namespace

Config load_config(const ConfigFlags& flags, const Environment& environment) {
  Config config;
  config.notes = std::make_shared<ConfigSection::File>();
  auto& problems = config.notes->problems;

  if (const auto file = over_file(flags.file, "--config", environment, "RUNFOLD_CONFIG", problems)) {
    read_file(file->value, file->origin, environment, config);
  } else {
    ConfigSection nothing(config.notes, {}, "");
    read_sinks(nothing, config);
  }

  for (const std::string& pair : flags.properties) {
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string name = pair.substr(0, equals);
    std::string problem;
    if (equals == 0 || equals == pair.size()) {
      const auto refused = config.kafka.set_pair(pair);
      problem = refused ? "" : refused.error().message;
    } else {
      problem = set_property(config.kafka, name, pair.substr(equals + 1));
    }
    if (!problem.empty()) {
      problems.push_back("-X: " + problem);
    }
  }
  if (const auto servers = over_file(flags.bootstrap_servers, "--bootstrap-servers", environment, "RUNFOLD_BOOTSTRAP_SERVERS", problems)) {
    if (const auto set = config.kafka.set("bootstrap.servers", servers->value); !set) {
      problems.push_back(servers->origin + ": " + set.error().message);
    }
  }
  if (const auto group = over_file(flags.group, "--group", environment, "RUNFOLD_GROUP", problems)) config.group = group->value;
  if (const auto store = over_file(flags.store, "--store", environment, "RUNFOLD_STORE", problems)) config.store = *store;
  if (const auto listen = over_file(flags.listen, "--listen", environment, "RUNFOLD_LISTEN", problems)) config.listen = *listen;
  if (const auto word = over_file(flags.on_data_loss, "--on-data-loss", environment, "RUNFOLD_ON_DATA_LOSS", problems)) {
    read_on_data_loss(*word, config);
  }
  if (config.store.value.empty()) {
    config.store = {"sqlite:" + (state_folder(environment) / "runfold.db").string(), "the default"};
  }

  if (config.group.empty() || config.group.size() > 255) {
    problems.push_back("group: is empty or longer than 255 bytes; name the consumer group");
  }
  check_listen(config);
  if (flags.embedded_broker && flags.bootstrap_servers) {
    problems.emplace_back(
        "--embedded-broker: given beside --bootstrap-servers; the embedded broker is the Kafka then, so give one of them");
  }
  const auto named = config.kafka.get("bootstrap.servers");
  if (!flags.embedded_broker && (!named || named->empty()) && problems.empty()) {
    problems.emplace_back(
        "kafka.bootstrap.servers: no Kafka is named; give --bootstrap-servers HOST:PORT, set RUNFOLD_BOOTSTRAP_SERVERS, or try "
        "--embedded-broker "
        "for a first look");
  }
  return config;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

std::filesystem::path state_folder(const Environment& environment) {
  const auto set = [&](const char* name) { return environment(name).value_or(""); };
  if (const std::string own = set("RUNFOLD_STATE_DIR"); !own.empty()) {
    return own;
  }
  if (const std::string xdg = set("XDG_STATE_HOME"); !xdg.empty()) {
    return std::filesystem::path(xdg) / "runfold";
  }
  const std::string home = set("HOME");
  return std::filesystem::path(home.empty() ? "." : home) / ".local/state/runfold";
}

}  // namespace runfold::collector

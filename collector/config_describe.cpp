// Says what the collector would do with a configuration.
#include "collector/config.hpp"
#include "collector/config_section.hpp"
#include "collector/config_units.hpp"

namespace runfold::collector {

namespace {

/// A SQLite path holds no secret; any other URL may hold a password.
std::string shown_store(const std::string& url) {
  return url.starts_with("sqlite:") ? url : url.substr(0, url.find(':')) + ":(not shown: it may hold a password)";
}

std::string kept(const KeepConfig& keep) {
  const std::string age = keep.age ? to_text(*keep.age) : "";
  const std::string bytes = keep.bytes ? size_text(*keep.bytes) : "";
  if (age.empty() && bytes.empty()) return "for ever";
  return age + (age.empty() || bytes.empty() ? "" : ", ") + (bytes.empty() ? "" : "at most " + bytes);
}

}  // namespace

std::string describe(const Config& config) {
  std::string text;
  const auto line = [&text](const std::string& name, const std::string& value) { text += name + ": " + value + "\n"; };
  line("configuration", config.file.empty() ? "no file, defaults" : config.file);
  for (const auto& [name, value] : config.kafka.all()) {
    line("kafka." + name, kafka::Properties::is_secret(name) ? "(secret)" : value);
  }
  line("reads", joined({config.topics.events, config.topics.logs, config.topics.operations}) + " as group " + config.group);
  line("dead letters", config.topics.dead_letters);
  line("missing topics", config.create_topics ? "are made, with " + std::to_string(config.partitions) + " partitions" : "are not made");
  line("lost records", config.continue_on_data_loss ? "are recorded, and their partition goes on" : "stop their partition for an operator");
  line("store", shown_store(config.store.value) + " (" + config.store.origin + ")");
  line("commits", "every " + to_text(config.commit.interval) + " or " + std::to_string(config.commit.rows) + " rows");
  line("keeps runs", kept(config.retention.runs));
  line("keeps logs", kept(config.retention.logs));
  line("a silent run is lost", "after " + span_text(config.liveness.silence) + ", or " + std::to_string(config.liveness.missed_heartbeats) +
                                   " missed heartbeats (at least " + span_text(LivenessLimits::kLeastForHeartbeats) + ")");
  if (config.liveness.max_duration) line("a long run is timed out", "after " + span_text(*config.liveness.max_duration));
  for (const auto& [name, own] : config.liveness.connectors) {
    if (own.silence) line("a silent run of " + name + " is lost", "after " + span_text(*own.silence));
    if (own.max_duration) line("a long run of " + name + " is timed out", "after " + span_text(*own.max_duration));
  }
  line("listens", config.listen.value + " (" + config.listen.origin + ")");
  for (const auto& sink : config.sinks) {
    line("sink " + sink.name, sink.type + " of " + joined(sink.kinds));
  }
  if (config.sinks.empty()) {
    line("sinks", "none");
  }
  return text;
}

}  // namespace runfold::collector

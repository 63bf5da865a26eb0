// runfold topics: makes Runfold's topics on a cluster, or checks them.
#include "transport/kafka/topics.hpp"

#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/kafka_flags.hpp"
#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <memory>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr const char* kTopicsFooter = R"(
Examples:
  runfold topics create --bootstrap-servers kafka:9092 --partitions 8 --replication 3
  runfold topics verify --bootstrap-servers kafka:9092     exits 1 when a topic is missing or differs
create makes what is missing with its policy and alters nothing that exists.)";

struct TopicsFlags {
  KafkaFlags kafka;
  kafka::TopicNames names;
  std::int32_t partitions = 4;
  std::int32_t replication = -1;
  std::string timeout = "30s";
  bool json = false;
};

void print_json(const kafka::TopicReport& topic, Streams& streams) {
  json::array differences;
  for (const std::string& difference : topic.differences) differences.emplace_back(difference);
  json::object document{
      {"name", topic.name}, {"exists", topic.exists}, {"created", topic.created}, {"differences", std::move(differences)}};
  if (topic.exists) document["partitions"] = topic.partitions;
  streams.out << json::serialize(document) << "\n";
}

int run_topics(const TopicsFlags& flags, bool create, Streams& streams) {
  kafka::Properties properties;
  if (const auto applied = apply_kafka_flags(flags.kafka, properties); !applied) return report(streams, applied.error());
  if (!properties.get("bootstrap.servers")) {
    return report(streams, {kConfiguration, "no Kafka is configured; set RUNFOLD_BOOTSTRAP_SERVERS or --bootstrap-servers"});
  }
  const auto policies = kafka::topic_policies(flags.names, flags.partitions, flags.replication);
  const auto limit = parse_duration(flags.timeout);
  if (!limit || limit->count() <= 0) {
    return report(streams, {kUsage, "--timeout \"" + printable(flags.timeout) + "\" is not a duration above 0; write for example 10s"});
  }
  const auto reports = create ? kafka::create_topics(properties, policies, *limit) : kafka::verify_topics(properties, policies, *limit);
  if (!reports) {
    const bool configuration = reports.error().code == kafka::Errc::kInvalid || reports.error().code == kafka::Errc::kUnauthorised;
    return report(streams, {configuration ? kConfiguration : kNotReachable, reports.error().message});
  }
  bool well = true;
  Table table({{"TOPIC"}, {"STATE"}, {"PARTITIONS", true}, {"DIFFERENCES"}});
  for (const kafka::TopicReport& topic : *reports) {
    const bool topic_well = topic.exists && topic.differences.empty();
    well = well && topic_well;
    if (flags.json) {
      print_json(topic, streams);
      continue;
    }
    std::string differences;
    for (const std::string& difference : topic.differences) differences += (differences.empty() ? "" : "; ") + difference;
    Cell state{topic.created ? "created" : "as it should be", Tone::kGood};
    if (!topic_well) state = {"differs", Tone::kWarn};
    if (!topic.exists) state = {"missing", Tone::kBad};
    table.add(
        {{topic.name}, state, {topic.exists ? std::to_string(topic.partitions) : ""}, {topic.exists ? differences : "", Tone::kWarn}});
  }
  if (!flags.json) table.print(streams.out, streams.colour);
  return well ? kOk : kNotSo;
}

}  // namespace

void add_topics(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("topics", "Make Runfold's topics on a cluster, or check them");
  command->footer(kTopicsFooter);
  command->require_subcommand(1);
  for (const bool create : {true, false}) {
    CLI::App* verb = create ? command->add_subcommand("create", "Make the topics that are missing, and check the others")
                            : command->add_subcommand("verify", "Check the topics; change nothing");
    verb->footer(kTopicsFooter);
    auto flags = std::make_shared<TopicsFlags>();
    add_kafka_flags(*verb, flags->kafka);
    verb->add_option("--partitions", flags->partitions, "Partitions of each topic")->check(CLI::PositiveNumber)->capture_default_str();
    verb->add_option("--replication", flags->replication, "Replicas of each partition; -1: as the broker has it")->capture_default_str();
    verb->add_option("--events-topic", flags->names.events)->capture_default_str();
    verb->add_option("--logs-topic", flags->names.logs)->capture_default_str();
    verb->add_option("--operations-topic", flags->names.operations)->capture_default_str();
    verb->add_option("--runs-topic", flags->names.runs)->capture_default_str();
    verb->add_option("--api-failures-topic", flags->names.api_failures)->capture_default_str();
    verb->add_option("--dead-letters-topic", flags->names.dead_letters)->capture_default_str();
    verb->add_option("--timeout", flags->timeout, "How long it may take; a Kafka that refuses connections is told at once")
        ->type_name("DURATION")
        ->capture_default_str();
    verb->add_flag("--json", flags->json, "Print JSON, one topic a line");
    verb->callback([flags, create, &invocation] {
      invocation.action = [flags, create, &invocation] { return run_topics(*flags, create, invocation.streams); };
    });
  }
}

}  // namespace runfold::cli

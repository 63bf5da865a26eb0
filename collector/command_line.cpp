// The collector's command line.
#include "collector/command_line.hpp"

#include <CLI/CLI.hpp>

namespace runfold::collector {

namespace {
constexpr int kUsage = 2;
}  // namespace

std::variant<CommandLine, int> read_command_line(int argc, const char* const* argv) {
  CLI::App app("Folds what connectors tell through Kafka into runs, and serves them.", "runfold-collector");
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.footer(
      "Flags win over the environment, which wins over the file.\n"
      "Exit codes: 0 stopped as asked; 1 failed, or verify found a difference; 2 usage; 69 an address, a file or a service is in use or "
      "away, try again;\n"
      "78 the configuration is bad.");

  CommandLine line;
  ConfigFlags& flags = line.flags;
  app.add_option("--config", flags.file, "The configuration, a YAML file (RUNFOLD_CONFIG)")->type_name("FILE");
  app.add_option("--bootstrap-servers", flags.bootstrap_servers, "Where Kafka is (RUNFOLD_BOOTSTRAP_SERVERS)")->type_name("HOST:PORT,...");
  app.add_option("--group", flags.group, "The consumer group, runfold-collector unless said otherwise (RUNFOLD_GROUP)")->type_name("NAME");
  app.add_option("--store", flags.store, "Where runs are kept, for example sqlite:/var/lib/runfold/runfold.db (RUNFOLD_STORE)")
      ->type_name("URL");
  app.add_option("--listen", flags.listen,
                 "Where HTTP is served, 127.0.0.1:8730 unless said otherwise; port 0 picks a free one (RUNFOLD_LISTEN)")
      ->type_name("HOST:PORT");
  app.add_option("--on-data-loss", flags.on_data_loss,
                 "When Kafka no longer has records that were not read: stop their partition (the default), or record the loss and continue "
                 "(RUNFOLD_ON_DATA_LOSS)")
      ->type_name("stop|continue");
  app.add_option("-X", flags.properties, "Any librdkafka property; may be given more than once")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--embedded-broker", flags.embedded_broker, "Bring a Kafka along in this process, in memory: for a first look");
  bool wants_version = false;
  app.add_flag("--version", wants_version, "Print the version");
  app.add_subcommand("run", "Run the collector (the default)");
  const auto* validate = app.add_subcommand("validate", "Check the configuration and say what the collector would do");
  auto* replay = app.add_subcommand("replay", "Rebuild a store from the topics; collectors that run and their sinks do not notice");
  replay->add_option("--from", line.replay.from, "earliest, or a time of Kafka's such as 2026-05-16T14:32:11Z")->type_name("WHEN");
  replay->add_option("--to", line.replay.to, "A time; unless given, what there is now")->type_name("WHEN");
  replay->add_option("--into", line.replay.into, "The store to fill, for example sqlite:rebuilt.db; it must be new")
      ->required()
      ->type_name("URL");
  replay->add_flag("--resume", line.replay.resume, "Go on into a store that a replay was broken off in, from the offsets that stand there");
  replay->footer(
      "Reads outside of the group, commits nothing to Kafka, fills no outbox, and sends no dead letters again. What it needs of\n"
      "the configuration is where Kafka is, the topics' names, commit and limits; --store and --listen do not matter.\n"
      "Exit codes: 0 complete; 1 broken off; 2 usage; 69 Kafka or the store is away; 78 the store is not new, or the configuration is "
      "bad.");
  auto* verify = app.add_subcommand("verify", "Say whether two stores hold the same truth; writes to neither");
  verify->add_option("A", line.verify.a, "A store, for example sqlite:/var/lib/runfold/runfold.db")->required()->type_name("URL");
  verify->add_option("B", line.verify.b, "The other one")->required()->type_name("URL");
  verify->add_option("--limit", line.verify.limit, "How many differences are printed; all are counted")->capture_default_str();
  verify->add_flag("--json", line.verify.json, "Print JSON, one document a line");
  verify->footer(
      "Compared are runs, logs and their records in any order, API failures and operations; not what depends on how a store was\n"
      "filled: revisions, offset bounds, chunk borders, and verdicts that are only presumptions (lost, timeout).\n"
      "Exit codes: 0 the same; 1 different; 2 usage; 69 a store is in use or away; 78 a store is none, or damaged.");
  const auto* version = app.add_subcommand("version", "Print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  line.command = replay->parsed()                     ? Command::kReplay
                 : verify->parsed()                   ? Command::kVerify
                 : wants_version || version->parsed() ? Command::kVersion
                 : validate->parsed()                 ? Command::kValidate
                                                      : Command::kRun;
  return line;
}

}  // namespace runfold::collector

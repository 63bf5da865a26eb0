// Chooses between the intake and Kafka.
#include "cli/sender.hpp"

#include "cli/duration.hpp"
#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <utility>

namespace runfold::cli {
namespace {

std::string environment_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

void add_sender_flags(CLI::App& command, SenderFlags& flags) {
  add_identity_flags(command, flags.identity);
  add_kafka_flags(command, flags.kafka);
  add_redaction_flags(command, flags.redaction);
  command.add_option("--timeout", flags.timeout, "How long it may take until all is acknowledged")
      ->type_name("DURATION")
      ->capture_default_str();
}

Outcome<std::unique_ptr<Sender>> make_sender(const SenderFlags& flags) {
  const auto limit = parse_duration(flags.timeout);
  if (!limit) return Failure{kUsage, "--timeout \"" + printable(flags.timeout) + "\" is not a duration; write for example 10s"};
  auto redactor = make_redactor(flags.redaction);
  if (!redactor) return redactor.error();
  const std::string intake_url = environment_of("RUNFOLD_INTAKE_URL");
  const std::string intake_run = environment_of("RUNFOLD_RUN_ID");
  const bool same_run = flags.identity.run_id.empty() || flags.identity.run_id == intake_run;
  if (!intake_url.empty() && same_run && flags.kafka.bootstrap_servers.empty()) {
    return make_intake_sender(intake_url, environment_of("RUNFOLD_INTAKE_TOKEN"), intake_run, std::move(*redactor), *limit);
  }
  return make_kafka_sender(flags, std::move(*redactor), *limit);
}

}  // namespace runfold::cli

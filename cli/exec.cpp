// runfold exec: runs a command as a run.
#include "producer/agent/exec.hpp"

#include "cli/command.hpp"
#include "cli/debug_flag.hpp"
#include "cli/duration.hpp"
#include "cli/identity_flags.hpp"
#include "cli/kafka_flags.hpp"
#include "cli/redaction_flags.hpp"
#include "cli/spool_flags.hpp"
#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <utility>

namespace runfold::cli {
namespace {

constexpr const char* kExecFooter = R"(
The command stands behind --: runfold exec [OPTIONS] -- COMMAND [ARGUMENTS...]

What COMMAND writes to stdout and stderr comes out unchanged and is recorded line by line, secrets replaced by "[redacted]";
its exit code is ours (128 + N when signal N killed it). Signals are passed on. Whether Kafka is there makes no difference to
the command; after its end records get up to --flush-timeout to arrive, or 2 s when Kafka has not answered at all.
With --spool what has not arrived by then stays on disk, and the next runfold exec with the same folder sends it, in order,
beside its own.

What is logged as debug is held back, the latest 64 KiB of it, and sent when an error follows or the run does not succeed;
of a run that succeeds nothing of it is. --debug always sends it as it comes.

COMMAND finds RUNFOLD_INTAKE_URL and RUNFOLD_INTAKE_TOKEN (POST /v1/job/log and /v1/events), RUNFOLD_RUN_ID, RUNFOLD_ATTEMPT,
RUNFOLD_CONNECTOR, TRACEPARENT and, with --container-api, CONTAINER_API_URL of a proxy that records failing calls.

A runfold exec inside another one is a run of its own: RUNFOLD_RUN_ID and RUNFOLD_ATTEMPT are the outer run's then and are
not taken; --run-id and --attempt are. It keeps connector, version and site, and its trace begins in the outer run.

Examples:
  runfold exec --connector invoices -- ./invoices-export --full
  runfold exec --timeout 2h --site acme -- php connector.php
  runfold exec --redact-env DB_PASSWORD --redact-file /run/secrets/all -- ./job
  runfold exec --container-api https://api.example.com/v2 -- python3 sync.py
  runfold exec --spool /var/spool/runfold -- ./nightly-export
  runfold exec -X security.protocol=SASL_SSL --kafka-config /etc/runfold/kafka.properties -- ./job)";

struct ExecFlags {
  IdentityFlags identity;
  KafkaFlags kafka;
  RedactionFlags redaction;
  std::string account;
  std::string timeout;
  std::string kill_grace = "10s";
  std::string flush_timeout = "5s";
  std::string container_api;
  std::string container_api_ca;
  bool no_container_api = false;
  std::string debug;
  SpoolFlags spool;
  std::size_t stdout_limit = agent::ExecOptions{}.stdout_bytes;
  bool no_stdout = false;
  bool no_stderr = false;
};

/// "invoices-export" of "/opt/bin/invoices-export.sh".
std::string stem(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  if (const std::size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0) name.resize(dot);
  if (name.size() > 200) name.resize(200);
  return name;
}

/// A name for a connector that was given none: the program's, or for "python3 -u sync.py" the script's.
std::string name_of_command(const std::vector<std::string>& command) {
  static const std::set<std::string, std::less<>> interpreters{"bash", "bun", "dash",   "deno",    "env",  "java", "node",
                                                               "perl", "php", "python", "python3", "ruby", "sh",   "zsh"};
  const std::string program = command.front().substr(command.front().rfind('/') + 1);
  if (interpreters.contains(program)) {
    for (std::size_t i = 1; i < command.size() && command[i] != "-c" && command[i] != "-e"; ++i) {
      if (command[i].starts_with('-') || command[i].find('=') != std::string::npos) continue;
      if (const std::string name = stem(command[i]); !name.empty()) return name;
    }
  }
  const std::string name = stem(program);
  return name.empty() ? "connector" : name;
}

Outcome<agent::ExecOptions> options_of(const ExecFlags& flags, const std::vector<std::string>& command) {
  if (command.empty()) return Failure{kUsage, "exec needs a command behind --, for example: runfold exec -- ./my-connector --full"};
  agent::ExecOptions options;
  options.command = command;
  if (const auto applied = apply_new_run_flags(flags.identity, options.settings, options.run); !applied) return applied.error();
  if (options.settings.connector_id.empty()) options.settings.connector_id = name_of_command(command);
  if (const auto applied = apply_kafka_flags(flags.kafka, options.settings.kafka); !applied) return applied.error();
  auto redactor = make_redactor(flags.redaction);
  if (!redactor) return redactor.error();
  options.settings.redactor = std::move(*redactor);
  options.run.account = flags.account;
  const auto debug = debug_records_of(flags.debug);
  if (!debug) return debug.error();
  options.settings.debug_records = *debug;
  if (!flags.timeout.empty()) {
    const auto timeout = duration_of("--timeout", flags.timeout);
    if (!timeout) return timeout.error();
    if (timeout->count() <= 0) return Failure{kUsage, "--timeout must be longer than 0"};
    options.timeout = *timeout;
  }
  const auto kill_grace = duration_of("--kill-grace", flags.kill_grace);
  if (!kill_grace) return kill_grace.error();
  options.kill_grace = *kill_grace;
  const auto flush_timeout = duration_of("--flush-timeout", flags.flush_timeout);
  if (!flush_timeout) return flush_timeout.error();
  options.flush_timeout = *flush_timeout;
  apply_spool_flags(flags.spool, options.settings);
  options.container_api = flags.container_api;
  options.container_api_required = true;
  // The variable is the connector's own: what cannot be proxied there is no reason not to run it.
  if (const char* url = std::getenv("CONTAINER_API_URL"); url != nullptr && flags.container_api.empty() && !flags.no_container_api) {
    options.container_api = url;
    options.container_api_required = false;
  }
  options.container_api_ca_file = flags.container_api_ca;
  options.record_stdout = !flags.no_stdout;
  options.stdout_bytes = flags.stdout_limit;
  options.record_stderr = !flags.no_stderr;
  return options;
}

}  // namespace

void add_exec(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("exec", "Run a command as a run: record its output, events, failing API calls and end");
  auto flags = std::make_shared<ExecFlags>();
  command->footer(kExecFooter);
  add_identity_flags(*command, flags->identity);
  command->add_option("--account", flags->account, "The account the connector runs for")->type_name("ACCOUNT");
  add_kafka_flags(*command, flags->kafka);
  command->add_option("--timeout", flags->timeout, "End the command after this long: SIGTERM, then SIGKILL")->type_name("DURATION");
  command->add_option("--kill-grace", flags->kill_grace, "How long between the two")->type_name("DURATION")->capture_default_str();
  command->add_option("--flush-timeout", flags->flush_timeout, "How long records may take to reach Kafka after the command's end")
      ->type_name("DURATION")
      ->capture_default_str();
  add_spool_flags(*command, flags->spool);
  command
      ->add_option("--container-api", flags->container_api, "Proxy this Container API and record its failing calls (or CONTAINER_API_URL)")
      ->type_name("URL");
  command->add_option("--container-api-ca", flags->container_api_ca, "A PEM file of further authorities for it")->type_name("FILE");
  command->add_flag("--no-container-api", flags->no_container_api, "Do not proxy it, though CONTAINER_API_URL is set");
  command
      ->add_option("--stdout-limit", flags->stdout_limit,
                   "How much of stdout to record: of more its beginning, and its end (default 16MiB)")
      ->transform(CLI::AsSizeValue(false))
      ->option_text("SIZE");
  add_debug_flag(*command, flags->debug);
  command->add_flag("--no-record-stdout", flags->no_stdout, "Leave stdout alone: not recorded, not piped");
  command->add_flag("--no-record-stderr", flags->no_stderr, "Leave stderr alone: not recorded, not piped");
  add_redaction_flags(*command, flags->redaction);
  command->callback([flags, &invocation] {
    invocation.action = [flags, &invocation] {
      auto options = options_of(*flags, invocation.command);
      if (!options) return report(invocation.streams, options.error());
      options->ends_process = invocation.ends_process;
      const auto code = agent::exec(std::move(*options));
      if (code) return *code;
      return report(invocation.streams, {code.error().code == agent::Errc::kInvalid ? kConfiguration : kSystem, code.error().message});
    };
  });
}

}  // namespace runfold::cli

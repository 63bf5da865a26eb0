// runfold agent: takes what many jobs on one host tell of their runs.
#include "producer/agent/agent.hpp"

#include "cli/agent_token.hpp"
#include "cli/command.hpp"
#include "cli/debug_flag.hpp"
#include "cli/duration.hpp"
#include "cli/kafka_flags.hpp"
#include "cli/redaction_flags.hpp"
#include "cli/spool_flags.hpp"
#include "producer/agent/intake.hpp"
#include "transport/kafka/state_file.hpp"
#include "transport/kafka/topics.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <utility>

namespace runfold::cli {
namespace {

constexpr const char* kAgentFooter = R"help(
Serves until SIGTERM or SIGINT; a second one ends it at once. A job registers, and gets a run and a token of its own:

  eval "$(printf 'header = "Authorization: Bearer %s"' "$(cat TOKEN_FILE)" |
          curl -K - -fsS -H 'Accept: text/plain' \
          -d "{\"connector\": \"invoices\", \"os_pid\": $$}" http://127.0.0.1:8731/v1/jobs)"
  runfold log "Fetched 42 invoices"          or POST $RUNFOLD_INTAKE_URL/v1/job/log
  runfold emit completed --result success    or POST $RUNFOLD_INTAKE_URL/v1/events; it ends the run

With os_pid (a process that the agent sees) the agent sends heartbeats while it lives, and the run ends as an error when it
ends without a completed event. DELETE /v1/jobs/RUN_ID cancels. GET /metrics, /livez and /readyz need no token.

With --spool no record is lost to an outage of Kafka, and the next agent with that folder on the same port goes on with the jobs
of this one, however it ended: their tokens and runs stay theirs.

Jobs register with the agent's token: --token-file, RUNFOLD_AGENT_TOKEN, or else a new one that the agent leaves in a file
which only its user can read, and names. To be reached from other hosts (--listen 0.0.0.0:8731) it must be given one; what
they send is not encrypted.

Exit codes: 0 stopped by a signal, 2 usage, 69 the address is taken, 78 configuration.

Examples:
  runfold agent --bootstrap-servers kafka:9092
  runfold agent --listen 127.0.0.1:9000 --token-file /run/secrets/agent --kafka-config /etc/runfold/kafka.properties)help";

struct AgentFlags {
  KafkaFlags kafka;
  RedactionFlags redaction;
  SpoolFlags spool;
  std::string listen = agent::AgentServerOptions{}.listen;
  std::string token_file;
  std::string debug;
  std::string job_idle = "24h";
  std::string flush_timeout = "5s";
  std::size_t max_jobs = agent::JobLimits{}.jobs;
  kafka::TopicNames topics;
};

/// Sees to the token: one that was given, or a new one and the file that it will stand in.
Outcome<> apply_token(const AgentFlags& flags, agent::AgentOptions& options) {
  auto given = given_agent_token(flags.token_file);
  if (!given) return given.error();
  const bool has_own = given->empty();
  if (has_own && !is_loopback(flags.listen)) {
    return Failure{kConfiguration,
                   "others can reach " + flags.listen +
                       " (--listen), so give the agent a token: --token-file or RUNFOLD_AGENT_TOKEN; or listen on 127.0.0.1"};
  }
  auto made = has_own ? agent::random_token() : agent::Result<std::string>(std::move(*given));
  if (!made) return Failure{kSystem, made.error().message};
  options.server.token = std::move(*made);
  // What was given may be too long to be looked for; a token of our own cannot.
  if (const auto added = options.settings.redactor->add(options.server.token); !added) {
    return Failure{kConfiguration, "the agent's token " + added.error().message};
  }
  if (!has_own) return {};
  options.on_listening = [token = options.server.token](const std::string& url) -> agent::Result<void> {
    const std::string path = agent_token_file(url);
    if (const auto written = kafka::write_state_file(path, token + "\n"); !written) {
      return agent::Error{agent::Errc::kInvalid, written.error().message + ", or give a token with --token-file"};
    }
    agent::say("the token that registers jobs stands in " + path);
    return {};
  };
  return {};
}

Outcome<agent::AgentOptions> options_of(const AgentFlags& flags) {
  agent::AgentOptions options;
  if (const auto applied = apply_kafka_flags(flags.kafka, options.settings.kafka); !applied) return applied.error();
  if (options.settings.kafka.get("bootstrap.servers").value_or("").empty()) {
    return Failure{kConfiguration, "no Kafka is configured; set --bootstrap-servers or RUNFOLD_BOOTSTRAP_SERVERS"};
  }
  auto redactor = make_redactor(flags.redaction);
  if (!redactor) return redactor.error();
  options.settings.redactor = std::move(*redactor);
  options.settings.topics = flags.topics;
  const auto debug = debug_records_of(flags.debug);
  if (!debug) return debug.error();
  options.settings.debug_records = *debug;
  apply_spool_flags(flags.spool, options.settings);
  options.server.listen = flags.listen;
  options.server.jobs.jobs = flags.max_jobs;
  const auto idle = duration_of("--job-idle", flags.job_idle);
  if (!idle) return idle.error();
  if (idle->count() <= 0) return Failure{kUsage, "--job-idle must be longer than 0"};
  options.server.jobs.idle = *idle;
  const auto flush_timeout = duration_of("--flush-timeout", flags.flush_timeout);
  if (!flush_timeout) return flush_timeout.error();
  options.flush_timeout = *flush_timeout;
  if (const auto applied = apply_token(flags, options); !applied) return applied.error();
  return options;
}

}  // namespace

void add_agent(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("agent", "Take what many jobs on this host tell of their runs, each with a token of its own");
  auto flags = std::make_shared<AgentFlags>();
  command->footer(kAgentFooter);
  command->add_option("--listen", flags->listen, "Where to serve HTTP")->type_name("HOST:PORT")->capture_default_str();
  command->add_option("--token-file", flags->token_file, "A file with the token that registers jobs (or RUNFOLD_AGENT_TOKEN)")
      ->type_name("FILE");
  add_kafka_flags(*command, flags->kafka);
  command->add_option("--events-topic", flags->topics.events, "Where events go")->type_name("TOPIC")->capture_default_str();
  command->add_option("--logs-topic", flags->topics.logs, "Where log records go")->type_name("TOPIC")->capture_default_str();
  command->add_option("--max-jobs", flags->max_jobs, "How many jobs may be registered at a time")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--job-idle", flags->job_idle, "Let a job without os_pid go when it has said nothing for so long")
      ->type_name("DURATION")
      ->capture_default_str();
  command->add_option("--flush-timeout", flags->flush_timeout, "How long records may take to reach Kafka when the agent stops")
      ->type_name("DURATION")
      ->capture_default_str();
  add_spool_flags(*command, flags->spool);
  add_debug_flag(*command, flags->debug);
  add_redaction_flags(*command, flags->redaction);
  command->callback([flags, &invocation] {
    invocation.action = [flags, &invocation] {
      auto options = options_of(*flags);
      if (!options) return report(invocation.streams, options.error());
      const auto served = agent::serve(std::move(*options));
      if (served) return static_cast<int>(kOk);
      const auto& error = served.error();
      return report(invocation.streams, {error.code == agent::Errc::kInvalid ? kConfiguration : kNotReachable, error.message});
    };
  });
}

}  // namespace runfold::cli

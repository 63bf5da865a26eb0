// runfold emit: tells of a run from a shell, one event or a stream of them.
#include "cli/command.hpp"
#include "cli/duration.hpp"
#include "cli/emit_operation.hpp"
#include "cli/sender.hpp"
#include "cli/table.hpp"
#include "producer/agent/parse.hpp"

#include <CLI/CLI.hpp>

#include <google/protobuf/util/time_util.h>

#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace runfold::cli {
namespace {

constexpr const char* kEmitFooter = R"(
Examples:
  runfold emit step-started --step read
  runfold emit step-completed --step read --entities 42 --relationships 7
  runfold emit step-failed --step upload --error "SFTP login failed"
  runfold emit stats --entities-created 40 --entities-updated 2
  runfold emit started --run-id R --connector invoices     for a run without runfold exec
  runfold emit completed --run-id R --connector invoices --exit-code 0
  runfold emit --json - < events.jsonl                     one SyncEvent in protobuf's JSON a line
  runfold emit operation --id S-1 --name build_connector --status done --owner u-7
Inside runfold exec the events go through its intake and need no further flags; else they go to Kafka. Exits 69 when they
were not acknowledged in time.)";

struct EventFlags {
  SenderFlags sender;
  std::string at;
  std::string step;
  std::uint32_t step_attempt = 0;
  std::string duration;
  std::string error;
  std::string message;
  std::string host;
  std::string account;
  std::string result;
  std::optional<std::uint64_t> os_pid;
  std::optional<std::uint64_t> entities;
  std::optional<std::uint64_t> relationships;
  std::optional<std::uint64_t> total;
  std::uint64_t done = 0;
  std::optional<int> exit_code;
  std::optional<int> signal;
  v1::SyncStats stats;
};

/// Fills an event in from the flags of its kind. Errors: kUsage.
using Fill = std::function<Outcome<>(const EventFlags&, v1::SyncEvent&)>;

Outcome<> set_duration(const std::string& text, const std::function<google::protobuf::Duration*()>& duration) {
  if (text.empty()) return {};
  const auto parsed = parse_duration(text);
  if (!parsed) return Failure{kUsage, "--duration \"" + printable(text) + "\" is not a duration; write for example 90s or 1.5s"};
  *duration() = google::protobuf::util::TimeUtil::MillisecondsToDuration(parsed->count());
  return {};
}

Outcome<> send_event(const EventFlags& flags, const Fill& fill) {
  v1::SyncEvent event;
  if (auto filled = fill(flags, event); !filled) return filled;
  if (!flags.at.empty() && !google::protobuf::util::TimeUtil::FromString(flags.at, event.mutable_occurred_at())) {
    return Failure{kUsage, "--at \"" + printable(flags.at) + "\" is not a time; write for example 2026-05-16T14:32:11Z"};
  }
  auto sender = make_sender(flags.sender);
  if (!sender) return sender.error();
  if (auto sent = (*sender)->event(std::move(event)); !sent) return sent;
  return (*sender)->finish();
}

/// Sends one event a line. Errors name the line, and the file unless its name is empty.
Outcome<> send_stream(const SenderFlags& flags, std::istream& in, const std::string& file) {
  auto sender = make_sender(flags);
  if (!sender) return sender.error();
  const std::string connector = with_environment(flags.identity).connector;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = (file.empty() ? "line " : printable(file) + ":") + std::to_string(number);
    auto events = agent::parse_events(line);
    if (!events) {
      const std::string member = events.error().member.empty() ? "" : " at " + events.error().member;
      return Failure{kUsage, where + member + ": " + printable(events.error().message)};
    }
    for (v1::SyncEvent& event : *events) {
      const v1::RunIdentity& identity = event.identity();
      if (!identity.connector_id().empty() && !connector.empty() && identity.connector_id() != connector) {
        return Failure{kUsage, where + " is of connector " + printable(identity.connector_id()) + ", not of " + printable(connector) +
                                   "; send each connector's events by themselves"};
      }
      if (auto sent = (*sender)->event(std::move(event)); !sent) {
        return Failure{sent.error().exit_code, where + ": " + sent.error().message};
      }
    }
    if (in.rdbuf()->in_avail() <= 0) {
      if (auto flushed = (*sender)->flush(); !flushed) return flushed;
    }
  }
  return (*sender)->finish();
}

/// Adds `runfold emit NAME` with the flags that every event has.
std::shared_ptr<EventFlags> add_kind(CLI::App& emit, Invocation& invocation, const char* name, const char* help, Fill fill,
                                     const std::function<void(CLI::App&, EventFlags&)>& add_flags) {
  CLI::App* kind = emit.add_subcommand(name, help);
  auto flags = std::make_shared<EventFlags>();
  add_flags(*kind, *flags);
  kind->add_option("--at", flags->at, "When it happened (RFC 3339); without it, now")->type_name("TIME");
  add_sender_flags(*kind, flags->sender);
  kind->callback([flags, fill = std::move(fill), &invocation] {
    invocation.action = [flags, fill, &invocation] {
      const auto sent = send_event(*flags, fill);
      return sent ? static_cast<int>(kOk) : report(invocation.streams, sent.error());
    };
  });
  return flags;
}

void add_step(CLI::App& command, EventFlags& flags) {
  command.add_option("--step", flags.step, "The step's name")->type_name("STEP")->required();
  command.add_option("--step-attempt", flags.step_attempt, "Which try of the step, from 1")->type_name("N");
}

void add_duration(CLI::App& command, EventFlags& flags) {
  command.add_option("--duration", flags.duration, "How long it took, for example 90s")->type_name("DURATION");
}

void add_run_kinds(CLI::App& emit, Invocation& invocation) {
  add_kind(
      emit, invocation, "started", "The run began",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        v1::Started& started = *event.mutable_started();
        if (flags.os_pid) started.set_os_pid(*flags.os_pid);
        started.set_host(flags.host);
        started.set_account(flags.account);
        return {};
      },
      [](CLI::App& command, EventFlags& flags) {
        command.add_option("--os-pid", flags.os_pid, "Its process id on its host")->type_name("PID");
        command.add_option("--host", flags.host, "That host")->type_name("NAME");
        command.add_option("--account", flags.account, "The account it runs for")->type_name("ACCOUNT");
      });
  add_kind(
      emit, invocation, "completed", "The run ended",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        v1::Completed& completed = *event.mutable_completed();
        if (!flags.result.empty()) {
          v1::RunResult result{};
          std::string name = "RUN_RESULT_" + flags.result;
          for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
          if (!v1::RunResult_Parse(name, &result) || result == v1::RUN_RESULT_UNSPECIFIED || result == v1::RUN_RESULT_LOST) {
            return Failure{kUsage, "--result \"" + printable(flags.result) + "\" must be success, failure, error, timeout or cancelled"};
          }
          completed.set_result(result);
        }
        if (flags.exit_code) completed.set_exit_code(*flags.exit_code);
        if (flags.signal) completed.set_signal(*flags.signal);
        completed.set_error(flags.error);
        return set_duration(flags.duration, [&] { return completed.mutable_duration(); });
      },
      [](CLI::App& command, EventFlags& flags) {
        command.add_option("--result", flags.result, "success, failure, error, timeout or cancelled; else the exit code decides")
            ->type_name("RESULT");
        command.add_option("--exit-code", flags.exit_code, "The process's exit code")->check(CLI::Range(0, 255))->type_name("CODE");
        command.add_option("--signal", flags.signal, "The signal that killed it")->check(CLI::Range(1, 64))->type_name("N");
        command.add_option("--error", flags.error, "What went wrong")->type_name("TEXT");
        add_duration(command, flags);
      });
  add_kind(
      emit, invocation, "heartbeat", "The run still lives",
      [](const EventFlags&, v1::SyncEvent& event) -> Outcome<> {
        event.mutable_heartbeat();
        return {};
      },
      [](CLI::App&, EventFlags&) {});
  add_kind(
      emit, invocation, "progress", "How far the run or a step has come",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        v1::Progress& progress = *event.mutable_progress();
        progress.set_step_id(flags.step);
        progress.set_done(flags.done);
        if (flags.total) progress.set_total(*flags.total);
        progress.set_message(flags.message);
        return {};
      },
      [](CLI::App& command, EventFlags& flags) {
        command.add_option("--step", flags.step, "The step; without it, the whole run")->type_name("STEP");
        command.add_option("--done", flags.done, "Units of work done")->type_name("N")->required();
        command.add_option("--total", flags.total, "Units of work there are")->type_name("N");
        command.add_option("--message", flags.message, "What is being done")->type_name("TEXT");
      });
}

void add_step_kinds(CLI::App& emit, Invocation& invocation) {
  add_kind(
      emit, invocation, "step-started", "A step began",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        event.mutable_step_started()->set_step_id(flags.step);
        event.mutable_step_started()->set_step_attempt(flags.step_attempt);
        return {};
      },
      add_step);
  add_kind(
      emit, invocation, "step-completed", "A step ended well",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        v1::StepCompleted& step = *event.mutable_step_completed();
        step.set_step_id(flags.step);
        step.set_step_attempt(flags.step_attempt);
        if (flags.entities) step.set_entities(*flags.entities);
        if (flags.relationships) step.set_relationships(*flags.relationships);
        return set_duration(flags.duration, [&] { return step.mutable_duration(); });
      },
      [](CLI::App& command, EventFlags& flags) {
        add_step(command, flags);
        command.add_option("--entities", flags.entities, "Entities the step emitted")->type_name("N");
        command.add_option("--relationships", flags.relationships, "Relationships the step emitted")->type_name("N");
        add_duration(command, flags);
      });
  add_kind(
      emit, invocation, "step-failed", "A step ended badly; the run goes on",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        v1::StepFailed& step = *event.mutable_step_failed();
        step.set_step_id(flags.step);
        step.set_step_attempt(flags.step_attempt);
        step.set_error(flags.error);
        return set_duration(flags.duration, [&] { return step.mutable_duration(); });
      },
      [](CLI::App& command, EventFlags& flags) {
        add_step(command, flags);
        command.add_option("--error", flags.error, "What went wrong")->type_name("TEXT")->required();
        add_duration(command, flags);
      });
}

void add_stats_kind(CLI::App& emit, Invocation& invocation) {
  add_kind(
      emit, invocation, "stats", "A commit changed the target system",
      [](const EventFlags& flags, v1::SyncEvent& event) -> Outcome<> {
        *event.mutable_stats_committed()->mutable_stats() = flags.stats;
        return {};
      },
      [](CLI::App& command, EventFlags& flags) {
        using Set = void (v1::SyncStats::*)(std::uint64_t);
        const auto add = [&](const char* flag, const char* help, Set set) {
          command
              .add_option_function<std::uint64_t>(
                  flag, [stats = &flags.stats, set](std::uint64_t n) { (stats->*set)(n); }, help)
              ->type_name("N");
        };
        add("--entities-created", "Entities that are new", &v1::SyncStats::set_entities_created);
        add("--entities-updated", "Entities that changed", &v1::SyncStats::set_entities_updated);
        add("--entities-deleted", "Entities that are gone", &v1::SyncStats::set_entities_deleted);
        add("--relationships-created", "Relationships that are new", &v1::SyncStats::set_relationships_created);
        add("--relationships-updated", "Relationships that changed", &v1::SyncStats::set_relationships_updated);
        add("--relationships-deleted", "Relationships that are gone", &v1::SyncStats::set_relationships_deleted);
      });
}

struct StreamFlags {
  SenderFlags sender;
  std::string json;
};

Outcome<> send_from(const StreamFlags& flags, Streams& streams) {
  if (flags.json.empty()) return Failure{kUsage, "emit needs a kind of event, or --json FILE; see runfold emit --help"};
  if (flags.json == "-") return send_stream(flags.sender, streams.in, "");
  std::ifstream file(flags.json);
  if (!file) return Failure{kUsage, "--json " + printable(flags.json) + " cannot be read; name a file, or - for stdin"};
  return send_stream(flags.sender, file, flags.json);
}

}  // namespace

void add_emit(CLI::App& app, Invocation& invocation) {
  CLI::App* emit = app.add_subcommand("emit", "Tell of a run: an event, a stream of them, or the state of an operation");
  emit->footer(kEmitFooter);
  emit->require_subcommand(0, 1);
  auto flags = std::make_shared<StreamFlags>();
  emit->add_option("--json", flags->json, "Events in protobuf's JSON, one a line; - reads stdin")->type_name("FILE");
  add_sender_flags(*emit, flags->sender);
  add_run_kinds(*emit, invocation);
  add_step_kinds(*emit, invocation);
  add_stats_kind(*emit, invocation);
  add_emit_operation(*emit, invocation);
  emit->callback([emit, flags, &invocation] {
    if (!emit->get_subcommands().empty()) return;
    invocation.action = [flags, &invocation] {
      const auto sent = send_from(*flags, invocation.streams);
      return sent ? static_cast<int>(kOk) : report(invocation.streams, sent.error());
    };
  });
}

}  // namespace runfold::cli

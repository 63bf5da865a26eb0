// Parses the command line and runs the command that it names.
#include "cli/command.hpp"
#include "cli/usage.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::cli {
namespace {

constexpr const char* kAppFooter = R"(
Examples:
  runfold exec -- ./my-connector        run a connector and record it
  runfold runs --result failure         list the runs that failed
  runfold logs RUN_ID --level error     what went wrong in one of them

Environment:
  RUNFOLD_BOOTSTRAP_SERVERS  Kafka's host:port, ... for exec, agent, emit, log, dead-letters and topics
  RUNFOLD_KAFKA_CONFIG       a file of librdkafka properties, name=value a line, for the same (TLS, SASL, passwords)
  RUNFOLD_COLLECTOR_URL      the collector, for runs, logs, api-failures and operations
  RUNFOLD_CONNECTOR, RUNFOLD_VERSION, RUNFOLD_SITE, RUNFOLD_RUN_ID, RUNFOLD_ATTEMPT
  RUNFOLD_DEBUG              always, on-error or never: when exec and agent send debug records
Exit codes: 0 done, 1 not so, 2 usage, 69 not reachable, 78 configuration; exec: its command's.
'runfold COMMAND --help' says more of a command.)";

struct Command {
  std::string_view name;
  void (*add)(CLI::App&, Invocation&);
};
/// In the order of the help.
constexpr Command kCommands[] = {
    {"exec", add_exec},
    {"agent", add_agent},
    {"emit", add_emit},
    {"log", add_log},
    {"runs", add_runs},
    {"logs", add_logs},
    {"api-failures", add_api_failures},
    {"operations", add_operations},
    {"dead-letters", add_dead_letters},
    {"topics", add_topics},
    {"version", add_version},
    {"completion", add_completion},
};

/// The command that is named, alone: to make all of them takes a millisecond. All of them, where that says which there are.
void add_commands(CLI::App& app, Invocation& invocation, std::string_view name) {
  const auto named = std::find_if(std::begin(kCommands), std::end(kCommands), [&](const Command& one) { return one.name == name; });
  if (named != std::end(kCommands) && named->add != add_completion) return named->add(app, invocation);
  for (const Command& one : kCommands) one.add(app, invocation);
}

/// The code, unless what was printed did not get out.
int flushed(Streams& streams, int code) {
  streams.out.flush();
  if (streams.out.good() || code != kOk) return code;
  return report(streams, {kNotReachable, "standard output cannot be written; what was printed is incomplete"});
}

}  // namespace

int report(Streams& streams, const Failure& failure) {
  streams.out.flush();
  streams.err << "runfold: " << failure.message << "\n";
  streams.err.flush();
  return failure.exit_code;
}

int run(int argc, const char* const* argv, Streams streams, bool ends_process) {
  Invocation invocation{streams, {}, {}, ends_process};
  CLI::App app("Runfold folds the events and logs of connectors into runs.", "runfold");
  app.footer(kAppFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("runfold ") + RUNFOLD_VERSION);
  // Everything behind exec's -- belongs to the command and is none of the parser's business.
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  add_commands(app, invocation, arguments.empty() ? std::string_view() : arguments.front());
  bool has_mark = false;
  if (!arguments.empty() && arguments.front() == "exec") {
    const auto mark = std::find(arguments.begin(), arguments.end(), "--");
    has_mark = mark != arguments.end();
    if (has_mark) {
      invocation.command.assign(mark + 1, arguments.end());
      arguments.erase(mark, arguments.end());
    }
  }
  if (const auto unknown = unknown_command(app, arguments)) return report(streams, *unknown);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // as CLI11 wants them
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return report(streams, usage_failure(app, error, arguments, has_mark));
    app.exit(error, streams.out, streams.err);  // prints the help or the version that was asked for
    return flushed(streams, kOk);
  }
  return flushed(streams, invocation.action());
}

}  // namespace runfold::cli

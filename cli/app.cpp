// Parses the command line and runs the command that it names.
#include "cli/command.hpp"
#include "cli/usage.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace runfold::cli {
namespace {

constexpr const char* kFooter = R"(
Examples:
  runfold exec -- ./my-connector        run a connector and record it
  runfold runs --result failure         list the runs that failed
  runfold logs RUN_ID --level error     what went wrong in one of them

Environment:
  RUNFOLD_BOOTSTRAP_SERVERS  Kafka's host:port, ... for exec, emit, log, dead-letters and topics
  RUNFOLD_COLLECTOR_URL      the collector, for runs, logs, api-failures and operations
  RUNFOLD_CONNECTOR, RUNFOLD_VERSION, RUNFOLD_SITE, RUNFOLD_RUN_ID, RUNFOLD_ATTEMPT
  RUNFOLD_DEBUG              always, on-error or never: when exec sends debug records
Exit codes: 0 done, 1 not so, 2 usage, 69 not reachable, 78 configuration; exec: its command's.
'runfold COMMAND --help' says more of a command.)";

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

int run(int argc, const char* const* argv, Streams streams) {
  Invocation invocation{streams, {}, {}};
  CLI::App app("Runfold folds the events and logs of connectors into runs.", "runfold");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("runfold ") + RUNFOLD_VERSION);
  add_exec(app, invocation);
  add_emit(app, invocation);
  add_log(app, invocation);
  add_runs(app, invocation);
  add_logs(app, invocation);
  add_api_failures(app, invocation);
  add_operations(app, invocation);
  add_dead_letters(app, invocation);
  add_topics(app, invocation);
  add_version(app, invocation);
  add_completion(app, invocation);

  // Everything behind exec's -- belongs to the command and is none of the parser's business.
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
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

// What every command of `runfold` is given and gives back.
#pragma once

#include <functional>
#include <istream>
#include <ostream>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace runfold::cli {

/// Exit codes; exec alone has its command's instead.
enum ExitCode : int {
  kOk = 0,
  kNotSo = 1,          ///< The thing asked for is not so: no such run, a topic that differs.
  kUsage = 2,          ///< The command line is wrong.
  kNotReachable = 69,  ///< Kafka or the collector does not answer.
  kSystem = 71,        ///< The operating system refused a process (exec, agent).
  kConfiguration = 78  ///< A setting is wrong.
};

/// Where a command reads and writes: data to `out`, messages to `err`.
struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// Colour `out`: it is a terminal, and NO_COLOR is not set.
  bool colour = false;
};

/// What the command line asks for: set by the command that was named, run once all of it is parsed.
struct Invocation {
  Streams streams;
  /// What stands behind exec's "--".
  std::vector<std::string> command;
  std::function<int()> action;
  /// Nothing comes after the command: it may end the process.
  bool ends_process = false;
};

/// A failure with the exit code that it means.
struct Failure {
  int exit_code = kNotSo;
  /// One sentence or two: what failed, where, and what to do.
  std::string message;
};

/// Writes "runfold: message" to `err` and gives the exit code.
int report(Streams& streams, const Failure& failure);

// One for each command: adds it to the application. `invocation` outlives the parse.
void add_exec(CLI::App& app, Invocation& invocation);
void add_agent(CLI::App& app, Invocation& invocation);
void add_emit(CLI::App& app, Invocation& invocation);
void add_log(CLI::App& app, Invocation& invocation);
void add_runs(CLI::App& app, Invocation& invocation);
void add_logs(CLI::App& app, Invocation& invocation);
void add_api_failures(CLI::App& app, Invocation& invocation);
void add_operations(CLI::App& app, Invocation& invocation);
void add_dead_letters(CLI::App& app, Invocation& invocation);
void add_topics(CLI::App& app, Invocation& invocation);
void add_version(CLI::App& app, Invocation& invocation);
void add_completion(CLI::App& app, Invocation& invocation);

/// Parses and runs one command line, program name first. Returns the exit code; with `ends_process` exec may end the process with it.
int run(int argc, const char* const* argv, Streams streams, bool ends_process = false);

}  // namespace runfold::cli

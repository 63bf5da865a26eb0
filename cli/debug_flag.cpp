// The flag that says when debug records are sent.
#include "cli/debug_flag.hpp"

#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace runfold::cli {

void add_debug_flag(CLI::App& command, std::string& flag) {
  command.add_option("--debug", flag, "When to send debug records: always, on-error (the default) or never (or RUNFOLD_DEBUG)")
      ->type_name("WHEN");
}

Outcome<DebugRecords> debug_records_of(const std::string& flag) {
  const char* variable = std::getenv("RUNFOLD_DEBUG");
  const std::string name = !flag.empty() || variable == nullptr ? flag : variable;
  if (name.empty()) return Settings().debug_records;
  if (const auto debug = debug_records_named(name)) return *debug;
  return Failure{kUsage, "--debug (RUNFOLD_DEBUG) is \"" + printable(name) + "\"; it must be always, on-error or never"};
}

}  // namespace runfold::cli

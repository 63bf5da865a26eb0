// The flags that say which run a command speaks of.
#include "cli/identity_flags.hpp"

#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <utility>

namespace runfold::cli {
namespace {

constexpr std::size_t kIdBytes = 200;

std::optional<Failure> check_length(const char* flag, const char* variable, const std::string& value) {
  if (value.size() <= kIdBytes) return std::nullopt;
  return Failure{kUsage,
                 std::string(flag) + " (" + variable + ") is " + std::to_string(value.size()) + " bytes long; at most 200 are allowed"};
}

}  // namespace

void add_identity_flags(CLI::App& command, IdentityFlags& flags) {
  command.add_option("--run-id", flags.run_id, "The run (or RUNFOLD_RUN_ID)")->envname("RUNFOLD_RUN_ID")->type_name("ID");
  command.add_option("--connector", flags.connector, "What runs (or RUNFOLD_CONNECTOR)")->envname("RUNFOLD_CONNECTOR")->type_name("NAME");
  command.add_option("--connector-version,--version", flags.version, "Which release of it (or RUNFOLD_VERSION)")
      ->envname("RUNFOLD_VERSION")
      ->type_name("VERSION");
  command.add_option("--site", flags.site, "For which customer site (or RUNFOLD_SITE)")->envname("RUNFOLD_SITE")->type_name("SITE");
  command.add_option("--attempt", flags.attempt, "Which try of the run, from 1 (or RUNFOLD_ATTEMPT)")
      ->envname("RUNFOLD_ATTEMPT")
      ->type_name("N");
}

Outcome<> apply_identity_flags(const IdentityFlags& flags, Settings& settings, RunOptions& options) {
  if (auto bad = check_length("--run-id", "RUNFOLD_RUN_ID", flags.run_id)) return *bad;
  if (auto bad = check_length("--connector", "RUNFOLD_CONNECTOR", flags.connector)) return *bad;
  if (auto bad = check_length("--version", "RUNFOLD_VERSION", flags.version)) return *bad;
  if (auto bad = check_length("--site", "RUNFOLD_SITE", flags.site)) return *bad;
  options.run_id = flags.run_id;
  settings.connector_id = flags.connector;
  settings.version = flags.version;
  settings.site = flags.site;
  if (!flags.attempt.empty()) {
    const char* end = flags.attempt.data() + flags.attempt.size();
    const auto [stopped, error] = std::from_chars(flags.attempt.data(), end, options.attempt);
    if (error != std::errc() || stopped != end || options.attempt == 0) {
      return Failure{kUsage, "--attempt (RUNFOLD_ATTEMPT) is \"" + printable(flags.attempt) + "\"; it must be a number from 1"};
    }
  }
  return {};
}

}  // namespace runfold::cli

// The flags that say which run a command speaks of.
#include "cli/identity_flags.hpp"

#include "cli/table.hpp"
#include "producer/sdk/random_id.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdlib>
#include <utility>

namespace runfold::cli {
namespace {

constexpr std::size_t kIdBytes = 200;

std::optional<Failure> check_length(const char* flag, const char* variable, const std::string& value) {
  if (value.size() <= kIdBytes) return std::nullopt;
  return Failure{kUsage,
                 std::string(flag) + " (" + variable + ") is " + std::to_string(value.size()) + " bytes long; at most 200 are allowed"};
}

void fill_in(std::string& flag, const char* variable) {
  if (!flag.empty()) return;
  if (const char* value = std::getenv(variable); value != nullptr) flag = value;
}

}  // namespace

void add_identity_flags(CLI::App& command, IdentityFlags& flags) {
  command.add_option("--run-id", flags.run_id, "The run (or RUNFOLD_RUN_ID)")->type_name("ID");
  command.add_option("--connector", flags.connector, "What runs (or RUNFOLD_CONNECTOR)")->type_name("NAME");
  command.add_option("--connector-version,--version", flags.version, "Which release of it (or RUNFOLD_VERSION)")->type_name("VERSION");
  command.add_option("--site", flags.site, "For which customer site (or RUNFOLD_SITE)")->type_name("SITE");
  command.add_option("--attempt", flags.attempt, "Which try of the run, from 1 (or RUNFOLD_ATTEMPT)")->type_name("N");
}

IdentityFlags with_environment(IdentityFlags flags) {
  fill_in(flags.run_id, "RUNFOLD_RUN_ID");
  fill_in(flags.attempt, "RUNFOLD_ATTEMPT");
  fill_in(flags.connector, "RUNFOLD_CONNECTOR");
  fill_in(flags.version, "RUNFOLD_VERSION");
  fill_in(flags.site, "RUNFOLD_SITE");
  return flags;
}

bool inside_a_run() {
  const char* intake = std::getenv("RUNFOLD_INTAKE_URL");
  return intake != nullptr && *intake != '\0';
}

Outcome<> apply_identity_flags(const IdentityFlags& given, Settings& settings, RunOptions& options) {
  const IdentityFlags flags = with_environment(given);
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

Outcome<> apply_new_run_flags(const IdentityFlags& given, Settings& settings, RunOptions& options) {
  IdentityFlags flags = given;
  if (inside_a_run()) {
    if (flags.run_id.empty()) flags.run_id = random_uuid();
    if (flags.attempt.empty()) flags.attempt = "1";
  }
  return apply_identity_flags(flags, settings, options);
}

}  // namespace runfold::cli

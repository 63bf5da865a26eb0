// The flags that say which run a command speaks of.
#pragma once

#include "cli/query.hpp"
#include "producer/sdk/run.hpp"
#include "producer/sdk/settings.hpp"

#include <optional>
#include <string>

namespace runfold::cli {

/// Shared by exec, emit and log. Each falls back on its RUNFOLD_ variable.
struct IdentityFlags {
  std::string run_id;
  std::string connector;
  std::string version;
  std::string site;
  std::string attempt;
};
void add_identity_flags(CLI::App& command, IdentityFlags& flags);

/// The flags, and for those that were not given what their variables say.
[[nodiscard]] IdentityFlags with_environment(IdentityFlags flags);

/// Inside a runfold exec RUNFOLD_RUN_ID and RUNFOLD_ATTEMPT name the run around this process.
[[nodiscard]] bool inside_a_run();

/// Checks the flags with their variables and puts them into `settings` and `options`.
/// Errors: kUsage names the flag, the variable behind it, and what is wrong with the value.
[[nodiscard]] Outcome<> apply_identity_flags(const IdentityFlags& flags, Settings& settings, RunOptions& options);

/// The same for a run that begins here: inside another one it does not take that one's id and attempt, but is a new run in
/// its first attempt unless the flags say otherwise.
[[nodiscard]] Outcome<> apply_new_run_flags(const IdentityFlags& flags, Settings& settings, RunOptions& options);

}  // namespace runfold::cli

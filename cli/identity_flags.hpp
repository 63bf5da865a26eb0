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

/// Checks the flags and puts them into `settings` and `options`.
/// Errors: kUsage names the flag, the variable behind it, and what is wrong with the value.
[[nodiscard]] Outcome<> apply_identity_flags(const IdentityFlags& flags, Settings& settings, RunOptions& options);

}  // namespace runfold::cli

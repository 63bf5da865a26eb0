// The flag that says when debug records are sent.
#pragma once

#include "cli/query.hpp"
#include "producer/sdk/settings.hpp"

#include <string>

namespace runfold::cli {

/// Shared by exec and agent.
void add_debug_flag(CLI::App& command, std::string& flag);

/// The flag, or else RUNFOLD_DEBUG, or else as Settings have it. Errors: kUsage names both.
[[nodiscard]] Outcome<DebugRecords> debug_records_of(const std::string& flag);

}  // namespace runfold::cli

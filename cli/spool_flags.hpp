// The flags that say where records wait on disk.
#pragma once

#include "cli/command.hpp"
#include "producer/sdk/settings.hpp"

#include <cstdint>
#include <string>

namespace runfold::cli {

/// Shared by exec and agent.
struct SpoolFlags {
  std::string folder;
  std::uint64_t bytes = Settings{}.spool_bytes;
};
void add_spool_flags(CLI::App& command, SpoolFlags& flags);

/// The flags; without a folder RUNFOLD_SPOOL_DIR counts.
void apply_spool_flags(const SpoolFlags& flags, Settings& settings);

}  // namespace runfold::cli

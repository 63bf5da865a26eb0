// The flags that say where records wait on disk.
#include "cli/spool_flags.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace runfold::cli {

void add_spool_flags(CLI::App& command, SpoolFlags& flags) {
  command.add_option("--spool", flags.folder, "Keep records in this folder until Kafka has them (or RUNFOLD_SPOOL_DIR)")->type_name("DIR");
  command.add_option("--spool-bytes", flags.bytes, "How much may lie in it, all that share it together (default 256MiB)")
      ->transform(CLI::AsSizeValue(false))
      ->option_text("SIZE");
}

void apply_spool_flags(const SpoolFlags& flags, Settings& settings) {
  settings.spool_folder = flags.folder;
  if (const char* folder = std::getenv("RUNFOLD_SPOOL_DIR"); folder != nullptr && flags.folder.empty()) settings.spool_folder = folder;
  settings.spool_bytes = flags.bytes;
}

}  // namespace runfold::cli

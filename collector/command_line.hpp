// The collector's command line.
#pragma once

#include "collector/config.hpp"

#include <optional>
#include <variant>

namespace runfold::collector {

enum class Command : std::uint8_t { kRun, kValidate, kReplay, kVerify, kVersion };

/// What `replay` is told beside the configuration.
struct ReplayFlags {
  /// "earliest" or an RFC 3339 time.
  std::string from;
  /// An RFC 3339 time; empty: what there is at the start.
  std::string to;
  /// The URL of the store to fill.
  std::string into;
  bool resume = false;
};

/// What `verify` is told.
struct VerifyFlags {
  std::string a;
  std::string b;
  /// How many differences are printed; all are counted.
  std::size_t limit = 20;
  bool json = false;
};

struct CommandLine {
  Command command = Command::kRun;
  ConfigFlags flags;
  ReplayFlags replay;
  VerifyFlags verify;
};

/// Reads the command line; help goes to stdout, what is wrong with it to stderr. An int: the process is to exit with it.
[[nodiscard]] std::variant<CommandLine, int> read_command_line(int argc, const char* const* argv);

}  // namespace runfold::collector

// The collector's command line.
#pragma once

#include "collector/config.hpp"

#include <optional>
#include <variant>

namespace runfold::collector {

enum class Command : std::uint8_t { kRun, kValidate, kVersion };

struct CommandLine {
  Command command = Command::kRun;
  ConfigFlags flags;
};

/// Reads the command line; help goes to stdout, what is wrong with it to stderr. An int: the process is to exit with it.
[[nodiscard]] std::variant<CommandLine, int> read_command_line(int argc, const char* const* argv);

}  // namespace runfold::collector

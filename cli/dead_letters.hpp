// The parts of `runfold dead-letters` that know of each other.
#pragma once

#include "cli/command.hpp"
#include "cli/dead_letter_search.hpp"

namespace runfold::cli {

/// Adds `redrive` to the command.
void add_redrive(CLI::App& command, Invocation& invocation);

}  // namespace runfold::cli

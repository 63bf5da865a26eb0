// runfold emit operation.
#pragma once

#include "cli/command.hpp"

namespace runfold::cli {

/// Adds `operation` to `runfold emit`.
void add_emit_operation(CLI::App& emit, Invocation& invocation);

}  // namespace runfold::cli

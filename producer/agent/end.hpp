// Says how a run ended, from what the process did and what the connector had declared.
#pragma once

#include "producer/agent/child.hpp"
#include "producer/sdk/run.hpp"
#include "runfold/v1/event.pb.h"

#include <chrono>
#include <optional>
#include <string>

namespace runfold::agent {

/// What is known when the process is gone.
struct ProcessEnd {
  ExitStatus status;
  /// Set when the agent ended it because it ran longer than this.
  std::optional<std::chrono::milliseconds> timed_out_after;
  /// Set when the command could not be started at all; `status` then holds its exit code.
  std::optional<LaunchFailure> launch_failure;
  /// What ran out of memory meanwhile: see OutOfMemory.
  std::optional<std::string> out_of_memory = {};
};

/// The one Completed of the run. Exit code and signal are the process's. The result is what the process says (exit code
/// 0: success, another: failure, a signal: error, ended by us: timeout) unless the connector declared a worse one: a
/// declared failure stays a failure at exit code 0, and a declared success does not outlive a non-zero exit code. The
/// connector's own words stay the error when it gave any.
[[nodiscard]] RunEnd merge_end(const std::optional<v1::Completed>& declared, const ProcessEnd& process);

}  // namespace runfold::agent

// The commands of runfold-collector that have a file of their own, and what they share.
#pragma once

#include "collector/command_line.hpp"
#include "collector/config.hpp"
#include "collector/pipeline.hpp"
#include "collector/store/error.hpp"

#include <chrono>

namespace runfold::collector {

// Exit codes, as in sysexits.h: what a supervisor can tell apart.
inline constexpr int kFailed = 1;             // something broke that trying again may or may not mend; the log says what
inline constexpr int kUnavailable = 69;       // an address, file or service that is in use or away; trying again may help
inline constexpr int kBadConfiguration = 78;  // trying again does not help

/// How often long work says how far it is.
inline constexpr std::chrono::seconds kProgressEvery{2};

[[nodiscard]] inline int exit_code(const StoreError& error) {
  return error.retryable() ? kUnavailable : kBadConfiguration;
}

/// Prints what is wrong with the configuration; true when something is.
[[nodiscard]] bool refuses(const Config& config);
/// What the configuration says of the pipeline, with no sinks.
[[nodiscard]] PipelineOptions pipeline_options(const Config& config);

/// Rebuilds a store from the topics. Returns the exit code.
[[nodiscard]] int run_replay(const ConfigFlags& flags, const ReplayFlags& replay);
/// Says whether two stores hold the same truth. Returns the exit code.
[[nodiscard]] int run_verify(const VerifyFlags& flags);

}  // namespace runfold::collector

// Finds a process again that an agent before this one has seen.
#pragma once

#include "producer/agent/descriptor.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace runfold::agent {

/// Tells a process from all others that have had its number, or will.
struct ProcessMark {
  std::int32_t os_pid = 0;
  /// When it was started, in clock ticks since the host was.
  std::uint64_t start_ticks = 0;
  /// The host's start, and the PID namespace in which the number is meant.
  std::string boot_id;
  std::string pid_namespace;
};

/// Of a process that is there. Absent: the system does not show it.
[[nodiscard]] std::optional<ProcessMark> mark_of(pid_t os_pid);

struct FoundProcess {
  enum class State : std::uint8_t {
    kThere,
    kGone,     ///< It has ended, though its number may be another's now.
    kUnknown,  ///< It cannot be seen from here: that says nothing of whether it lives.
  };
  State state = State::kUnknown;
  /// Of one that is there: its pidfd.
  Descriptor pidfd = {};
};
[[nodiscard]] FoundProcess find_process(const ProcessMark& mark);

}  // namespace runfold::agent

// The processes that descend from this one: found, and taken over when their parents end.
#pragma once

#include <sys/types.h>

#include <vector>

namespace runfold::agent {

/// The ids of all processes that descend from this one, parents before their children. What is forked meanwhile may be
/// missing. Empty where /proc does not tell.
[[nodiscard]] std::vector<pid_t> descendants();

/// While it lives, a descendant whose parent ends becomes a child of this process instead of the system's first one: its end is
/// announced (SIGCHLD), and its group's number stays taken until it is reaped.
class Adoption {
 public:
  Adoption() noexcept;
  ~Adoption();
  Adoption(const Adoption&) = delete;
  Adoption& operator=(const Adoption&) = delete;
};

}  // namespace runfold::agent

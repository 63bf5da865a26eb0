// Tells a process that the kernel killed for want of memory from one that somebody killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace runfold::agent {

/// Counts how often the kernel's out-of-memory killer strikes: in this process's cgroup (version 2 or 1), else on the machine.
///
/// The child's end says no more than SIGKILL. If one was killed for want of memory meanwhile, it was most likely the child:
/// what it started is counted too.
class OutOfMemory {
 public:
  /// Begins to count. `root`: where /proc and /sys are; for tests.
  explicit OutOfMemory(std::filesystem::path root = "/");

  /// What ran out of memory since then, as the end of a sentence: "its cgroup reached its memory limit of 512 MiB". Absent:
  /// nothing did, or nobody can say.
  [[nodiscard]] std::optional<std::string> since() const;

 private:
  std::filesystem::path root_;
  /// The file with the counter, and the cgroup's limit; empty: there is none.
  std::filesystem::path counter_;
  std::filesystem::path limit_;
  std::optional<std::uint64_t> before_;
};

}  // namespace runfold::agent

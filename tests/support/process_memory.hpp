// How much memory a process has needed so far.
#pragma once

#include <cstddef>
#include <fstream>
#include <optional>
#include <string>

#include <sys/types.h>

namespace runfold::test {

/// The most that a living process has had resident. Absent when it is not there any more.
///
/// Not wait4's ru_maxrss, in which a child's maximum begins with that of the process which started it.
inline std::optional<std::size_t> peak_resident_bytes(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
  }
  return std::nullopt;
}

}  // namespace runfold::test

// Reads the kernel's counters of out-of-memory kills.
#include "producer/agent/out_of_memory.hpp"

#include <charconv>
#include <fstream>
#include <string_view>
#include <utility>

namespace runfold::agent {
namespace {

namespace fs = std::filesystem;

/// The number behind "oom_kill " at the beginning of a line.
std::optional<std::uint64_t> kills_in(const fs::path& file) {
  constexpr std::string_view kName = "oom_kill ";
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(kName)) continue;
    std::uint64_t kills = 0;
    const auto [end, error] = std::from_chars(line.data() + kName.size(), line.data() + line.size(), kills);
    if (error == std::errc()) return kills;
  }
  return std::nullopt;
}

/// The cgroup's folder, below `mount` as /proc/self/cgroup names it, or `mount` itself: inside of a container the name may be
/// that of the outside.
fs::path folder_with(const fs::path& mount, std::string_view cgroup, const char* file) {
  while (cgroup.starts_with('/')) cgroup.remove_prefix(1);
  const fs::path named = mount / cgroup;
  std::error_code none;
  return fs::exists(named / file, none) ? named : mount;
}

std::string in_words(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  return bytes >= kMiB ? std::to_string(bytes / kMiB) + " MiB" : std::to_string(bytes) + " bytes";
}

}  // namespace

OutOfMemory::OutOfMemory(fs::path root) : root_(std::move(root)) {
  std::ifstream cgroups(root_ / "proc/self/cgroup");
  for (std::string line; std::getline(cgroups, line);) {
    // "0::/path" is version 2, "9:memory:/path" version 1.
    const std::size_t controllers = line.find(':');
    const std::size_t path = controllers == std::string::npos ? std::string::npos : line.find(':', controllers + 1);
    if (path == std::string::npos) continue;
    const std::string_view which = std::string_view(line).substr(controllers + 1, path - controllers - 1);
    const std::string_view name = std::string_view(line).substr(path + 1);
    if (which == "memory") {
      const fs::path folder = folder_with(root_ / "sys/fs/cgroup/memory", name, "memory.oom_control");
      counter_ = folder / "memory.oom_control";
      limit_ = folder / "memory.limit_in_bytes";
      break;
    }
    if (which.empty()) {
      const fs::path folder = folder_with(root_ / "sys/fs/cgroup", name, "memory.events");
      counter_ = folder / "memory.events";
      limit_ = folder / "memory.max";
    }
  }
  before_ = kills_in(counter_);
  if (before_) return;
  counter_ = root_ / "proc/vmstat";
  limit_.clear();
  before_ = kills_in(counter_);
}

std::optional<std::string> OutOfMemory::since() const {
  const auto now = kills_in(counter_);
  if (!before_ || !now || *now <= *before_) return std::nullopt;
  if (limit_.empty()) return "the machine ran out of memory";
  std::uint64_t limit = 0;
  // "max": the limit is that of a cgroup above.
  const bool known = static_cast<bool>(std::ifstream(limit_) >> limit);
  return "its cgroup reached its memory limit" + (known ? " of " + in_words(limit) : std::string());
}

}  // namespace runfold::agent

// What /proc says of a process.
#include "producer/agent/process_mark.hpp"

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

namespace runfold::agent {
namespace {

namespace fs = std::filesystem;

std::string boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

std::string pid_namespace() {
  std::error_code hidden;
  return fs::read_symlink("/proc/self/ns/pid", hidden).string();
}

/// The 22nd field of /proc/PID/stat. The second one, a name in parentheses, may hold anything.
std::optional<std::uint64_t> start_ticks(pid_t os_pid) {
  std::ifstream file("/proc/" + std::to_string(os_pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::size_t at = text.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  if (at == std::string::npos) return std::nullopt;
  std::uint64_t ticks = 0;
  const auto [end, error] = std::from_chars(text.data() + at + 1, text.data() + text.size(), ticks);
  if (error != std::errc()) return std::nullopt;
  return ticks;
}

}  // namespace

std::optional<ProcessMark> mark_of(pid_t os_pid) {
  const auto ticks = start_ticks(os_pid);
  ProcessMark mark{.os_pid = os_pid, .start_ticks = ticks.value_or(0), .boot_id = boot_id(), .pid_namespace = pid_namespace()};
  if (!ticks || mark.boot_id.empty() || mark.pid_namespace.empty()) return std::nullopt;
  return mark;
}

FoundProcess find_process(const ProcessMark& mark) {
  using State = FoundProcess::State;
  const std::string boot = boot_id();
  if (!boot.empty() && boot != mark.boot_id) return {.state = State::kGone};
  if (boot.empty() || pid_namespace() != mark.pid_namespace) return {.state = State::kUnknown};
  // Opened before it is looked at: if the process is still the one that was marked then, the descriptor is that one's too.
  Descriptor pidfd = open_process(mark.os_pid);
  if (!pidfd) return {.state = is_no_process(errno) ? State::kGone : State::kUnknown};
  const auto ticks = start_ticks(mark.os_pid);
  if (!ticks) return {.state = State::kUnknown};
  if (*ticks != mark.start_ticks) return {.state = State::kGone};
  return {.state = State::kThere, .pidfd = std::move(pidfd)};
}

}  // namespace runfold::agent

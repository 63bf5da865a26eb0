// Forks, holds, releases, signals and reaps the connector's process.
#include "producer/agent/child.hpp"

#include "producer/agent/descendants.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <system_error>

extern char** environ;

namespace runfold::agent {
namespace {

bool write_all(int fd, const char* data, std::size_t size) noexcept {
  while (size > 0) {
    const ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

/// Reads until `is_enough` says so of what was read, or to the end.
template <class IsEnough>
std::string read_until(int fd, IsEnough is_enough) {
  std::string all;
  char buffer[4096];
  while (!is_enough(all)) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    all.append(buffer, static_cast<std::size_t>(n));
  }
  return all;
}

/// A block of "NAME=value" entries, each ended by a NUL byte, is whole when one more follows.
bool is_whole(std::string_view block) noexcept {
  return block.ends_with(std::string_view("\0\0", 2)) || block == std::string_view("\0", 1);
}

bool has_controlling_terminal() noexcept {
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
  return static_cast<bool>(terminal);
}

/// The inherited environment with the block `extra` over it.
std::vector<char*> merged_environment(std::string& extra) {
  std::vector<char*> merged;
  for (char* entry = extra.data(); *entry != '\0'; entry += std::strlen(entry) + 1) merged.push_back(entry);
  const std::size_t ours = merged.size();
  for (char** inherited = environ; *inherited != nullptr; ++inherited) {
    const std::size_t name_size = std::strcspn(*inherited, "=") + 1;
    const bool replaced = std::any_of(merged.begin(), merged.begin() + static_cast<std::ptrdiff_t>(ours),
                                      [&](const char* set) { return std::strncmp(set, *inherited, name_size) == 0; });
    if (!replaced) merged.push_back(*inherited);
  }
  merged.push_back(nullptr);
  return merged;
}

struct ChildSide {
  const std::vector<std::string>& command;
  pid_t parent;
  bool own_group;
  int stdout_fd;
  int stderr_fd;
  int release_fd;
  int launch_error_fd;
  sigset_t mask;
  struct sigaction on_child;
};

/// The child's life between fork and exec. The parent has said nothing when its pipe ends before the closing mark: it
/// has died or changed its mind, and so nothing is run.
[[noreturn]] void run_child_side(const ChildSide& side) {
  if (side.own_group) ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != side.parent) ::_exit(127);
  // stderr may be what stdout is about to replace.
  const int stderr_fd = side.stderr_fd == STDOUT_FILENO ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : side.stderr_fd;
  if (::dup2(side.stdout_fd, STDOUT_FILENO) < 0 || ::dup2(stderr_fd, STDERR_FILENO) < 0) ::_exit(126);

  // Not to the pipe's end: another child forked meanwhile may hold that open.
  std::string extra = read_until(side.release_fd, is_whole);
  if (!is_whole(extra)) ::_exit(127);
  std::vector<char*> environment = merged_environment(extra);
  std::vector<char*> arguments;
  for (const std::string& argument : side.command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  ::sigaction(SIGCHLD, &side.on_child, nullptr);
  ::sigprocmask(SIG_SETMASK, &side.mask, nullptr);
  ::execvpe(arguments[0], arguments.data(), environment.data());
  const int error = errno;
  write_all(side.launch_error_fd, reinterpret_cast<const char*>(&error), sizeof error);
  ::_exit(127);
}

}  // namespace

const std::vector<int>& forwarded_signals() noexcept {
  static const std::vector<int> signals{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGTSTP, SIGCONT};
  return signals;
}

std::string signal_name(int signal) {
  const char* abbreviation = ::sigabbrev_np(signal);
  return abbreviation != nullptr ? std::string("SIG") + abbreviation : "signal " + std::to_string(signal);
}

Result<Child> Child::fork(ChildOptions options) {
  if (options.command.empty()) return Error{Errc::kInvalid, "there is no command to run: name one after --"};
  open_standard_descriptors();
  Child child;
  child.name_ = options.command.front();
  child.own_group_ = !has_controlling_terminal();

  Descriptor stdout_write;
  Descriptor stderr_write;
  if (options.pipe_stdout) {
    auto pipe = make_pipe();
    if (!pipe) return pipe.error();
    child.stdout_ = std::move(pipe->read_end);
    stdout_write = std::move(pipe->write_end);
  }
  if (options.pipe_stderr) {
    auto pipe = make_pipe();
    if (!pipe) return pipe.error();
    child.stderr_ = std::move(pipe->read_end);
    stderr_write = std::move(pipe->write_end);
  }
  auto release = make_pipe();
  if (!release) return release.error();
  auto launch_error = make_pipe();
  if (!launch_error) return launch_error.error();

  // Blocked before the fork: a signal that comes in between waits for the forwarder, or in the child for exec.
  ChildSide side{options.command,
                 ::getpid(),
                 child.own_group_,
                 stdout_write ? stdout_write.get() : options.stdout_fd,
                 stderr_write ? stderr_write.get() : options.stderr_fd,
                 release->read_end.get(),
                 launch_error->write_end.get(),
                 {},
                 {}};
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : forwarded_signals()) sigaddset(&blocked, signal);
  sigaddset(&blocked, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &blocked, &side.mask);
  // An inherited "ignore" would have the kernel reap the child, and its exit code would be lost.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &by_default, &side.on_child);

  child.pid_ = ::fork();
  if (child.pid_ < 0) {
    const int error = errno;
    ::sigprocmask(SIG_SETMASK, &side.mask, nullptr);
    return system_error("cannot fork a process for the command", error);
  }
  if (child.pid_ == 0) {
    release->write_end.close();
    launch_error->read_end.close();
    run_child_side(side);
  }
  if (child.own_group_) ::setpgid(child.pid_, child.pid_);
  std::signal(SIGPIPE, SIG_IGN);
  child.pidfd_ = open_process(child.pid_);
  if (!child.pidfd_) return system_error("cannot watch the command's process (pidfd_open)", errno);
  child.release_ = std::move(release->write_end);
  child.launch_error_ = std::move(launch_error->read_end);
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      own_group_(other.own_group_),
      reaped_(other.reaped_),
      name_(std::move(other.name_)),
      pidfd_(std::move(other.pidfd_)),
      stdout_(std::move(other.stdout_)),
      stderr_(std::move(other.stderr_)),
      release_(std::move(other.release_)),
      launch_error_(std::move(other.launch_error_)) {}

Child::~Child() {
  end();
}

void Child::end() noexcept {
  if (pid_ <= 0 || reaped_) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
}

std::optional<LaunchFailure> Child::release(const std::vector<std::pair<std::string, std::string>>& environment) {
  std::string entries;
  for (const auto& [name, value] : environment) entries.append(name).append("=").append(value).push_back('\0');
  entries.push_back('\0');
  // A child that was killed meanwhile reads nothing; its end is found by poll_change().
  write_all(release_.get(), entries.data(), entries.size());
  release_.close();

  const std::string answer = read_until(launch_error_.get(), [](std::string_view) { return false; });
  launch_error_.close();
  int error = 0;
  if (answer.size() != sizeof error) return std::nullopt;
  std::memcpy(&error, answer.data(), sizeof error);
  const std::string words = std::generic_category().message(error);
  if (error == ENOENT) {
    const bool is_path = name_.find('/') != std::string::npos;
    return LaunchFailure{127, name_ + ": " + (is_path ? "no such file, or its interpreter is missing" : "command not found on PATH")};
  }
  return LaunchFailure{126, name_ + ": cannot be run: " + words};
}

void Child::send(int signal) noexcept {
  if (pid_ > 0 && !reaped_) ::kill(pid_, signal);
}

void Child::send_to_all(int signal) {
  if (pid_ <= 0) return;
  if (own_group_) {
    // While anything of it is not reaped, no other group has this number.
    if (anything_left()) ::kill(-pid_, signal);
    return;
  }
  // The children of what is killed become ours, and those that it had just made are found the next time.
  constexpr int kPasses = 20;
  std::set<pid_t> reached;
  for (int pass = 0; pass < (signal == SIGKILL ? kPasses : 1); ++pass) {
    const std::size_t before = reached.size();
    for (const pid_t one : descendants()) {
      if (reached.insert(one).second) ::kill(one, signal);
    }
    if (reached.size() == before) return;
  }
}

bool Child::anything_left() const noexcept {
  siginfo_t info{};
  return pid_ > 0 && ::waitid(own_group_ ? P_PGID : P_ALL, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void Child::reap_others() noexcept {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    if (info.si_pid == pid_ && !reaped_) return;  // that is for poll_change(), which its own SIGCHLD brings about
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
  }
}

std::optional<ChildChange> Child::poll_change() noexcept {
  if (reaped_ || pid_ <= 0) return std::nullopt;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) != 0 || info.si_pid == 0)
    return std::nullopt;
  ChildChange change;
  switch (info.si_code) {
    case CLD_EXITED:
      reaped_ = true;
      change.ended = ExitStatus{info.si_status, std::nullopt, false};
      break;
    case CLD_KILLED:
    case CLD_DUMPED:
      reaped_ = true;
      change.ended = ExitStatus{std::nullopt, info.si_status, info.si_code == CLD_DUMPED};
      break;
    case CLD_STOPPED:
      change.stopped_by = info.si_status;
      break;
    default:
      break;
  }
  return change;
}

}  // namespace runfold::agent

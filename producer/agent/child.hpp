// The connector's process: forked early, released late, signalled and reaped.
#pragma once

#include "producer/agent/descriptor.hpp"
#include "producer/agent/error.hpp"

#include <sys/types.h>

#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::agent {

/// How a process ended: with an exit code of its own, or killed by a signal.
struct ExitStatus {
  std::optional<int> exit_code;
  std::optional<int> signal;
  bool core_dumped = false;

  /// What a shell would say: the exit code, or 128 + signal.
  [[nodiscard]] int shell_code() const noexcept { return exit_code ? *exit_code : 128 + signal.value_or(0); }
};

/// Why a command could not be started.
struct LaunchFailure {
  /// 127: there is no such command. 126: it is there and cannot be run.
  int exit_code = 127;
  std::string message;
};

struct ChildOptions {
  std::vector<std::string> command;
  /// Give the child a pipe in place of our own stdout (stderr); otherwise it writes to the descriptor below.
  bool pipe_stdout = true;
  bool pipe_stderr = true;
  int stdout_fd = 1;
  int stderr_fd = 2;
};

/// What a child's change of state was.
struct ChildChange {
  /// Set when it ended; then it is reaped, and no further change comes.
  std::optional<ExitStatus> ended;
  /// The signal that stopped it, SIGTSTP for example.
  std::optional<int> stopped_by;
};

/// One child process in two phases: fork() makes it while this process has no threads yet (Kafka clients do not survive
/// a fork), and release() lets it become the command, with the environment that was not known before.
///
/// Process group. With a controlling terminal the child stays in our group: what the terminal sends to the foreground
/// group (Ctrl-C, Ctrl-Z, Ctrl-\, window size) and what the shell does with the job (fg, bg, kill %1) reaches child, us
/// and the other parts of the pipeline exactly as it would without us. Without one it leads a group of its own, so that
/// a timeout can end all that it started. The child dies (SIGKILL) when this process does: a connector whose supervisor
/// killed `runfold` does not run on unwatched beside its own retry.
///
/// Thread: one. stdin, the working directory and foreign descriptors are inherited; none of ours is.
class Child {
 public:
  /// Forks. Signals in forwarded_signals() and SIGCHLD are blocked, and SIGPIPE is ignored, in this process from here on;
  /// the child has all of them as they were before.
  [[nodiscard]] static Result<Child> fork(ChildOptions options);

  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  /// As end().
  ~Child();
  /// Kills and reaps a child that was not waited for.
  void end() noexcept;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool own_group() const noexcept { return own_group_; }
  /// Readable once the child has ended. Owned by the child object.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
  /// The reading ends of its output; empty when not piped.
  [[nodiscard]] Descriptor take_stdout() noexcept { return std::move(stdout_); }
  [[nodiscard]] Descriptor take_stderr() noexcept { return std::move(stderr_); }

  /// Sets environment variables over the inherited ones and runs the command. Waits until that worked or not.
  [[nodiscard]] std::optional<LaunchFailure> release(const std::vector<std::pair<std::string, std::string>>& environment);

  /// Sends a signal to the child. Does nothing once it is reaped.
  void send(int signal) noexcept;
  /// Sends a signal to the child and all that it started: to its group when it leads one, else to every descendant of ours.
  /// Reaches what is left of that after the child's end, too, provided that an Adoption lives since before the release.
  void send_to_all(int signal);
  /// Whether the child or, with an Adoption, anything of what send_to_all() would reach has not been reaped.
  [[nodiscard]] bool anything_left() const noexcept;
  /// Reaps processes that became ours when their parents ended; not the child. For the system's first process, and with an Adoption.
  void reap_others() noexcept;

  /// The next change of state if there is one; does not wait.
  [[nodiscard]] std::optional<ChildChange> poll_change() noexcept;

 private:
  Child() = default;

  pid_t pid_ = -1;
  bool own_group_ = false;
  bool reaped_ = false;
  std::string name_;
  Descriptor pidfd_;
  Descriptor stdout_;
  Descriptor stderr_;
  Descriptor release_;
  Descriptor launch_error_;
};

/// The signals that are passed on to the child.
[[nodiscard]] const std::vector<int>& forwarded_signals() noexcept;

/// "SIGKILL" for 9; "signal 42" for those with no name.
[[nodiscard]] std::string signal_name(int signal);

}  // namespace runfold::agent

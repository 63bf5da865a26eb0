// runfold exec on a terminal, and under a reader that does not read: in a process of its own each.
#include "producer/agent/exec.hpp"

#include "producer/agent/descriptor.hpp"
#include "tests/support/fake_kafka_client.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace runfold::agent {
namespace {

using runfold::test::wait_until;

/// With Kafka in memory: only what is recorded goes through us.
ExecOptions shell(const std::string& script) {
  static runfold::test::FakeKafka kafka;
  ExecOptions options;
  EXPECT_TRUE(options.settings.kafka.set("bootstrap.servers", "in-memory:9092").has_value());
  options.make_client = kafka.factory();
  options.settings.connector_id = "c";
  options.command = {"/bin/sh", "-c", script};
  return options;
}

/// Runs exec in this process, which a test has forked for it, and ends with its code.
[[noreturn]] void exec_and_exit(ExecOptions options) {
  const auto code = exec(std::move(options));
  ::_exit(code ? *code : 99);
}

/// The exit code of a process; absent when it has not ended in time.
std::optional<int> exit_code_of(pid_t pid) {
  int status = 0;
  if (!wait_until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; })) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return std::nullopt;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// A terminal with an exec on it, alone in its session as a shell's job is.
class Terminal {
 public:
  explicit Terminal(const std::string& script) : Terminal(shell(script)) {}
  explicit Terminal(ExecOptions options, const winsize& size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0}) {
    int master = -1;
    pid_ = ::forkpty(&master, nullptr, nullptr, &size);
    if (pid_ == 0) exec_and_exit(std::move(options));
    master_ = Descriptor(master);
  }
  ~Terminal() {
    if (pid_ > 0) exit_code();
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void resize(const winsize& size) { EXPECT_EQ(::ioctl(master_.get(), TIOCSWINSZ, &size), 0); }
  void type(std::string_view keys) { EXPECT_EQ(::write(master_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }
  /// Whether `text` appears on the screen.
  bool shows(const std::string& text) {
    return wait_until([&] {
      pollfd readable{master_.get(), POLLIN, 0};
      char buffer[4096];
      if (::poll(&readable, 1, 20) > 0) {
        const ssize_t n = ::read(master_.get(), buffer, sizeof buffer);
        if (n > 0) screen_.append(buffer, static_cast<std::size_t>(n));
      }
      return screen_.find(text) != std::string::npos;
    });
  }
  std::optional<int> exit_code() { return exit_code_of(std::exchange(pid_, -1)); }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& screen() const noexcept { return screen_; }

 private:
  pid_t pid_ = -1;
  Descriptor master_;
  std::string screen_;
};

TEST(OnATerminal, CtrlCReachesTheCommandOnce) {
  Terminal terminal("n=0; trap 'n=$((n+1)); echo interrupted $n' INT; echo ready; until read line; do :; done; echo n=$n $line; exit 5");
  ASSERT_TRUE(terminal.shows("ready"));
  terminal.type("\x03");
  ASSERT_TRUE(terminal.shows("interrupted 1"));
  terminal.type("typed\n");
  EXPECT_TRUE(terminal.shows("n=1 typed"));
  EXPECT_EQ(terminal.exit_code(), 5);
}

TEST(OnATerminal, CtrlCEndsACommandThatDoesNotMind) {
  Terminal terminal("echo ready; exec sleep 1000");
  ASSERT_TRUE(terminal.shows("ready"));
  terminal.type("\x03");
  EXPECT_EQ(terminal.exit_code(), 128 + SIGINT);
}

TEST(OnATerminal, ItsSizeIsTheCommandsAndAChangeReachesTheCommandOnce) {
  const std::string script =
      "n=0; trap 'n=$((n+1)); echo resized $n; stty size' WINCH; stty size; echo ready; until read line; do :; done; echo n=$n $line; exit "
      "5";
  Terminal terminal(shell(script), {.ws_row = 40, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0});
  ASSERT_TRUE(terminal.shows("40 100"));
  ASSERT_TRUE(terminal.shows("ready"));
  terminal.resize({.ws_row = 50, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0});
  ASSERT_TRUE(terminal.shows("resized 1"));
  ASSERT_TRUE(terminal.shows("50 132"));
  terminal.type("typed\n");
  EXPECT_TRUE(terminal.shows("n=1 typed"));
  EXPECT_EQ(terminal.exit_code(), 5);
}

TEST(OnATerminal, AChangeOfSizeThatIsToldToUsAloneReachesTheCommand) {
  Terminal terminal("trap 'echo resized; exit 7' WINCH; echo ready; while :; do sleep 0.02; done");
  ASSERT_TRUE(terminal.shows("ready"));
  ::kill(terminal.pid(), SIGWINCH);
  EXPECT_TRUE(terminal.shows("resized"));
  EXPECT_EQ(terminal.exit_code(), 7);
}

TEST(OnATerminal, ASignalSentToUsReachesTheCommand) {
  Terminal terminal("trap 'echo got term; exit 7' TERM; echo ready; while :; do sleep 0.02; done");
  ASSERT_TRUE(terminal.shows("ready"));
  ::kill(terminal.pid(), SIGTERM);
  EXPECT_TRUE(terminal.shows("got term"));
  EXPECT_EQ(terminal.exit_code(), 7);
}

/// Ignores SIGTERM in a process that the command started, which says its process id on the terminal.
constexpr const char* kStubborn = R"(sh -c 'trap "" TERM; echo pid=$$.; while :; do sleep 0.05; done' & wait)";

TEST(OnATerminal, TheTimeLimitEndsWhatTheCommandStarted) {
  ExecOptions options = shell(kStubborn);
  options.timeout = std::chrono::milliseconds(1000);
  options.kill_grace = std::chrono::milliseconds(100);
  Terminal terminal(std::move(options));
  ASSERT_TRUE(terminal.shows("pid="));
  ASSERT_TRUE(terminal.shows("."));
  const std::string screen = terminal.screen();
  const pid_t stubborn = std::stoi(screen.substr(screen.find("pid=") + 4));
  EXPECT_EQ(terminal.exit_code(), 128 + SIGTERM);
  EXPECT_TRUE(wait_until([&] { return ::kill(stubborn, 0) != 0; }));
}

TEST(WithNoTerminal, ASignalReachesAllThatTheCommandStarted) {
  Pipe pipe = make_pipe().value();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    ExecOptions options = shell(R"(sh -c 'trap "echo inner; exit" TERM; echo ready; while :; do sleep 0.02; done' & wait)");
    options.stdout_fd = pipe.write_end.get();
    exec_and_exit(std::move(options));
  }
  pipe.write_end.close();
  std::string said;
  const auto says = [&](const std::string& text) {
    return wait_until([&] {
      pollfd readable{pipe.read_end.get(), POLLIN, 0};
      char buffer[256];
      const ssize_t n = ::poll(&readable, 1, 20) > 0 ? ::read(pipe.read_end.get(), buffer, sizeof buffer) : 0;
      if (n > 0) said.append(buffer, static_cast<std::size_t>(n));
      return said.find(text) != std::string::npos;
    });
  };
  ASSERT_TRUE(says("ready"));
  ::kill(pid, SIGTERM);
  EXPECT_TRUE(says("inner"));
  EXPECT_EQ(exit_code_of(pid), 128 + SIGTERM);
}

TEST(UnderAReaderThatDoesNotRead, ASignalEndsTheCommandAndUs) {
  Pipe pipe = make_pipe().value();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ExecOptions options = shell("echo $$ >&2; while :; do echo more than anybody reads; done");
    options.stdout_fd = pipe.write_end.get();
    options.stderr_fd = pipe.write_end.get();
    options.output_grace = std::chrono::milliseconds(100);
    exec_and_exit(std::move(options));
  }
  // Full: nothing more goes in.
  ASSERT_TRUE(wait_until([&] {
    pollfd room{pipe.write_end.get(), POLLOUT, 0};
    return ::poll(&room, 1, 0) == 0;
  }));
  ::kill(pid, SIGTERM);
  EXPECT_EQ(exit_code_of(pid), 128 + SIGTERM);
}

TEST(UnderAReaderThatDoesNotRead, TroubleWithKafkaDoesNotHoldUsUp) {
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  Pipe pipe = make_pipe().value();
  ::fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK);
  const std::string page(4096, '.');
  while (::write(pipe.write_end.get(), page.data(), page.size()) > 0) {
  }
  ::fcntl(pipe.write_end.get(), F_SETFL, 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(pipe.write_end.get(), STDERR_FILENO);
    ExecOptions options = shell("exit 3");
    options.make_client = {};
    if (!options.settings.kafka.set("bootstrap.servers", nobody.text())) ::_exit(98);
    exec_and_exit(std::move(options));
  }
  EXPECT_EQ(exit_code_of(pid), 3);
}

TEST(WithFewDescriptors, ItEndsWhicheverIsTheFirstThatIsMissing) {
  int refused = 0;
  for (rlim_t most = 4; most < 40; ++most) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (int fd = 3; fd < 64; ++fd) ::close(fd);
      const rlimit limit{most, most};
      ::setrlimit(RLIMIT_NOFILE, &limit);
      exec_and_exit(shell("exit 3"));
    }
    const auto code = exit_code_of(pid);
    EXPECT_TRUE(code == 3 || code == 99) << most << " descriptors: " << code.value_or(-1000);
    if (code == 99) ++refused;
  }
  EXPECT_GT(refused, 5);
}

TEST(WhileItsRecordsAreOnTheirWay, ASignalEndsTheWaitAndNotTheExitCode) {
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kSilent);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ExecOptions options = shell("exit 3");
    options.make_client = {};
    options.flush_timeout = options.first_flush_timeout = std::chrono::hours(1);
    if (!options.settings.kafka.set("bootstrap.servers", nobody.text())) ::_exit(98);
    exec_and_exit(std::move(options));
  }
  const std::string children = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
  bool had_child = false;
  ASSERT_TRUE(wait_until([&] {
    std::ifstream in(children);
    std::string child;
    in >> child;
    had_child = had_child || !child.empty();
    return had_child && child.empty();
  }));
  ::kill(pid, SIGTERM);
  EXPECT_EQ(exit_code_of(pid), 3);
}

}  // namespace
}  // namespace runfold::agent

// The child: exit codes, signals, descriptors, environment.
#include "producer/agent/child.hpp"

#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

namespace runfold::agent {
namespace {

using runfold::test::wait_until;

/// Keeps what a test does to the signal mask from the next one.
class ChildTest : public ::testing::Test {
 protected:
  ChildTest() { ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  ~ChildTest() override { ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

  static Child fork_shell(const std::string& script) { return Child::fork({{"/bin/sh", "-c", script}, true, true}).value(); }
  static ExitStatus end_of(Child& child) {
    ExitStatus status;
    EXPECT_TRUE(wait_until([&] {
      const auto change = child.poll_change();
      if (change && change->ended) status = *change->ended;
      return change && change->ended;
    }));
    return status;
  }
  static std::string read_all(const Descriptor& from) {
    std::string all;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(from.get(), buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }

 private:
  sigset_t mask_;
};

TEST_F(ChildTest, ExitCodeIsTheCommands) {
  Child child = fork_shell("exit 42");
  ASSERT_FALSE(child.release({}).has_value());
  const ExitStatus status = end_of(child);
  EXPECT_EQ(status.exit_code, 42);
  EXPECT_FALSE(status.signal.has_value());
  EXPECT_EQ(status.shell_code(), 42);
}

TEST_F(ChildTest, KillingSignalIsTold) {
  Child child = fork_shell("kill -KILL $$");
  ASSERT_FALSE(child.release({}).has_value());
  const ExitStatus status = end_of(child);
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_FALSE(status.exit_code.has_value());
  EXPECT_EQ(status.shell_code(), 128 + SIGKILL);
}

TEST_F(ChildTest, UnknownCommandIs127) {
  Child child = Child::fork({{"no-such-command-anywhere", "x"}, true, true}).value();
  const auto failure = child.release({});
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->exit_code, 127);
  EXPECT_NE(failure->message.find("no-such-command-anywhere"), std::string::npos);
}

TEST_F(ChildTest, FileThatIsNoProgramIs126) {
  Child child = Child::fork({{"/etc/passwd"}, true, true}).value();
  const auto failure = child.release({});
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->exit_code, 126);
}

TEST_F(ChildTest, NoCommandIsAnError) {
  EXPECT_FALSE(Child::fork({{}, true, true}).has_value());
}

TEST_F(ChildTest, NothingRunsBeforeTheRelease) {
  int pid = 0;
  Descriptor output;
  {
    Child child = fork_shell("echo ran");
    pid = child.pid();
    output = child.take_stdout();
  }
  EXPECT_EQ(read_all(output), "");
  EXPECT_NE(::kill(pid, 0), 0) << "a child that was never released is gone with its object";
}

TEST_F(ChildTest, EnvironmentIsSetOverTheInheritedOne) {
  ::setenv("RUNFOLD_TEST_KEPT", "kept", 1);
  ::setenv("RUNFOLD_TEST_REPLACED", "old", 1);
  Child child = fork_shell("echo $RUNFOLD_TEST_KEPT,$RUNFOLD_TEST_REPLACED,$RUNFOLD_TEST_NEW");
  ASSERT_FALSE(child.release({{"RUNFOLD_TEST_REPLACED", "new"}, {"RUNFOLD_TEST_NEW", "a=b c"}}).has_value());
  EXPECT_EQ(read_all(child.take_stdout()), "kept,new,a=b c\n");
}

TEST_F(ChildTest, InheritsNoneOfOurDescriptors) {
  const Descriptor foreign(::open("/dev/null", O_RDONLY));  // inherited on purpose, as a job server's would be
  Child child = fork_shell("ls /proc/self/fd | wc -l; ls /proc/self/fd | grep -c '^" + std::to_string(foreign.get()) + "$'");
  Child later = fork_shell("true");  // holds copies of the first one's pipes until it is released itself
  ASSERT_FALSE(child.release({}).has_value());
  // What we leave open on exec, and the folder that ls reads.
  int inherited = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++inherited;
  }
  EXPECT_EQ(read_all(child.take_stdout()), std::to_string(inherited + 1) + "\n1\n");
  ASSERT_FALSE(later.release({}).has_value());
}

TEST_F(ChildTest, SignalSentBeforeTheReleaseArrivesAfterIt) {
  Child child = fork_shell("sleep 60");
  child.send(SIGTERM);
  static_cast<void>(child.release({}));
  EXPECT_EQ(end_of(child).signal, SIGTERM);
}

TEST_F(ChildTest, ChildHasTheSignalMaskOfBefore) {
  Child child = fork_shell("grep SigBlk /proc/self/status");
  ASSERT_FALSE(child.release({}).has_value());
  EXPECT_EQ(read_all(child.take_stdout()), "SigBlk:\t0000000000000000\n");
}

TEST_F(ChildTest, StdinIsInherited) {
  const int saved = ::dup(STDIN_FILENO);
  Pipe pipe = make_pipe().value();
  ::dup2(pipe.read_end.get(), STDIN_FILENO);
  Child child = fork_shell("cat");
  ASSERT_FALSE(child.release({}).has_value());
  ASSERT_EQ(::write(pipe.write_end.get(), "typed", 5), 5);
  pipe.write_end.close();
  EXPECT_EQ(read_all(child.take_stdout()), "typed");
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
}

TEST_F(ChildTest, StopAndEndAreTold) {
  Child child = fork_shell("kill -STOP $$; exit 5");
  ASSERT_FALSE(child.release({}).has_value());
  ASSERT_TRUE(wait_until([&] {
    const auto change = child.poll_change();
    return change && change->stopped_by == SIGSTOP;
  }));
  child.send(SIGCONT);
  EXPECT_EQ(end_of(child).exit_code, 5);
}

}  // namespace
}  // namespace runfold::agent

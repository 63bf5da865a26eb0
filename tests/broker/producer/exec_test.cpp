// runfold exec on a real Apache Kafka: how commands ended, and a broker that dies or freezes while one runs.
#include "runfold/v1/event.pb.h"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/arrived.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/restartable_broker.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace runfold {
namespace {

using test::Arrived;
using test::create_topics;
using test::kafka_at;
using test::Program;
using test::unique_name;
using ::testing::HasSubstr;

std::vector<std::string> exec(const std::string& run_id, const std::string& servers, const std::vector<std::string>& command) {
  std::vector<std::string> out{RUNFOLD_BINARY_DIR "/runfold", "exec",  "--connector",     "ends", "--run-id", run_id,
                               "--bootstrap-servers",         servers, "--flush-timeout", "60s"};
  out.insert(out.end(), command.begin(), command.end());
  return out;
}

struct End {
  std::vector<std::string> command;
  int shell_code;
  v1::RunResult result;
  std::optional<int> exit_code;
  std::optional<int> signal;
  ::testing::Matcher<const std::string&> error;
};

/// A shell that crashes in a folder of its own, with all of a core dump that it may have.
class Crash {
 public:
  std::string script() const { return "cd '" + folder_.path().string() + "' && ulimit -S -c $(ulimit -H -c) && kill -SEGV $$"; }
  /// What is to be told of it depends on the machine: the same crash without exec says so.
  std::string told() const {
    const int status = std::system(script().c_str());  // NOLINT(cert-env33-c)
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
    return std::string("killed by signal 11 (SIGSEGV)") + (WCOREDUMP(status) ? ", core dumped" : "");
  }

 private:
  const test::TemporaryFolder folder_;
};

TEST(ExecOnKafka, EveryEndIsToldAsItWas) {
  create_topics(test::broker_address());
  const Crash crash;
  const std::vector<End> ends{
      {{"--", "/bin/true"}, 0, v1::RUN_RESULT_SUCCESS, 0, std::nullopt, ""},
      {{"--", "/bin/sh", "-c", "exit 3"}, 3, v1::RUN_RESULT_FAILURE, 3, std::nullopt, "exited with code 3"},
      {{"--", "/bin/sh", "-c", "kill -KILL $$"}, 128 + SIGKILL, v1::RUN_RESULT_ERROR, std::nullopt, SIGKILL, HasSubstr("SIGKILL")},
      {{"--", "/bin/sh", "-c", "kill -SEGV $$"}, 128 + SIGSEGV, v1::RUN_RESULT_ERROR, std::nullopt, SIGSEGV, HasSubstr("SIGSEGV")},
      {{"--", "/bin/sh", "-c", crash.script()}, 128 + SIGSEGV, v1::RUN_RESULT_ERROR, std::nullopt, SIGSEGV, crash.told()},
      {{"--timeout", "200ms", "--", "/bin/sleep", "600"}, 128 + SIGTERM, v1::RUN_RESULT_TIMEOUT, std::nullopt, SIGTERM, HasSubstr("200")},
      // Long enough for the shell to have come to its trap; of what it starts each one ignores TERM, too.
      {{"--timeout", "2s", "--kill-grace", "50ms", "--", "/bin/sh", "-c", "trap '' TERM; sleep 600; exit 0"},
       128 + SIGKILL,
       v1::RUN_RESULT_TIMEOUT,
       std::nullopt,
       SIGKILL,
       HasSubstr("2")},
      {{"--", "/no/such/command"}, 127, v1::RUN_RESULT_FAILURE, 127, std::nullopt, HasSubstr("/no/such/command")},
      {{"--", "/etc/passwd"}, 126, v1::RUN_RESULT_FAILURE, 126, std::nullopt, HasSubstr("/etc/passwd")},
  };
  std::vector<std::string> runs;
  for (const auto& end : ends) {
    runs.push_back(unique_name("end"));
    Program program(exec(runs.back(), test::broker_address(), end.command));
    EXPECT_EQ(program.wait().value().exit_code, end.shell_code) << end.command.back() << ": " << program.err();
  }
  const Arrived arrived(kafka_at(test::broker_address()));
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const End& end = ends[i];
    const v1::Completed* told = arrived.completed(runs[i]);
    ASSERT_NE(told, nullptr) << end.command.back();
    EXPECT_EQ(told->result(), end.result) << end.command.back();
    EXPECT_EQ(told->has_exit_code() ? std::optional(told->exit_code()) : std::nullopt, end.exit_code) << end.command.back();
    EXPECT_EQ(told->has_signal() ? std::optional(told->signal()) : std::nullopt, end.signal) << end.command.back();
    EXPECT_THAT(told->error(), end.error) << end.command.back();
  }
}

TEST(ExecOnKafka, AnEndIsToldThoughSomethingLeftBehindHoldsTheCommandsOutputOpen) {
  create_topics(test::broker_address());
  const std::string run_id = unique_name("left-behind");
  Program program(exec(run_id, test::broker_address(), {"--", "/bin/sh", "-c", "sleep 600 & echo $!; exit 4"}));
  const auto end = program.wait();
  const pid_t left_behind = std::stoi(program.out());
  EXPECT_EQ(::kill(left_behind, SIGKILL), 0) << "it has ended by itself, or exec has ended it";
  ASSERT_TRUE(end.has_value()) << "exec waits for it: " << program.err();
  EXPECT_EQ(end->exit_code, 4) << program.err();

  Arrived arrived(kafka_at(test::broker_address()));
  ASSERT_NE(arrived.completed(run_id), nullptr);
  EXPECT_EQ(arrived.completed(run_id)->result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(arrived.completed(run_id)->exit_code(), 4);
  EXPECT_EQ(arrived.lines(run_id), std::vector<std::string>{std::to_string(left_behind)});
}

/// A command that stops twice to be let go on, recorded on a broker that something befalls while it stands.
class BrokerInTrouble : public ::testing::Test {
 protected:
  BrokerInTrouble() {
    create_topics(broker_.address());
    EXPECT_EQ(::mkfifo(go_.c_str(), 0600), 0);
  }
  /// The command comes to its last line all the same before `mend`, and is told of as a whole after it.
  void expect_no_harm(const std::function<void()>& trouble, const std::function<void()>& mend) {
    Program program(exec("run", broker_.address(),
                         {"--", "/bin/sh", "-c", "seq 0 999; cat $1; seq 1000 1999; cat $1; echo done >&2; exit 5", "sh", go_}));
    ASSERT_TRUE(test::wait_until([&] { return Arrived(kafka_at(broker_.address())).lines("run").size() == 1'000; })) << program.err();
    trouble();
    ASSERT_TRUE(let_go()) << program.err();
    ASSERT_TRUE(test::wait_until([&] { return program.out().ends_with("\n1999\n"); })) << "without a broker: " << program.err();
    mend();
    ASSERT_TRUE(let_go()) << program.err();
    EXPECT_EQ(program.wait().value().exit_code, 5) << program.err();

    Arrived arrived(kafka_at(broker_.address()));
    const v1::Completed* told = arrived.completed("run");
    ASSERT_NE(told, nullptr) << program.err();
    EXPECT_EQ(told->result(), v1::RUN_RESULT_FAILURE);
    EXPECT_EQ(told->totals(1).drops_size(), 0);
    EXPECT_EQ(told->totals(1).last_sequence(), 2'001U);
    std::vector<std::string> expected;
    for (int i = 0; i < 2'000; ++i) expected.push_back(std::to_string(i));
    // stdout and stderr are looked at by a thread each, behind passing them on: "done" may come before the last numbers.
    std::vector<std::string> lines = arrived.lines("run");
    EXPECT_EQ(std::erase(lines, "done"), 1U);
    EXPECT_EQ(lines, expected);
  }

  test::RestartableBroker broker_;

 private:
  /// Writing alone has no reader yet, or none any more: it can be opened when the command has come to read it.
  [[nodiscard]] bool let_go() const {
    return test::wait_until([&] {
      const int pipe = ::open(go_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      return pipe >= 0 && ::close(pipe) == 0;
    });
  }

  const test::TemporaryFolder folder_;
  const std::string go_ = (folder_.path() / "go").string();
};

TEST_F(BrokerInTrouble, OneThatDiesInMidRunHoldsNothingUpAndItsRecordsArriveWhenItIsBack) {
  expect_no_harm([&] { broker_.kill(); }, [&] { broker_.start(); });
}

TEST_F(BrokerInTrouble, OneThatFreezesInMidRunHoldsNothingUpAndItsRecordsArriveWhenItThaws) {
  expect_no_harm([&] { broker_.freeze(); },
                 [&] {
                   EXPECT_TRUE(broker_.frozen()) << "the command came so far while nothing answered";
                   broker_.thaw();
                 });
}

}  // namespace
}  // namespace runfold

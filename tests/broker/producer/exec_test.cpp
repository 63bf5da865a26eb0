// runfold exec on a real Apache Kafka: how commands ended, and a broker that dies while one runs.
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
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
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
  std::string error;
};

TEST(ExecOnKafka, EveryEndIsToldAsItWas) {
  create_topics(test::broker_address());
  const std::vector<End> ends{
      {{"--", "/bin/true"}, 0, v1::RUN_RESULT_SUCCESS, 0, std::nullopt, ""},
      {{"--", "/bin/sh", "-c", "exit 3"}, 3, v1::RUN_RESULT_FAILURE, 3, std::nullopt, ""},
      {{"--", "/bin/sh", "-c", "kill -KILL $$"}, 128 + SIGKILL, v1::RUN_RESULT_ERROR, std::nullopt, SIGKILL, "SIGKILL"},
      {{"--", "/bin/sh", "-c", "kill -SEGV $$"}, 128 + SIGSEGV, v1::RUN_RESULT_ERROR, std::nullopt, SIGSEGV, "SIGSEGV"},
      {{"--timeout", "200ms", "--", "/bin/sleep", "600"}, 128 + SIGTERM, v1::RUN_RESULT_TIMEOUT, std::nullopt, SIGTERM, "200"},
      {{"--", "/no/such/command"}, 127, v1::RUN_RESULT_FAILURE, 127, std::nullopt, "/no/such/command"},
      {{"--", "/etc/passwd"}, 126, v1::RUN_RESULT_FAILURE, 126, std::nullopt, "/etc/passwd"},
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
    EXPECT_THAT(told->error(), HasSubstr(end.error));
  }
}

TEST(ExecOnKafka, ABrokerThatDiesInMidRunHoldsNothingUpAndItsRecordsArriveWhenItIsBack) {
  test::RestartableBroker broker;
  create_topics(broker.address());
  const test::TemporaryFolder folder;
  const std::string go = (folder.path() / "go").string();
  ASSERT_EQ(::mkfifo(go.c_str(), 0600), 0);
  // Writing alone has no reader yet, or none any more: it can be opened when the command has come to read it.
  const auto let_go = [&] {
    return test::wait_until([&] {
      const int pipe = ::open(go.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      return pipe >= 0 && ::close(pipe) == 0;
    });
  };
  Program program(
      exec("dies", broker.address(), {"--", "/bin/sh", "-c", "seq 0 999; cat $1; seq 1000 1999; cat $1; echo done >&2; exit 5", "sh", go}));
  ASSERT_TRUE(test::wait_until([&] { return Arrived(kafka_at(broker.address())).lines("dies").size() == 1'000; })) << program.err();
  broker.kill();
  ASSERT_TRUE(let_go()) << program.err();
  ASSERT_TRUE(test::wait_until([&] { return program.out().ends_with("\n1999\n"); })) << "without a broker: " << program.err();
  broker.start();
  ASSERT_TRUE(let_go()) << program.err();
  EXPECT_EQ(program.wait().value().exit_code, 5) << program.err();

  Arrived arrived(kafka_at(broker.address()));
  ASSERT_NE(arrived.completed("dies"), nullptr) << program.err();
  EXPECT_EQ(arrived.completed("dies")->result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(arrived.completed("dies")->totals(1).drops_size(), 0);
  std::vector<std::string> expected;
  for (int i = 0; i < 2'000; ++i) expected.push_back(std::to_string(i));
  expected.emplace_back("done");
  EXPECT_EQ(arrived.lines("dies"), expected);
}

}  // namespace
}  // namespace runfold

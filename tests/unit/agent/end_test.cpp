// How a run ended: one answer from what the process did and what the connector said.
#include "producer/agent/end.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace runfold::agent {
namespace {

ProcessEnd exited(int code) {
  return {{code, std::nullopt, false}, std::nullopt, std::nullopt};
}
ProcessEnd killed(int signal) {
  return {{std::nullopt, signal, false}, std::nullopt, std::nullopt};
}
std::optional<v1::Completed> declared(v1::RunResult result, const char* error = "") {
  v1::Completed completed;
  completed.set_result(result);
  completed.set_error(error);
  return completed;
}

TEST(MergeEnd, ExitCodeZeroIsSuccess) {
  const RunEnd end = merge_end(std::nullopt, exited(0));
  EXPECT_EQ(end.result, v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_FALSE(end.signal.has_value());
  EXPECT_EQ(end.error, "");
}

TEST(MergeEnd, AnotherExitCodeIsFailure) {
  const RunEnd end = merge_end(std::nullopt, exited(3));
  EXPECT_EQ(end.result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(end.exit_code, 3);
}

TEST(MergeEnd, SignalIsErrorAndNamed) {
  const RunEnd end = merge_end(std::nullopt, killed(SIGKILL));
  EXPECT_EQ(end.result, v1::RUN_RESULT_ERROR);
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_FALSE(end.exit_code.has_value());
  EXPECT_NE(end.error.find("SIGKILL"), std::string::npos);
}

TEST(MergeEnd, ACoreDumpIsSaidWhenThereIsOne) {
  EXPECT_EQ(merge_end(std::nullopt, killed(SIGSEGV)).error, "killed by signal 11 (SIGSEGV)");
  ProcessEnd process = killed(SIGSEGV);
  process.status.core_dumped = true;
  EXPECT_EQ(merge_end(std::nullopt, process).error, "killed by signal 11 (SIGSEGV), core dumped");
}

TEST(MergeEnd, OurTimeLimitIsTimeoutWhateverTheProcessMadeOfIt) {
  for (ProcessEnd process : {killed(SIGTERM), exited(0), exited(1)}) {
    process.timed_out_after = std::chrono::seconds(5);
    const RunEnd end = merge_end(declared(v1::RUN_RESULT_SUCCESS), process);
    EXPECT_EQ(end.result, v1::RUN_RESULT_TIMEOUT);
    EXPECT_NE(end.error.find("5 s"), std::string::npos);
  }
}

TEST(MergeEnd, DeclaredFailureStaysFailureAtExitCodeZero) {
  const RunEnd end = merge_end(declared(v1::RUN_RESULT_FAILURE, "no invoices"), exited(0));
  EXPECT_EQ(end.result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.error, "no invoices");
}

TEST(MergeEnd, DeclaredSuccessDoesNotOutliveWhatTheProcessDid) {
  EXPECT_EQ(merge_end(declared(v1::RUN_RESULT_SUCCESS), exited(1)).result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(merge_end(declared(v1::RUN_RESULT_SUCCESS), killed(SIGSEGV)).result, v1::RUN_RESULT_ERROR);
  EXPECT_EQ(merge_end(declared(v1::RUN_RESULT_CANCELLED), exited(0)).result, v1::RUN_RESULT_CANCELLED);
}

TEST(MergeEnd, ACompletedWithNoResultLeavesItToTheProcess) {
  EXPECT_EQ(merge_end(declared(v1::RUN_RESULT_UNSPECIFIED), exited(0)).result, v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(merge_end(declared(v1::RUN_RESULT_UNSPECIFIED), exited(2)).result, v1::RUN_RESULT_FAILURE);
}

TEST(MergeEnd, ACommandThatCouldNotStartSaysWhy) {
  ProcessEnd process = exited(127);
  process.launch_failure = LaunchFailure{127, "nope: command not found on PATH"};
  const RunEnd end = merge_end(std::nullopt, process);
  EXPECT_EQ(end.result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(end.exit_code, 127);
  EXPECT_EQ(end.error, "nope: command not found on PATH");
}

}  // namespace
}  // namespace runfold::agent

// A command that crashes: whether the kernel wrote a core dump of it stands in its run's end.
#include "producer/agent/descriptor.hpp"
#include "producer/agent/exec.hpp"
#include "runfold/v1/event.pb.h"
#include "tests/support/fake_kafka_client.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

namespace runfold::agent {
namespace {

/// The error of the run's Completed.
std::string error_told_of(const std::string& script) {
  runfold::test::FakeKafka kafka;
  ExecOptions options;
  EXPECT_TRUE(options.settings.kafka.set("bootstrap.servers", "in-memory:9092").has_value());
  options.make_client = kafka.factory();
  options.settings.connector_id = "crashes";
  options.command = {"/bin/sh", "-c", script};
  EXPECT_EQ(exec(std::move(options)).value(), 128 + SIGSEGV);
  v1::SyncEvent last;
  for (const auto& record : kafka.taken()) {
    if (record.topic != "runfold.events") continue;
    EXPECT_TRUE(last.ParseFromString(record.value));
  }
  EXPECT_EQ(last.completed().result(), v1::RUN_RESULT_ERROR);
  EXPECT_EQ(last.completed().signal(), SIGSEGV);
  return last.completed().error();
}

TEST(CoreDump, IsToldWhenTheKernelWroteOneAndOnlyThen) {
  const runfold::test::TemporaryFolder folder;
  int dumped = 0;
  for (const std::string limit : {"0", "$(ulimit -H -c)"}) {
    const std::string crash = "cd " + folder.path().string() + "; ulimit -S -c " + limit + "; kill -SEGV $$";
    // The same crash without us says what is to be told: it depends on the machine.
    const int status = std::system(crash.c_str());  // NOLINT(cert-env33-c)
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    const bool is_written = WCOREDUMP(status);
    dumped += is_written ? 1 : 0;
    EXPECT_EQ(error_told_of(crash), std::string("killed by signal 11 (SIGSEGV)") + (is_written ? ", core dumped" : ""));
  }
  std::string pattern;
  std::ifstream in("/proc/sys/kernel/core_pattern");
  std::getline(in, pattern);
  if (dumped == 0) {
    GTEST_SKIP() << "no core dump can be had here: /proc/sys/kernel/core_pattern is \"" << pattern
                 << "\", and the hard limit of `ulimit -c` may be 0";
  }
}

}  // namespace
}  // namespace runfold::agent

// A real Apache Kafka on which nobody has made Runfold's topics yet: who runs a connector there is told what to do.
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/restartable_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace runfold {
namespace {

using test::Program;
using ::testing::HasSubstr;

TEST(MissingTopics, AreNamedByExecAndLogWithWhatMakesThem) {
  const test::RestartableBroker broker;
  const std::string what = "topic runfold.events, which Kafka does not have; `runfold topics create`";

  Program exec({RUNFOLD_BINARY_DIR "/runfold", "exec", "--connector", "early", "--bootstrap-servers", broker.address(), "--", "/bin/sh",
                "-c", "exit 3"});
  const auto end = exec.wait();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->exit_code, 3) << "the command's own";
  EXPECT_THAT(exec.err(), HasSubstr(what));
  EXPECT_THAT(exec.err(), HasSubstr("did not reach Kafka"));

  Program log({RUNFOLD_BINARY_DIR "/runfold", "log", "--connector", "early", "--run-id", "r", "--timeout", "2s", "--bootstrap-servers",
               broker.address(), "hello"});
  const auto logged = log.wait();
  ASSERT_TRUE(logged.has_value());
  EXPECT_EQ(logged->exit_code, 69);
  EXPECT_THAT(log.err(), HasSubstr("topic runfold.logs, which Kafka does not have; `runfold topics create`"));
}

}  // namespace
}  // namespace runfold

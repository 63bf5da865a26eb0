// A command that has run to its end under runfold exec, on the test's Kafka, and what the topics tell of it.
#pragma once

#include "tests/broker/producer/on_kafka.hpp"
#include "tests/broker/producer/told.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace runfold::test {

class ExecRun {
 public:
  /// `environment` as Program has it.
  explicit ExecRun(const std::vector<std::string>& flags, const std::vector<std::string>& command,
                   const std::map<std::string, std::string>& environment = {}) {
    create_topics(broker_address());
    std::vector<std::string> all{RUNFOLD_BINARY_DIR "/runfold", "exec",           "--connector",     "job", "--run-id", run_id,
                                 "--bootstrap-servers",         broker_address(), "--flush-timeout", "60s"};
    all.insert(all.end(), flags.begin(), flags.end());
    all.emplace_back("--");
    all.insert(all.end(), command.begin(), command.end());
    Program program(all, environment);
    const auto ending = program.wait();
    EXPECT_TRUE(ending && ending->exit_code) << program.err();
    if (ending) exit_code = ending->exit_code.value_or(-1);
    out = program.out();
    err = program.err();
    told = told_of(run_id);
  }

  const std::string run_id = unique_name("exec");
  int exit_code = -1;
  std::string out;
  std::string err;
  Told told;
};

}  // namespace runfold::test

// Runs command lines in this process, with an environment of their own and their output kept.
#pragma once

#include "cli/command.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace runfold::cli::test {

/// What a command line printed and gave back.
struct Printed {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// No RUNFOLD_ variable of the machine's, and no embedded broker of its user's, reaches these tests.
class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    for (const char* name : {"RUNFOLD_BOOTSTRAP_SERVERS", "RUNFOLD_COLLECTOR_URL", "RUNFOLD_CONNECTOR", "RUNFOLD_VERSION", "RUNFOLD_SITE",
                             "RUNFOLD_RUN_ID", "RUNFOLD_ATTEMPT", "RUNFOLD_INTAKE_URL", "RUNFOLD_INTAKE_TOKEN", "RUNFOLD_KAFKA_CONFIG",
                             "RUNFOLD_AGENT_TOKEN", "CONTAINER_API_URL", "TRACEPARENT"}) {
      ::unsetenv(name);
    }
    ::setenv("RUNFOLD_STATE_DIR", folder_.path().c_str(), 1);
  }

  Printed runfold(const std::vector<std::string>& arguments, const std::string& input = {}, bool colour = false) {
    std::vector<const char*> argv{"runfold"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Printed printed;
    printed.exit_code = run(static_cast<int>(argv.size()), argv.data(), {in, out, err, colour});
    printed.out = out.str();
    printed.err = err.str();
    return printed;
  }

  runfold::test::TemporaryFolder folder_;
};

}  // namespace runfold::cli::test

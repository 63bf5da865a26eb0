// What keeps runfold agent from serving, said before it does.
#include "tests/unit/cli/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace runfold::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class AgentCommand : public test::CommandLineTest {
 protected:
  test::Printed agent(std::vector<std::string> further) {
    further.insert(further.begin(), {"agent", "--bootstrap-servers", "127.0.0.1:1"});
    return runfold(further);
  }
  std::string file(const std::string& text) {
    const auto path = folder_.path() / "token";
    std::ofstream(path) << text;
    return path.string();
  }
};

TEST_F(AgentCommand, NeedsAKafka) {
  const auto printed = runfold({"agent"});
  EXPECT_EQ(printed.exit_code, kConfiguration);
  EXPECT_THAT(printed.err, HasSubstr("no Kafka is configured"));
}

TEST_F(AgentCommand, ThatOthersCanReachNeedsATokenThatTheyKnow) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0", "10.1.2.3:8731", "agent.example.com:8731"}) {
    const auto printed = agent({"--listen", listen});
    EXPECT_EQ(printed.exit_code, kConfiguration) << listen;
    EXPECT_THAT(printed.err, HasSubstr("--token-file or RUNFOLD_AGENT_TOKEN")) << listen;
  }
}

TEST_F(AgentCommand, RefusesATokenThatIsNoneAndDoesNotShowIt) {
  for (const char* token : {"", "short-one", "two words that are long enough", "with-\xc3\xa4-umlaut-in-it"}) {
    const auto printed = agent({"--token-file", file(token)});
    EXPECT_EQ(printed.exit_code, kConfiguration) << token;
    EXPECT_THAT(printed.err, HasSubstr(folder_.path().string()));
    if (*token == '\0') continue;
    EXPECT_THAT(printed.err, Not(HasSubstr(token)));
  }
  EXPECT_THAT(agent({"--token-file", "/nowhere/token"}).err, HasSubstr("/nowhere/token (--token-file) cannot be read"));
  ::setenv("RUNFOLD_AGENT_TOKEN", "short-one", 1);
  const auto printed = agent({});
  ::unsetenv("RUNFOLD_AGENT_TOKEN");
  EXPECT_EQ(printed.exit_code, kConfiguration);
  EXPECT_THAT(printed.err, HasSubstr("RUNFOLD_AGENT_TOKEN is 9 bytes long"));
}

TEST_F(AgentCommand, RefusesAnAddressThatIsNone) {
  for (const char* listen : {"127.0.0.1", "127.0.0.1:99999", "127.0.0.1:"}) {
    const auto printed = agent({"--listen", listen, "--token-file", file("a-token-that-is-long-enough\n")});
    EXPECT_EQ(printed.exit_code, kConfiguration) << listen;
    EXPECT_THAT(printed.err, HasSubstr("--listen")) << listen;
  }
}

TEST_F(AgentCommand, RefusesNumbersThatMakeNoSense) {
  EXPECT_EQ(agent({"--max-jobs", "0"}).exit_code, kUsage);
  EXPECT_EQ(agent({"--job-idle", "0"}).exit_code, kUsage);
  EXPECT_EQ(agent({"--flush-timeout", "soon"}).exit_code, kUsage);
}

}  // namespace
}  // namespace runfold::cli

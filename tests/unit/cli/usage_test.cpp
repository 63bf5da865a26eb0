// What is no proper command line, and what is said of it.
#include "tests/support/program.hpp"
#include "tests/unit/cli/command_line.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace runfold::cli {
namespace {

using test::Printed;
using Usage = test::CommandLineTest;

TEST_F(Usage, OutputThatCannotBeWrittenIsAFailure) {
  for (const std::vector<const char*>& line : std::vector<std::vector<const char*>>{{"runfold", "version"}, {"runfold", "--help"}}) {
    std::istringstream in;
    std::ofstream full("/dev/full");
    ASSERT_TRUE(full.is_open());
    std::ostringstream err;
    EXPECT_EQ(run(static_cast<int>(line.size()), line.data(), {in, full, err}), 69);
    EXPECT_NE(err.str().find("standard output cannot be written"), std::string::npos) << err.str();
  }
}

TEST_F(Usage, AWrongCommandLineExitsWithTwoAndSaysWhy) {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"nonsense"},
                                                    {"runs", "--nonsense"},
                                                    {"runs", "--limit", "0"},
                                                    {"runs", "--from", "yesterdayish"},
                                                    {"runs", "--all", "--limit", "5"},
                                                    {"logs"},
                                                    {"exec"},
                                                    {"exec", "--"},
                                                    {"exec", "ls"},
                                                    {"exec", "--timeout", "soon", "--", "true"},
                                                    {"exec", "--attempt", "0", "--", "true"},
                                                    {"exec", "--debug", "sometimes", "--", "true"},
                                                    {"emit"},
                                                    {"emit", "step-started"},
                                                    {"emit", "heartbeat"},
                                                    {"emit", "heartbeat", "--connector", "c", "--run-id", std::string(201, 'r')},
                                                    {"emit", "completed", "--result", "splendid", "--run-id", "r", "--connector", "c"},
                                                    {"emit", "--json", "/no/such/file"},
                                                    {"log", "--level", "loud", "m"},
                                                    {"log", "--detail", "{", "m"},
                                                    {"dead-letters"},
                                                    {"dead-letters", "show"},
                                                    {"dead-letters", "show", "runfold.events/3"},
                                                    {"dead-letters", "list", "--limit", "0"},
                                                    {"dead-letters", "list", "--from", "2026-02-30"},
                                                    {"dead-letters", "redrive"},
                                                    {"dead-letters", "redrive", "--dry-run"},
                                                    {"dead-letters", "redrive", "1/-2"},
                                                    {"dead-letters", "redrive", "--all", "1/2"},
                                                    {"topics"},
                                                    {"completion", "tcsh"}};
  for (const auto& arguments : wrong) {
    const Printed printed = runfold(arguments);
    std::string line;
    for (const std::string& argument : arguments) line += " " + argument;
    EXPECT_EQ(printed.exit_code, 2) << line;
    EXPECT_FALSE(printed.err.empty()) << line;
    EXPECT_EQ(printed.out, "") << line;
  }
}

TEST_F(Usage, AMistypedWordGetsTheOneThatWasMeant) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"rnus"}, "runfold: no command \"rnus\"; did you mean \"runs\"?\n"},
      {{"nonsense", "--json"}, "runfold: no command \"nonsense\"; 'runfold --help' lists those there are\n"},
      {{"topics", "verfy"}, "runfold: no command \"verfy\" in \"runfold topics\"; did you mean \"verify\"?\n"},
      {{"topics"}, "runfold: runfold topics needs a command: create, verify; see 'runfold topics --help'\n"},
      {{"emit", "step-strated"}, "runfold: no command \"step-strated\" in \"runfold emit\"; did you mean \"step-started\"?\n"},
      {{"runs", "--conector", "c"}, "runfold: runfold runs has no option \"--conector\"; did you mean \"--connector\"?\n"},
      {{"logs", "r", "s"}, "runfold: runfold logs takes no argument \"s\"; see 'runfold logs --help'\n"},
      {{"exec", "--site", "a", "./job", "--full"}, "runfold: the command stands behind --: runfold exec --site a -- ./job --full\n"},
      {{"exec", "--full"},
       "runfold: exec has no option \"--full\"; if it is the command's, write -- before the command: runfold exec [OPTIONS] -- COMMAND\n"},
      {{"exec", "--tiemout", "3s", "--", "true"}, "runfold: runfold exec has no option \"--tiemout\"; did you mean \"--timeout\"?\n"}};
  for (const auto& [arguments, words] : cases) {
    const Printed printed = runfold(arguments);
    EXPECT_EQ(printed.exit_code, 2);
    EXPECT_EQ(printed.err, words);
  }
}

TEST_F(Usage, NoHelpNamesAVariableTwice) {
  for (const char* command : {"exec", "emit", "log", "runs", "topics"}) {
    EXPECT_EQ(runfold({command, "--help"}).out.find("Env:"), std::string::npos) << command;
  }
}

TEST_F(Usage, AWrongSettingExitsWith78AndNamesIt) {
  EXPECT_EQ(runfold({"emit", "heartbeat", "--run-id", "r", "--connector", "c"}).exit_code, 78) << "no Kafka is configured";
  EXPECT_EQ(runfold({"topics", "verify"}).exit_code, 78);
  EXPECT_EQ(runfold({"dead-letters", "list"}).exit_code, 78);
  const Printed property = runfold({"topics", "verify", "-X", "no.such.property=1"});
  EXPECT_EQ(property.exit_code, 78);
  EXPECT_NE(property.err.find("no.such.property"), std::string::npos);
  const std::string file = (folder_.path() / "kafka.properties").string();
  std::ofstream(file) << "# a comment\nsecurity.protocol=plaintext\n\nno.such.property=1\n";
  const Printed from_file = runfold({"exec", "--kafka-config", file, "--", "true"});
  EXPECT_EQ(from_file.exit_code, 78);
  EXPECT_NE(from_file.err.find(file + ":4"), std::string::npos) << from_file.err;
  EXPECT_EQ(runfold({"exec", "--container-api", "nonsense", "--", "true"}).exit_code, 78);
}

TEST_F(Usage, EveryCommandHasHelpWithExamples) {
  EXPECT_EQ(runfold({"--help"}).exit_code, 0);
  for (const char* command :
       {"exec", "emit", "log", "runs", "logs", "api-failures", "operations", "dead-letters", "topics", "completion"}) {
    const Printed printed = runfold({command, "--help"});
    EXPECT_EQ(printed.exit_code, 0) << command;
    EXPECT_NE(printed.out.find("Examples:"), std::string::npos) << command;
  }
}

TEST_F(Usage, VersionIsTold) {
  EXPECT_EQ(runfold({"version"}).out, "runfold " RUNFOLD_VERSION "\n");
  EXPECT_EQ(runfold({"--version"}).exit_code, 0);
  EXPECT_EQ(runfold({"version", "--json"}).out, "{\"version\":\"" RUNFOLD_VERSION "\"}\n");
}

TEST_F(Usage, CompletionCompletesCommandsAndFlagsInBash) {
  const std::string script = (folder_.path() / "completion.bash").string();
  std::ofstream(script) << runfold({"completion", "bash"}).out;
  const std::string ask = "source " + script +
                          "; COMP_WORDS=(runfold emit step-c); COMP_CWORD=2; _runfold; echo ${COMPREPLY[@]};"
                          " COMP_WORDS=(runfold runs --conn); COMP_CWORD=2; _runfold; echo ${COMPREPLY[@]}";
  runfold::test::Program bash({"/bin/bash", "-c", ask});
  const auto ending = bash.wait();
  ASSERT_TRUE(ending.has_value());
  EXPECT_EQ(ending->exit_code, 0) << bash.err();
  EXPECT_EQ(bash.out(), "step-completed\n--connector\n");
}

TEST_F(Usage, CompletionNamesEveryCommandInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Printed printed = runfold({"completion", shell});
    EXPECT_EQ(printed.exit_code, 0);
    for (const char* command : {"exec", "step-completed", "api-failures", "verify"}) {
      EXPECT_NE(printed.out.find(command), std::string::npos) << shell << " " << command;
    }
  }
}

}  // namespace
}  // namespace runfold::cli

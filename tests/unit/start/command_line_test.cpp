// The collector's command line.
#include "collector/command_line.hpp"

#include "collector/operator_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

using testing::ElementsAre;

std::variant<CommandLine, int> read(std::vector<const char*> words) {
  words.insert(words.begin(), "runfold-collector");
  return read_command_line(static_cast<int>(words.size()), words.data());
}

CommandLine line(const std::vector<const char*>& words) {
  const auto result = read(words);
  EXPECT_TRUE(std::holds_alternative<CommandLine>(result));
  return std::holds_alternative<CommandLine>(result) ? std::get<CommandLine>(result) : CommandLine{};
}

TEST(CommandLine, RunIsTheDefault) {
  EXPECT_EQ(line({}).command, Command::kRun);
  EXPECT_EQ(line({"run"}).command, Command::kRun);
  EXPECT_EQ(line({"validate"}).command, Command::kValidate);
  EXPECT_EQ(line({"version"}).command, Command::kVersion);
  EXPECT_EQ(line({"--version"}).command, Command::kVersion);
}

TEST(CommandLine, ReplayAndVerifyTakeWhatTheyAreAbout) {
  const auto replay =
      line({"replay", "--from", "earliest", "--to", "2026-05-16T14:32:11Z", "--into", "sqlite:new.db", "--group", "g", "--resume"});
  EXPECT_EQ(replay.command, Command::kReplay);
  EXPECT_EQ(replay.replay.from, "earliest");
  EXPECT_EQ(replay.replay.to, "2026-05-16T14:32:11Z");
  EXPECT_EQ(replay.replay.into, "sqlite:new.db");
  EXPECT_TRUE(replay.replay.resume);
  EXPECT_EQ(replay.flags.group, "g");
  const auto verify = line({"verify", "sqlite:a.db", "sqlite:b.db", "--limit", "3"});
  EXPECT_EQ(verify.command, Command::kVerify);
  EXPECT_EQ(verify.verify.a, "sqlite:a.db");
  EXPECT_EQ(verify.verify.b, "sqlite:b.db");
  EXPECT_EQ(verify.verify.limit, 3U);
  EXPECT_EQ(std::get<int>(read({"replay", "--from", "earliest"})), 2);
  EXPECT_EQ(std::get<int>(read({"verify", "sqlite:a.db"})), 2);
}

TEST(CommandLine, FlagsStandBeforeOrBehindTheCommand) {
  for (const auto& words : {std::vector<const char*>{"--config", "f", "validate"}, std::vector<const char*>{"validate", "--config", "f"}}) {
    EXPECT_EQ(line(words).flags.file, "f");
    EXPECT_EQ(line(words).command, Command::kValidate);
  }
}

TEST(CommandLine, EveryFlagIsRead) {
  const auto flags = line({"--bootstrap-servers", "a:1", "--group", "g", "--store", "sqlite:x", "--listen", "h:1", "--on-data-loss",
                           "continue", "-X", "a=b", "-X", "c=d=e", "--embedded-broker"})
                         .flags;
  EXPECT_EQ(flags.bootstrap_servers, "a:1");
  EXPECT_EQ(flags.group, "g");
  EXPECT_EQ(flags.store, "sqlite:x");
  EXPECT_EQ(flags.listen, "h:1");
  EXPECT_EQ(flags.on_data_loss, "continue");
  EXPECT_THAT(flags.properties, ElementsAre("a=b", "c=d=e"));
  EXPECT_TRUE(flags.embedded_broker);
  EXPECT_EQ(line({}).flags.store, std::nullopt);
}

TEST(CommandLine, WhatItDoesNotKnowIsAUsageError) {
  EXPECT_EQ(std::get<int>(read({"--nope"})), 2);
  EXPECT_EQ(std::get<int>(read({"nope"})), 2);
  EXPECT_EQ(std::get<int>(read({"run", "validate"})), 2);
  EXPECT_EQ(std::get<int>(read({"--help"})), 0);
}

TEST(OperatorLine, IsOneLineInTheFixedFormat) {
  EXPECT_THAT(operator_line(6, "a\nb"), testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+ [0-9]+:[0-9]+:[0-9]+ UTC \\[INFO\\] a\\\\nb\n"));
  EXPECT_THAT(operator_line(4, ""), testing::HasSubstr(" UTC [WARN] \n"));
}

}  // namespace
}  // namespace runfold::collector

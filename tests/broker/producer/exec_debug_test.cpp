// Debug records on a real Apache Kafka: of which runs they arrive, where they then stand, and how those that do not are counted.
#include "producer/sdk/producer.hpp"
#include "tests/broker/producer/exec_run.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::ExecRun;
using test::Told;
using test::unique_name;

using Lines = std::vector<std::string>;

/// In the fixed format, at a level.
std::string say(const std::string& level, const std::string& message) {
  return "echo '2026-05-16 14:32:11 UTC [" + level + "] " + message + "' >&2\n";
}
const std::string kDebug = say("DEBUG", "one") + say("INFO", "seen") + say("DEBUG", "two");
const std::string kQuotedRunfold = "'" RUNFOLD_BINARY_DIR "/runfold' ";
/// The same through the intake, which takes one request after the other; a stream has a thread of its own.
const std::string kSent =
    kQuotedRunfold + "log --level debug one\n" + kQuotedRunfold + "log seen\n" + kQuotedRunfold + "log --level debug two\n";

struct Case {
  const char* name;
  std::string script;
  Lines recorded;
  /// Debug records that nobody wanted.
  std::uint64_t not_needed = 0;
  Lines flags = {};
};

void expect_of(const Case& one, const Told& told) {
  EXPECT_EQ(told.messages(), one.recorded) << one.name;
  const v1::Completed end = told.end();
  ASSERT_EQ(end.totals_size(), 2) << one.name;
  EXPECT_EQ(end.totals(1).emitted(), one.recorded.size()) << one.name << ": what is not needed is not expected";
  EXPECT_EQ(end.totals(1).drops_size(), one.not_needed == 0 ? 0 : 1) << one.name;
  for (const auto& drop : end.totals(1).drops()) {
    EXPECT_EQ(drop.reason(), v1::DROP_REASON_NOT_NEEDED) << one.name;
    EXPECT_EQ(drop.records(), one.not_needed) << one.name;
  }
}

void expect_all(const std::vector<Case>& cases) {
  for (const Case& one : cases) expect_of(one, ExecRun(one.flags, {"/bin/sh", "-c", one.script}, {{"RUNFOLD_DEBUG", ""}}).told);
}

TEST(ExecDebug, NoneArrivesOfARunThatSucceedsWithoutAnError) {
  expect_all({{"success", kDebug, {"seen"}, 2},
              {"success, through the intake", kSent, {"seen"}, 2},
              {"a warning is no error", kDebug + say("WARN", "slow"), {"seen", "slow"}, 2}});
}

TEST(ExecDebug, ThoseBeforeAnErrorStandInFrontOfItAndThoseBehindItAreHeldBackAgain) {
  expect_all({{"error", kDebug + say("ERROR", "boom") + say("DEBUG", "three"), {"seen", "one", "two", "boom"}, 1},
              {"critical", kDebug + say("CRITICAL", "boom"), {"seen", "one", "two", "boom"}},
              {"two errors",
               kDebug + say("ERROR", "boom") + say("DEBUG", "three") + say("ERROR", "again"),
               {"seen", "one", "two", "boom", "three", "again"}}});
}

TEST(ExecDebug, TheyArriveOfARunThatFailsHoweverItDoes) {
  const Lines all{"seen", "one", "two"};
  expect_all({{"exit code", kDebug + "exit 3", all},
              {"killed", kDebug + "kill -KILL $$", all},
              {"time limit", kDebug + "exec sleep 600", all, 0, {"--timeout", "2s"}},
              {"declared", kDebug + kQuotedRunfold + "emit completed --result failure", all},
              {"a failed step",
               kSent + kQuotedRunfold + "emit step-started --step s\n" + kQuotedRunfold + "emit step-failed --step s --error boom", all}});
}

TEST(ExecDebug, TheyAreSentAsTheyComeOrNotAtAllWhereThatIsAskedFor) {
  expect_all({{"always", kDebug, {"one", "seen", "two"}, 0, {"--debug", "always"}},
              {"never", kDebug + say("ERROR", "boom"), {"seen", "boom"}, 2, {"--debug", "never"}}});
}

TEST(ExecDebug, OfMoreThanIsHeldBackTheLatestArriveInTheirOrder) {
  constexpr int kRows = 5'000;
  const ExecRun run({}, {"/bin/sh", "-c", "seq -f 'DEBUG row %05.0f' " + std::to_string(kRows) + " >&2; echo 'ERROR boom' >&2"});
  const Lines messages = run.told.messages();
  ASSERT_GT(messages.size(), 100U);
  ASSERT_LT(messages.size(), 2'000U) << "64 KiB of them";
  EXPECT_EQ(messages.back(), "boom");
  for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
    const std::string number = std::to_string(kRows + 2 - static_cast<int>(messages.size()) + static_cast<int>(i));
    EXPECT_EQ(messages[i], "row " + std::string(5 - number.size(), '0') + number);
  }
  const v1::TopicTotals totals = run.told.end().totals(1);
  ASSERT_EQ(totals.drops_size(), 1);
  EXPECT_EQ(totals.drops(0).reason(), v1::DROP_REASON_NOT_NEEDED);
  EXPECT_EQ(totals.drops(0).records() + messages.size(), kRows + 1U);
}

TEST(SdkDebug, TheyArriveWithAFailedStepAndAnExceptionAndNeverWithASuccess) {
  test::create_topics(test::broker_address());
  Settings settings;
  settings.kafka = test::kafka_at(test::broker_address());
  settings.connector_id = "invoices";
  const auto producer = std::move(Producer::create(std::move(settings))).value();
  const auto work = [](runfold::Run& run) {
    run.logger().debug("one");
    run.logger().info("seen");
    run.logger().debug("two");
  };
  const std::string well = unique_name("well");
  const std::string thrown = unique_name("thrown");
  const std::string step = unique_name("step");
  ::testing::internal::CaptureStderr();
  producer->run({.run_id = well}, work);
  EXPECT_THROW(producer->run({.run_id = thrown},
                             [&](runfold::Run& run) {
                               work(run);
                               throw std::runtime_error("boom");
                             }),
               std::runtime_error);
  producer->run({.run_id = step}, [&](runfold::Run& run) {
    work(run);
    run.step("s").fail("boom");
    run.logger().debug("three");
  });
  ::testing::internal::GetCapturedStderr();
  static_cast<void>(producer->close(test::kPatience));

  expect_of({"well", {}, {"seen"}, 2}, test::told_of(well));
  expect_of({"thrown", {}, {"seen", "one", "two"}}, test::told_of(thrown));
  expect_of({"step", {}, {"seen", "one", "two"}, 1}, test::told_of(step));
}

}  // namespace
}  // namespace runfold

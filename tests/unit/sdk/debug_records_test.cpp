// What becomes of debug records, by the producer's settings and the run's end.
#include "tests/unit/sdk/sdk_fixture.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace runfold {
namespace {

class DebugRecordsOf : public test::Sdk {
 protected:
  // What reaches Kafka of a run that logs a debug record, then an info record, and ends so.
  std::vector<std::string> sent(DebugRecords when, v1::RunResult result, bool joined = false) {
    Settings settings = test::good_settings();
    settings.debug_records = when;
    auto producer = make(std::move(settings));
    runfold::Run run = producer->start_run({.joined = joined});
    for (const auto& [severity, text] : {std::pair(v1::SEVERITY_DEBUG, "debug"), std::pair(v1::SEVERITY_INFO, "info")}) {
      v1::LogRecord record;
      record.set_severity(severity);
      record.set_message(text);
      EXPECT_TRUE(run.log(record));
    }
    if (!joined) run.finish({.result = result});
    report = producer->close(test::kPatience);
    std::vector<std::string> out;
    for (const auto& record : logs()) out.push_back(record.message());
    return out;
  }
  ProducerReport report;
};

using Lines = std::vector<std::string>;

TEST_F(DebugRecordsOf, ASuccessAreNotSentAndAreNoLoss) {
  EXPECT_EQ(sent(Settings().debug_records, v1::RUN_RESULT_SUCCESS), Lines{"info"});
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"not_needed", 1}}));
  EXPECT_EQ(what_was_lost(report, "records were lost"), std::nullopt);
}

TEST_F(DebugRecordsOf, AFailureAreSent) {
  EXPECT_EQ(sent(Settings().debug_records, v1::RUN_RESULT_FAILURE), (Lines{"info", "debug"}));
}

TEST_F(DebugRecordsOf, ASuccessAreSentWhenAlwaysWanted) {
  EXPECT_EQ(sent(DebugRecords::kAlways, v1::RUN_RESULT_SUCCESS), (Lines{"debug", "info"}));
}

TEST_F(DebugRecordsOf, AFailureAreNotSentWhenNeverWanted) {
  EXPECT_EQ(sent(DebugRecords::kNever, v1::RUN_RESULT_FAILURE), Lines{"info"});
}

TEST_F(DebugRecordsOf, ARunThatIsOnlyJoinedAreSentForItsEndIsNotKnownHere) {
  EXPECT_EQ(sent(DebugRecords::kOnError, {}, true), (Lines{"debug", "info"}));
}

TEST_F(DebugRecordsOf, ARunThatIsOnlyJoinedAreNotSentEitherWhenNeverWanted) {
  EXPECT_EQ(sent(DebugRecords::kNever, {}, true), Lines{"info"});
}

TEST_F(DebugRecordsOf, AStepThatFailsByAnExceptionAreSentBeforeTheRunsEnd) {
  auto producer = make();
  ::testing::internal::CaptureStderr();
  producer->run({}, [](runfold::Run& run) {
    run.logger().debug("before the failure");
    try {
      run.step("upload", [](Step&) { throw std::runtime_error("connection reset"); });
    } catch (const std::runtime_error&) {
    }
    run.logger().debug("after it");
  });
  ::testing::internal::GetCapturedStderr();
  report = producer->close(test::kPatience);
  ASSERT_EQ(logs().size(), 1U);
  EXPECT_EQ(logs()[0].message(), "before the failure");
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"not_needed", 1}}));
}

TEST_F(DebugRecordsOf, TheEnvironmentSaysWhenToSendThem) {
  EXPECT_EQ(Settings::from_environment()->debug_records, DebugRecords::kOnError);
  for (const auto& [name, when] : {std::pair("always", DebugRecords::kAlways), std::pair("on-error", DebugRecords::kOnError),
                                   std::pair("never", DebugRecords::kNever)}) {
    environment.set("RUNFOLD_DEBUG", name);
    EXPECT_EQ(Settings::from_environment()->debug_records, when);
  }
  environment.set("RUNFOLD_DEBUG", "sometimes");
  const auto wrong = Settings::from_environment();
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().message, "RUNFOLD_DEBUG is \"sometimes\": set it to always, on-error or never.");
}

TEST(WhatWasLost, CountsWhatWasNeededOnly) {
  const ProducerReport report{
      .emitted = 240, .acknowledged = 137, .pending = 0, .dropped = {{"not_needed", 100}, {"rate_limited", 3}}, .topics = {}};
  EXPECT_EQ(what_was_lost(report, "records were lost"), "3 of 140 records were lost (rate_limited 3)");
}

}  // namespace
}  // namespace runfold

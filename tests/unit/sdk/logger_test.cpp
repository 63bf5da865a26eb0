// A connector that logs a line for each record is told so, and its storm stays off the topic.
#include "tests/unit/sdk/sdk_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::kPatience;
using test::Sdk;

class Loggers : public Sdk {
 protected:
  static Settings settings() {
    Settings out = test::good_settings();
    // So slow that the time a test takes makes no difference to speak of.
    out.site_rate = {.burst = 10, .per_second = 1};
    return out;
  }
  // What `body` prints, line by line.
  template <class Body>
  static std::vector<std::string> printed(Body&& body) {
    ::testing::internal::CaptureStderr();
    body();
    std::istringstream all(::testing::internal::GetCapturedStderr());
    std::vector<std::string> lines;
    for (std::string line; std::getline(all, line);) lines.push_back(line);
    return lines;
  }
  static std::size_t count(const std::vector<std::string>& lines, std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(), [text](const std::string& line) { return line.find(text) != std::string::npos; }));
  }
  std::vector<v1::LogRecord> logs_of(v1::Severity severity) {
    auto out = logs();
    std::erase_if(out, [severity](const v1::LogRecord& record) { return record.severity() != severity; });
    return out;
  }
  static std::uint64_t rate_limited(const v1::TopicTotals& totals) {
    for (const auto& drop : totals.drops()) {
      if (drop.reason() == v1::DROP_REASON_RATE_LIMITED) return drop.records();
    }
    return 0;
  }
};

TEST_F(Loggers, ALineForEachRecordIsWarnedOfOnceAndKeptFromTheTopic) {
  auto producer = make(settings());
  const auto lines = printed([&] {
    producer->run({}, [](runfold::Run& run) {
      run.step("save", [&run](Step&) {
        for (int i = 0; i < 500; ++i) run.logger().info("Saving " + std::to_string(i));
      });
    });
  });
  const auto report = producer->close(kPatience);
  EXPECT_EQ(count(lines, "[INFO] Saving"), 500U);
  EXPECT_EQ(count(lines, "[WARN] Runfold: logger_test.cpp:"), 1U);

  const auto sent = logs_of(v1::SEVERITY_INFO);
  EXPECT_GE(sent.size(), 10U);
  EXPECT_LT(sent.size(), 500U);
  const auto warned = logs_of(v1::SEVERITY_WARNING);
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_EQ(warned[0].step_id(), "save");
  EXPECT_NE(warned[0].detail_json().find("\"function\""), std::string::npos);

  const v1::Completed end = events().back().completed();
  ASSERT_EQ(end.totals_size(), 2);
  EXPECT_EQ(end.totals(1).emitted(), 501U);
  EXPECT_EQ(rate_limited(end.totals(1)), 500 - sent.size());
  EXPECT_EQ(report.dropped.at("rate_limited"), 500 - sent.size());
}

TEST_F(Loggers, WarningsAndErrorsPassTheStormAndEveryOtherCallSiteDoesToo) {
  auto producer = make(settings());
  const auto lines = printed([&] {
    producer->run({}, [](runfold::Run& run) {
      for (int i = 0; i < 100; ++i) {
        run.logger().info("Saving");
        run.logger().warn("Failed");
        run.logger().log(v1::SEVERITY_ERROR, "Failed for good");
      }
      run.logger().info("Save complete");
    });
  });
  producer->close(kPatience);
  EXPECT_LT(logs_of(v1::SEVERITY_INFO).size(), 101U);
  EXPECT_EQ(logs_of(v1::SEVERITY_INFO).back().message(), "Save complete");
  EXPECT_EQ(logs_of(v1::SEVERITY_ERROR).size(), 100U);
  EXPECT_EQ(logs_of(v1::SEVERITY_WARNING).size(), 101U);  // and the one about the storm
  EXPECT_EQ(lines.size(), 302U);
}

TEST_F(Loggers, EachSiteAndEachRunIsWarnedOfByItself) {
  auto producer = make(settings());
  const auto storm = [](runfold::Run& run) {
    for (int i = 0; i < 100; ++i) run.logger().debug("Raw");
    for (int i = 0; i < 100; ++i) run.logger().notice("Saved");
  };
  const auto lines = printed([&] {
    producer->run({.run_id = "first"}, storm);
    producer->run({.run_id = "second"}, storm);
  });
  EXPECT_EQ(count(lines, "[WARN] Runfold: logger_test.cpp:"), 4U);
}

TEST_F(Loggers, AWrapperThatHandsItsCallersSiteThroughIsNoSiteItself) {
  auto producer = make(settings());
  const auto say = [](Logger& logger, int i, std::source_location site = std::source_location::current()) {
    logger.info(std::to_string(i), {}, site);
  };
  const auto lines = printed([&] {
    producer->run({}, [&say](runfold::Run& run) {
      for (int i = 0; i < 10; ++i) say(run.logger(), i);
      for (int i = 0; i < 10; ++i) say(run.logger(), i);
    });
  });
  EXPECT_EQ(lines.size(), 20U);
}

TEST_F(Loggers, WithoutKafkaTheWarningIsPrintedToo) {
  Settings off;
  off.site_rate = {.burst = 10, .per_second = 1};
  auto producer = make(std::move(off));
  const auto lines = printed([&] {
    producer->run({}, [](runfold::Run& run) {
      for (int i = 0; i < 100; ++i) run.logger().info("Saving");
    });
  });
  EXPECT_EQ(count(lines, "[WARN] Runfold: logger_test.cpp:"), 1U);
}

TEST_F(Loggers, WhatIsLoggedAfterTheEndIsLateAndNotRateLimited) {
  auto producer = make(settings());
  printed([&] {
    runfold::Run run = producer->start_run();
    run.finish({});
    for (int i = 0; i < 100; ++i) run.logger().info("Saving");
  });
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"late", 100}}));
}

}  // namespace
}  // namespace runfold

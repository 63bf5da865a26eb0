// Waits before retries, and Retry-After.
#include "sinks/backoff.hpp"
#include "sinks/retry_after.hpp"
#include "sinks/trouble.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runfold::sinks {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(WaitBeforeRetry, GrowsFromASecondToFiveMinutesAndNeverLeavesThem) {
  const Backoff backoff;
  for (std::uint32_t attempts = 0; attempts < 100; ++attempts) {
    const auto wait = wait_before_retry(backoff, attempts, "key-" + std::to_string(attempts));
    EXPECT_GE(wait, 1s);
    EXPECT_LE(wait, 5min);
  }
  EXPECT_EQ(wait_before_retry(backoff, 0, "k"), 1s);
  EXPECT_GE(wait_before_retry(backoff, 3, "k"), 6s);
  EXPECT_LE(wait_before_retry(backoff, 3, "k"), 8s);
  EXPECT_GE(wait_before_retry(backoff, 4'000'000'000U, "k"), 225s);
}

TEST(WaitBeforeRetry, IsTheSameForAKeyAndSpreadOverKeys) {
  const Backoff backoff;
  std::set<std::chrono::milliseconds> waits;
  for (int i = 0; i < 100; ++i) {
    const auto key = "run:" + std::to_string(i);
    waits.insert(wait_before_retry(backoff, 6, key));
    EXPECT_EQ(wait_before_retry(backoff, 6, key), wait_before_retry(backoff, 6, key));
  }
  EXPECT_GT(waits.size(), 90U);
}

TEST(RetryAfter, BothFormsAreRead) {
  const std::chrono::system_clock::time_point now = std::chrono::sys_days(std::chrono::year(2026) / 5 / 16) + 14h + 32min + 11s;
  EXPECT_EQ(read_retry_after("120", now), 120s);
  EXPECT_EQ(read_retry_after(" 0 ", now), 0s);
  EXPECT_EQ(read_retry_after("Sat, 16 May 2026 14:33:11 GMT", now), 60s);
  EXPECT_EQ(read_retry_after("Sat, 16 May 2026 14:32:11 GMT", now + 500ms), 0s) << "it has passed";
  EXPECT_EQ(read_retry_after("Fri, 15 May 2026 14:32:11 GMT", now), 0s);
}

TEST(RetryAfter, ALongTimeIsBoundedAndNeverOverflows) {
  EXPECT_EQ(read_retry_after("99999999999999999999999999", {}), 31'536'000s);
  EXPECT_EQ(read_retry_after("9223372036854775807", {}), 31'536'000s);
  EXPECT_EQ(read_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", {}), 31'536'000s);
}

TEST(RetryAfter, WhatIsNeitherFormIsNotRead) {
  for (const std::string text :
       {"", "soon", "-1", "1.5", "12 s", "Sat, 16 May 2026 14:32:11 CET", "Sat, 31 Feb 2026 14:32:11 GMT", "Sat, 16 Mai 2026 14:32:11 GMT",
        "Sat, 16 May 2026 24:32:11 GMT", "Sat, -6 May 2026 14:32:11 GMT", "Saturday, 16-May-26 14:32:11 GMT"}) {
    EXPECT_FALSE(read_retry_after(text, {})) << text;
  }
}

TEST(Trouble, IsSaidAtOnceThenAtAGrowingIntervalAndThenThatItIsOver) {
  std::vector<std::pair<int, std::string>> lines;
  auto log = [&lines](int severity, std::string_view line) { lines.emplace_back(severity, line); };
  Trouble trouble(log, "it works again");
  Trouble::Clock::time_point now{};
  trouble.over(now);
  EXPECT_TRUE(lines.empty());
  for (int second = 0; second < 100; ++second) trouble.happened(now + std::chrono::seconds(second), 4, "it is broken");
  ASSERT_EQ(lines.size(), 3U) << "at 0, 10 and 40 s";
  EXPECT_EQ(lines[0].second, "it is broken");
  EXPECT_THAT(lines[1].second, HasSubstr("11 times in 10 s"));
  trouble.over(now + 100s);
  EXPECT_EQ(lines.back(), std::pair(5, std::string("it works again after 100 s")));
  trouble.happened(now + 101s, 4, "it is broken");
  EXPECT_EQ(lines.back().second, "it is broken");
}

}  // namespace
}  // namespace runfold::sinks

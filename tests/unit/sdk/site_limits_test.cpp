// A call site's lines pass up to its rate, whoever else logs; the clock is the test's.
#include "producer/sdk/site_limits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace runfold {
namespace {

using Verdict = SiteLimits::Verdict;

constexpr std::chrono::steady_clock::time_point kStart{std::chrono::hours(1)};
constexpr std::source_location kHere = std::source_location::current();

std::source_location elsewhere() {
  return std::source_location::current();
}

int passed(SiteLimits& limits, const std::source_location& site, int lines, std::chrono::steady_clock::time_point now) {
  int out = 0;
  for (int i = 0; i < lines; ++i) out += limits.judge(site, now) == Verdict::kPass ? 1 : 0;
  return out;
}

TEST(SiteLimits, ABurstPassesAndTheLineBehindItIsTheFirstThatIsHeld) {
  SiteLimits limits({.burst = 3, .per_second = 10});
  EXPECT_EQ(passed(limits, kHere, 3, kStart), 3);
  EXPECT_EQ(limits.judge(kHere, kStart), Verdict::kHoldFirst);
  EXPECT_EQ(limits.judge(kHere, kStart), Verdict::kHold);
}

TEST(SiteLimits, WithTimeSoManyPassAgainAsTheRateSays) {
  SiteLimits limits({.burst = 3, .per_second = 10});
  EXPECT_EQ(passed(limits, kHere, 100, kStart), 3);
  EXPECT_EQ(passed(limits, kHere, 100, kStart + std::chrono::milliseconds(99)), 0);
  EXPECT_EQ(passed(limits, kHere, 100, kStart + std::chrono::milliseconds(100)), 1);
  EXPECT_EQ(passed(limits, kHere, 100, kStart + std::chrono::milliseconds(300)), 2);
  EXPECT_EQ(passed(limits, kHere, 100, kStart + std::chrono::hours(1)), 3);
  EXPECT_EQ(limits.judge(kHere, kStart + std::chrono::hours(1)), Verdict::kHold);  // the first was said before
}

TEST(SiteLimits, AtTheRateItselfEveryLinePasses) {
  SiteLimits limits({.burst = 3, .per_second = 10});
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(passed(limits, kHere, 1, kStart + i * std::chrono::milliseconds(100)), 1);
}

TEST(SiteLimits, EachCallSiteHasABurstOfItsOwn) {
  SiteLimits limits({.burst = 3, .per_second = 10});
  EXPECT_EQ(passed(limits, kHere, 100, kStart), 3);
  EXPECT_EQ(passed(limits, elsewhere(), 100, kStart), 3);
  EXPECT_EQ(limits.judge(elsewhere(), kStart), Verdict::kHold);
  const auto one = std::source_location::current(), other = std::source_location::current();  // of one line
  EXPECT_EQ(passed(limits, one, 100, kStart), 3);
  EXPECT_EQ(passed(limits, other, 100, kStart), 3);
}

TEST(SiteLimits, ARateOfZeroIsNoLimit) {
  SiteLimits limits({.burst = 3, .per_second = 0});
  EXPECT_EQ(passed(limits, kHere, 10'000, kStart), 10'000);
}

TEST(SiteLimits, ThreadsShareTheBurstOfASite) {
  SiteLimits limits({.burst = 1'000, .per_second = 10});
  std::atomic<int> all = 0;
  std::atomic<int> firsts = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) {
        const auto verdict = limits.judge(kHere, kStart);
        all += verdict == Verdict::kPass ? 1 : 0;
        firsts += verdict == Verdict::kHoldFirst ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(all, 1'000);
  EXPECT_EQ(firsts, 1);
}

}  // namespace
}  // namespace runfold

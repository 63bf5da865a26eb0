// Each partition has its turn in time, whatever the others' leaders do.
#include "transport/kafka/watch_turns.hpp"

#include <gtest/gtest.h>

#include <map>

namespace runfold::kafka {
namespace {

using namespace std::chrono_literals;

constexpr WatchPace kAFewAtATime{50ms, false};

std::vector<TopicPartition> partitions(std::int32_t count, const std::string& topic = "letters") {
  std::vector<TopicPartition> all;
  for (std::int32_t i = 0; i < count; ++i) all.push_back({topic, i});
  return all;
}

/// The longest time that one of them waited for its turn in a minute. A turn of an answered leader takes 5 ms, of a silent one
/// the 500 ms after which it is given up.
std::chrono::milliseconds longest_wait(WatchTurns& answering, std::vector<WatchTurns>& silent, const WatchPace& pace) {
  const auto start = WatchTurns::Clock::time_point{} + 1h;
  std::map<TopicPartition, WatchTurns::Clock::time_point> asked_at;
  WatchTurns::Clock::duration longest{};
  for (auto now = start; now < start + 1min; now += pace.period) {
    for (WatchTurns& turns : silent) {
      if (turns.next_few(now, pace).empty()) continue;
      now += 500ms;
      turns.silent(now);
    }
    for (const TopicPartition& at : answering.next_few(now, pace)) {
      const auto [before, first] = asked_at.try_emplace(at, start);
      longest = std::max(longest, now - before->second);
      before->second = now;
    }
    now += 5ms;
    answering.answered();
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
}

TEST(WatchTurns, EachPartitionHasItsTurnOnceASecond) {
  for (const std::int32_t count : {1, 3, 20, 200}) {
    WatchTurns turns;
    turns.set(partitions(count));
    std::vector<WatchTurns> none;
    EXPECT_LE(longest_wait(turns, none, kAFewAtATime), 1'200ms) << count;
  }
}

TEST(WatchTurns, ALeaderThatIsSilentKeepsNoOtherFromItsTurn) {
  for (const WatchPace pace : {kAFewAtATime, WatchPace{1s, true}}) {
    WatchTurns turns;
    turns.set(partitions(40));
    std::vector<WatchTurns> silent(1);
    silent[0].set(partitions(1, "leaderless"));
    EXPECT_LE(longest_wait(turns, silent, pace), 2s);
  }
}

TEST(WatchTurns, SmallTurnsTakeThemInOrder) {
  WatchTurns turns;
  turns.set(partitions(40));
  const auto now = WatchTurns::Clock::time_point{} + 1h;
  EXPECT_EQ(turns.next_few(now, kAFewAtATime).size(), 2U);
  const auto next = turns.next_few(now + 50ms, kAFewAtATime);
  ASSERT_EQ(next.size(), 2U);
  EXPECT_EQ(next[0].partition, 2);
  EXPECT_EQ(turns.next_few(now + 550ms, kAFewAtATime).size(), 20U) << "what a long turn has cost is made up for";
  EXPECT_EQ(turns.next_few(now + 1h, kAFewAtATime).size(), 40U);
}

TEST(WatchTurns, WhoIsSilentRestsAndIsAskedAgain) {
  WatchTurns turns;
  turns.set(partitions(1));
  const auto now = WatchTurns::Clock::time_point{} + 1h;
  EXPECT_FALSE(turns.next_few(now, kAFewAtATime).empty());
  turns.silent(now);
  EXPECT_TRUE(turns.is_silent());
  turns.set(partitions(2));
  EXPECT_TRUE(turns.next_few(now + WatchTurns::kRest - 1ms, kAFewAtATime).empty());
  EXPECT_FALSE(turns.next_few(now + WatchTurns::kRest, kAFewAtATime).empty());
  turns.answered();
  EXPECT_FALSE(turns.is_silent());
}

}  // namespace
}  // namespace runfold::kafka

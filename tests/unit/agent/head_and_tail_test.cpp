// What is looked at of a stream: all of it while it is short, its beginning and its end when it is long.
#include "producer/agent/head_and_tail.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace runfold::agent {
namespace {

struct Seen {
  std::string bytes;
  std::vector<HeadAndTail::Gap> gaps;
  std::size_t gap_at = 0;

  HeadAndTail of(HeadAndTail::Limits limits) {
    return HeadAndTail(
        limits, [this](std::string_view more) { bytes += more; },
        [this](const HeadAndTail::Gap& gap) {
          gaps.push_back(gap);
          gap_at = bytes.size();
        });
  }
};

TEST(HeadAndTail, AShortStreamGoesThroughAtOnce) {
  Seen seen;
  auto stream = seen.of({.head_bytes = 10, .tail_bytes = 10});
  stream.feed("one\n");
  EXPECT_EQ(seen.bytes, "one\n");
  stream.finish();
  EXPECT_EQ(seen.bytes, "one\n");
  EXPECT_TRUE(seen.gaps.empty());
}

TEST(HeadAndTail, TheHeadEndsWithItsLineAndTheTailBeginsWithOne) {
  Seen seen;
  auto stream = seen.of({.head_bytes = 6, .tail_bytes = 12});
  for (int i = 0; i < 100; ++i) stream.feed("line " + std::to_string(10 + i % 90) + "\n");
  EXPECT_EQ(seen.bytes, "line 10\n");
  stream.finish();
  EXPECT_EQ(seen.bytes, "line 10\nline 19\n");
  ASSERT_EQ(seen.gaps.size(), 1U);
  EXPECT_EQ(seen.gap_at, 8U);
  EXPECT_EQ(seen.gaps[0].lines, 98U);
  EXPECT_EQ(seen.gaps[0].bytes, 98U * 8);
}

TEST(HeadAndTail, WhatFitsIntoBothIsGivenWhole) {
  Seen seen;
  auto stream = seen.of({.head_bytes = 4, .tail_bytes = 8});
  stream.feed("one\ntwo\nthr");
  stream.finish();
  EXPECT_EQ(seen.bytes, "one\ntwo\nthr");
  EXPECT_TRUE(seen.gaps.empty());
}

TEST(HeadAndTail, OutputWithoutLinesIsBoundedToo) {
  Seen seen;
  auto stream = seen.of({.head_bytes = 100, .tail_bytes = 50});
  for (int i = 0; i < 1'000; ++i) stream.feed(std::string(30, static_cast<char>('a' + i % 26)));
  stream.finish();
  EXPECT_EQ(seen.bytes.size(), 120U + 50U);
  ASSERT_EQ(seen.gaps.size(), 1U);
  EXPECT_EQ(seen.gaps[0].bytes, 30'000U - 170U);
  EXPECT_EQ(seen.gaps[0].lines, 0U);
}

TEST(HeadAndTail, HoweverItIsReadTheSameIsSeenAndAllOfItIsAccountedFor) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string whole;
    const std::size_t lines = random() % 60;
    for (std::size_t i = 0; i < lines; ++i) whole += std::string(random() % 20, static_cast<char>('a' + i % 26)) + "\n";
    whole += std::string(random() % 5, 'z');
    const HeadAndTail::Limits limits{.head_bytes = 1 + random() % 100, .tail_bytes = 1 + random() % 100};
    Seen seen;
    auto stream = seen.of(limits);
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 40, whole.size() - at);
      stream.feed(std::string_view(whole).substr(at, size));
      at += size;
    }
    stream.finish();
    if (seen.gaps.empty()) {
      EXPECT_EQ(seen.bytes, whole);
      continue;
    }
    const std::size_t left_out = seen.gaps[0].bytes;
    EXPECT_EQ(seen.bytes.size() + left_out, whole.size());
    EXPECT_EQ(seen.bytes.substr(0, seen.gap_at), whole.substr(0, seen.gap_at));
    EXPECT_EQ(seen.bytes.substr(seen.gap_at), whole.substr(seen.gap_at + left_out));
    const auto count = [](const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); };
    EXPECT_EQ(count(seen.bytes) + seen.gaps[0].lines, count(whole));
  }
}

}  // namespace
}  // namespace runfold::agent

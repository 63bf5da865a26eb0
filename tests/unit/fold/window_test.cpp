// Windows of sequence numbers: new or seen, in any order, within their bound.
#include "collector/fold_window.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

namespace runfold::collector {
namespace {

using ::testing::ElementsAre;
using Range = SequenceWindow::Range;

std::vector<Range> add(SequenceWindow& window, std::uint64_t first, std::uint64_t last) {
  std::vector<Range> fresh;
  window.add({first, last}, [&](Range range) { fresh.push_back(range); });
  return fresh;
}

TEST(SequenceWindow, NumbersInOrderAreNewOnceAndTakeNoMemory) {
  SequenceWindow window;
  for (std::uint64_t number = 1; number <= 1000; ++number) EXPECT_TRUE(window.add(number));
  for (std::uint64_t number = 1; number <= 1000; ++number) EXPECT_FALSE(window.add(number));
  EXPECT_EQ(window.received(), 1000U);
  EXPECT_TRUE(window.ranges().empty());
}

TEST(SequenceWindow, ANumberBehindAGapIsRememberedAndTheGapStaysOpen) {
  SequenceWindow window;
  EXPECT_TRUE(window.add(5));
  EXPECT_FALSE(window.add(5));
  EXPECT_TRUE(window.add(3));
  EXPECT_EQ(window.received(), 2U);
  EXPECT_TRUE(window.add(1));
  EXPECT_TRUE(window.add(2));
  EXPECT_TRUE(window.add(4));
  EXPECT_EQ(window.next(), 6U);
  EXPECT_TRUE(window.ranges().empty());
}

TEST(SequenceWindow, OnlyTheUnseenPartsOfARangeAreNew) {
  SequenceWindow window;
  EXPECT_THAT(add(window, 1, 3), ElementsAre(Range{1, 3}));
  EXPECT_THAT(add(window, 6, 7), ElementsAre(Range{6, 7}));
  EXPECT_THAT(add(window, 9, 9), ElementsAre(Range{9, 9}));
  EXPECT_THAT(add(window, 2, 10), ElementsAre(Range{4, 5}, Range{8, 8}, Range{10, 10}));
  EXPECT_THAT(add(window, 1, 10), ElementsAre());
  EXPECT_EQ(window.next(), 11U);
}

TEST(SequenceWindow, AnyOrderOfAnyRangesAgreesWithASet) {
  std::mt19937_64 engine(7);
  for (int round = 0; round < 300; ++round) {
    SequenceWindow window;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 100; ++i) {
      const std::uint64_t first = 1 + engine() % 120;
      const std::uint64_t last = first + engine() % 6;
      std::vector<std::uint64_t> expected;
      for (std::uint64_t number = first; number <= last; ++number) {
        if (seen.insert(number).second) expected.push_back(number);
      }
      std::vector<std::uint64_t> fresh;
      if (first == last) {
        if (window.add(first)) fresh.push_back(first);
      } else {
        for (const Range& range : add(window, first, last)) {
          for (std::uint64_t number = range.first; number <= range.last; ++number) fresh.push_back(number);
        }
      }
      ASSERT_EQ(fresh, expected);
      ASSERT_EQ(window.received(), seen.size());
    }
    SequenceWindow again;
    ASSERT_TRUE(again.restore(window.next(), window.given_up(), window.ranges()));
    EXPECT_EQ(again.received(), window.received());
  }
}

TEST(SequenceWindow, AtItsBoundNothingIsGivenUp) {
  SequenceWindow window;
  for (std::uint64_t i = 0; i < SequenceWindow::kMaxRanges; ++i) EXPECT_TRUE(window.add(2 * i + 2));
  EXPECT_EQ(window.given_up(), 0U);
  EXPECT_TRUE(window.add(1));
}

TEST(SequenceWindow, BeyondItsBoundTheLowestGapIsGivenUpAndCountsAsMissing) {
  SequenceWindow window;
  const std::uint64_t stretches = SequenceWindow::kMaxRanges + 1;
  // 3, 5, 7, ...: 1 and 2 are the lowest gap.
  for (std::uint64_t i = 0; i < stretches; ++i) EXPECT_TRUE(window.add(2 * i + 3));
  EXPECT_EQ(window.given_up(), 2U);
  EXPECT_EQ(window.next(), 4U);
  EXPECT_EQ(window.received(), stretches);
  EXPECT_FALSE(window.add(1)) << "too late: it may have been seen, so it is not folded, and stays missing";
  EXPECT_EQ(window.received(), stretches);
  EXPECT_TRUE(window.add(4)) << "the other gaps are still open";
  for (std::uint64_t i = 0; i < stretches; ++i) EXPECT_FALSE(window.add(2 * i + 3)) << "what was seen stays seen";
}

TEST(SequenceWindow, PartsThatCannotBeAreNotRestored) {
  SequenceWindow window;
  EXPECT_FALSE(window.restore(0, 0, {}));
  EXPECT_FALSE(window.restore(5, 5, {}));
  EXPECT_FALSE(window.restore(5, 0, {{5, 6}})) << "no gap before it";
  EXPECT_FALSE(window.restore(5, 0, {{7, 6}}));
  EXPECT_FALSE(window.restore(5, 0, {{7, 8}, {9, 9}})) << "no gap between them";
  EXPECT_FALSE(window.restore(5, 0, {{~std::uint64_t{0}, ~std::uint64_t{0}}}));
  EXPECT_FALSE(window.restore(5, 0, std::vector<Range>(SequenceWindow::kMaxRanges + 1)));
  EXPECT_EQ(window.next(), 1U);
  EXPECT_TRUE(window.restore(5, 2, {{7, 8}}));
  EXPECT_EQ(window.received(), 4U);
}

}  // namespace
}  // namespace runfold::collector

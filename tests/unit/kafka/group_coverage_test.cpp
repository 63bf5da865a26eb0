// When the group is asked what its members have, and what follows from the answer.
#include "transport/kafka/group_coverage.hpp"
#include "transport/kafka/group_members.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::kafka {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using Given = std::optional<std::set<TopicPartition>>;

const GroupCoverage::TopicSizes kThree{{"events", 3}};
const Given kAll{{{"events", 0}, {"events", 1}, {"events", 2}}};
const Given kTwo{{{"events", 0}, {"events", 1}}};
const TopicPartition kThird{"events", 2};

class Coverage : public testing::Test {
 protected:
  Coverage() { coverage_.assigned(now_); }
  /// Lets time pass until a look is due, and says how long that was.
  seconds wait() {
    const auto began = now_;
    while (!coverage_.is_due(now_)) now_ += seconds(1);
    return std::chrono::duration_cast<seconds>(now_ - began);
  }
  std::vector<TopicPartition> look(const Given& given) {
    wait();
    return coverage_.look(given, kThree, now_);
  }

  GroupCoverage coverage_;
  GroupCoverage::Clock::time_point now_{seconds(1'000)};
};

TEST_F(Coverage, AsksSoonAfterAnAssignmentAndRarelyThereafter) {
  EXPECT_EQ(wait(), GroupCoverage::kSettles);
  EXPECT_THAT(look(kAll), IsEmpty());
  EXPECT_EQ(wait(), GroupCoverage::kLookAgain);
}

TEST_F(Coverage, WithoutAnAssignmentNothingIsAsked) {
  coverage_.revoked();
  EXPECT_FALSE(coverage_.is_due(now_ + std::chrono::hours(1)));
}

TEST_F(Coverage, WhatTwoLooksHaveFoundIsLeftOut) {
  EXPECT_THAT(look(kTwo), IsEmpty()) << "it may have been added just now";
  EXPECT_EQ(wait(), GroupCoverage::kSecondLook);
  EXPECT_THAT(look(kTwo), ElementsAre(kThird));
}

TEST_F(Coverage, WhatTheGroupHasDividedByTheSecondLookIsNot) {
  EXPECT_THAT(look(kTwo), IsEmpty());
  coverage_.assigned(now_);
  EXPECT_THAT(look(kTwo), IsEmpty()) << "an assignment since: this is a first look";
  EXPECT_THAT(look(kAll), IsEmpty());
  EXPECT_THAT(look(kTwo), IsEmpty());
}

TEST_F(Coverage, ASilentGroupIsAskedAgainAndNothingFollows) {
  EXPECT_THAT(look(kTwo), IsEmpty());
  EXPECT_THAT(look(std::nullopt), IsEmpty());
  EXPECT_EQ(wait(), GroupCoverage::kNobodySays);
  EXPECT_THAT(look(kTwo), ElementsAre(kThird));
}

TEST_F(Coverage, WhereDividingAnewDoesNotHelpItIsTriedLessAndLess) {
  seconds expected = GroupCoverage::kLookAgain;
  for (int i = 0; i < 8; ++i) {
    SCOPED_TRACE(i);
    EXPECT_THAT(look(kTwo), IsEmpty());
    EXPECT_THAT(look(kTwo), ElementsAre(kThird));
    coverage_.assigned(now_);
    EXPECT_EQ(wait(), expected);
    expected = std::min(2 * expected, GroupCoverage::kLongestRest);
  }
  EXPECT_EQ(expected, GroupCoverage::kLongestRest);
  EXPECT_THAT(look(kAll), IsEmpty());
  coverage_.assigned(now_);
  EXPECT_EQ(wait(), GroupCoverage::kSettles) << "it was mended";
}

/// Two topics, and the members' own bytes behind them.
const std::string kAssignment("\0\1\0\0\0\2\0\1a\0\0\0\2\0\0\0\0\0\0\0\7\0\2bc\0\0\0\1\0\0\1\0\xff\xff\xff\xff", 37);

TEST(Assignment, IsReadAsTheConsumerProtocolWritesIt) {
  const auto partitions = read_assignment(kAssignment);
  ASSERT_TRUE(partitions);
  EXPECT_THAT(*partitions, ElementsAre(TopicPartition{"a", 0}, TopicPartition{"a", 7}, TopicPartition{"bc", 256}));
}

TEST(Assignment, ThatIsCutOffIsNone) {
  const std::size_t whole = kAssignment.size() - 4;  // what members add for themselves is not read
  for (std::size_t size = 0; size < whole; ++size) EXPECT_FALSE(read_assignment(kAssignment.substr(0, size))) << size;
  EXPECT_TRUE(read_assignment(kAssignment.substr(0, whole)));
}

TEST(Assignment, ThatPromisesMoreThanItHoldsIsNone) {
  EXPECT_FALSE(read_assignment(std::string_view("\0\0\x7f\xff\xff\xff", 6)));
  EXPECT_FALSE(
      read_assignment(std::string_view("\0\0\0\0\0\1\x7f\xff"
                                       "a",
                                       9)));
  EXPECT_FALSE(read_assignment(std::string_view("\0\0\0\0\0\1\xff\xff", 8))) << "no name";
  EXPECT_FALSE(read_assignment(std::string_view("\xff\xff\0\0\0\0", 6))) << "no such version";
}

}  // namespace
}  // namespace runfold::kafka

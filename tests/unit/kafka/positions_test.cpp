// Which messages are a partition's next: repeats and older ones are not, gaps are.
#include "transport/kafka/positions.hpp"

#include <gtest/gtest.h>

namespace runfold::kafka {
namespace {

Positions two_partitions(std::int64_t first, std::int64_t second) {
  Positions positions;
  positions.assign({{.at = {"letters", 0}, .next = first}, {.at = {"numbers", 0}, .next = second}});
  return positions;
}

TEST(Positions, AMessageCountsOnceAndInOrder) {
  Positions::Slot slot{.at = {"letters", 0}, .next = 5};
  EXPECT_FALSE(slot.accept(4));
  EXPECT_TRUE(slot.accept(5));
  EXPECT_FALSE(slot.accept(5));
  EXPECT_FALSE(slot.accept(3));
  EXPECT_TRUE(slot.accept(6));
}

TEST(Positions, AGapIsNormal) {
  Positions::Slot slot{.at = {"letters", 0}, .next = 5};
  EXPECT_TRUE(slot.accept(9));
  EXPECT_FALSE(slot.accept(8));
  EXPECT_EQ(slot.next, 10);
}

TEST(Positions, AnOpenStartTakesAnyFirstOffset) {
  Positions::Slot slot{.at = {"letters", 0}};
  EXPECT_TRUE(slot.accept(1234));
  EXPECT_FALSE(slot.accept(1234));
}

TEST(Positions, SamePartitionNumbersOfTwoTopicsAreToldApart) {
  Positions positions = two_partitions(1, 2);
  const int letters = 0;
  const int numbers = 0;
  const auto name = [](const char* text) { return [text] { return text; }; };
  ASSERT_NE(positions.find(&letters, 0, name("letters")), nullptr);
  EXPECT_EQ(positions.find(&letters, 0, name("letters"))->next, 1);
  EXPECT_EQ(positions.find(&numbers, 0, name("numbers"))->next, 2);
  EXPECT_EQ(positions.find(&letters, 0, name("letters"))->at.topic, "letters");
}

TEST(Positions, APartitionThatIsNotAssignedIsNotFound) {
  Positions positions = two_partitions(1, 2);
  const int letters = 0;
  EXPECT_EQ(positions.find(&letters, 7, [] { return "letters"; }), nullptr);
  EXPECT_EQ(positions.find({"letters", 1}), nullptr);
  positions.clear();
  EXPECT_EQ(positions.find(&letters, 0, [] { return "letters"; }), nullptr);
}

TEST(Positions, APartitionGoesBackToTheFirstMessageThatWasDropped) {
  Positions::Slot anywhere;
  anywhere.drop(7);
  anywhere.drop(8);
  EXPECT_TRUE(anywhere.rewind);
  EXPECT_EQ(anywhere.next, 7);
  Positions::Slot known;
  known.next = 5;
  known.drop(6);
  EXPECT_EQ(known.next, 5);
}

TEST(Positions, ATopicObjectThatWasMadeAnewIsKnownByItsName) {
  Positions positions = two_partitions(1, 2);
  const int before = 0;
  const int after = 0;
  ASSERT_NE(positions.find(&before, 0, [] { return "letters"; }), nullptr);
  EXPECT_NE(positions.find(&after, 0, [] { return "letters"; }), nullptr);
}

}  // namespace
}  // namespace runfold::kafka

// A Message owns what its views point into, through moves, and gives it back once.
#include "transport/kafka/consumer.hpp"

#include <gtest/gtest.h>

namespace runfold::kafka {
namespace {

constexpr Message::Owner kCounting = {[](void* handle) noexcept { ++*static_cast<int*>(handle); },
                                      [](const void*) {
                                        return std::vector<Header>{{"name", "value"}};
                                      }};

TEST(Message, HoldsNothingAtFirst) {
  const Message message;
  EXPECT_FALSE(message);
  EXPECT_TRUE(message.headers().empty());
}

TEST(Message, GivesItsMemoryBackOnceHoweverItMoves) {
  int released = 0;
  {
    InRecord record;
    record.offset = 7;
    Message first(record, &released, kCounting);
    Message second(std::move(first));
    Message third;
    third = std::move(second);
    EXPECT_TRUE(third);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): moved-from holds nothing
    EXPECT_EQ(third.record().offset, 7);
    EXPECT_EQ(third.headers().size(), 1U);
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(Message, AssigningOverOneGivesItsMemoryBack) {
  int first_released = 0;
  int second_released = 0;
  Message message({}, &first_released, kCounting);
  message = Message({}, &second_released, kCounting);
  EXPECT_EQ(first_released, 1);
  EXPECT_EQ(second_released, 0);
  message.reset();
  message.reset();
  EXPECT_EQ(second_released, 1);
}

}  // namespace
}  // namespace runfold::kafka

// Topics made beside the start, by a cluster that the test plays.
#include "collector/topics_at_start.hpp"

#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;
using runfold::test::wait_until;
using testing::ElementsAre;
using testing::IsEmpty;

class TopicsAtStartTest : public testing::Test {
 protected:
  /// Starts; try n (from 0) gives answer n, and the last answer again when there are no more.
  void start(std::vector<kafka::Result<std::vector<kafka::TopicReport>>> answers) {
    const auto create = [this, answers](std::chrono::milliseconds) {
      const std::size_t at = tries_++;
      return answers[std::min(at, answers.size() - 1)];
    };
    const auto log = [this](int severity, std::string_view message) {
      const std::scoped_lock lock(mutex_);
      lines_.push_back(std::to_string(severity) + " " + std::string(message));
    };
    topics_ = std::make_unique<TopicsAtStart>(
        create, health_, log, [this] { ++told_; }, TopicsAtStart::Pace{1s, 1s, 1ms, 2ms});
  }

  std::vector<std::string> lines() {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }

  Health health_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::atomic<std::size_t> tries_ = 0;
  std::atomic<int> told_ = 0;
  std::unique_ptr<TopicsAtStart> topics_;
};

kafka::Error unreachable() {
  return {kafka::Errc::kUnreachable, "no Kafka broker answers at a:1"};
}

TEST_F(TopicsAtStartTest, TopicsThatWereMadeAreNamedAndTheCollectorIsReady) {
  start({std::vector<kafka::TopicReport>{{"events", true, true, 4, {}}, {"logs", true, false, 4, {}}, {"runs", true, true, 4, {}}}});
  ASSERT_TRUE(wait_until([&] { return told_ == 1; }));
  EXPECT_THAT(lines(), ElementsAre("6 made the topics events, runs"));
  EXPECT_THAT(health_.reasons(), IsEmpty());
}

TEST_F(TopicsAtStartTest, ATopicThatDiffersIsLeftAndTold) {
  start({std::vector<kafka::TopicReport>{{"runs", true, false, 4, {"cleanup.policy: has delete, wants compact"}}}});
  ASSERT_TRUE(wait_until([&] { return told_ == 1; }));
  EXPECT_THAT(lines(), ElementsAre("4 topic runs is left as it is: cleanup.policy: has delete, wants compact"));
}

TEST_F(TopicsAtStartTest, AKafkaThatIsAwayIsTriedUntilItAnswersAndToldOnlyAsNotReady) {
  start({unreachable()});
  ASSERT_TRUE(wait_until([&] { return tries_ > 3; }));
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(health_.reasons().at("topics"), "no Kafka broker answers at a:1; trying again");
  EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(TopicsAtStartTest, AKafkaThatComesBackMakesTheCollectorReady) {
  start({unreachable(), unreachable(), std::vector<kafka::TopicReport>{{"events", true, true, 4, {}}}});
  ASSERT_TRUE(wait_until([&] { return health_.reasons().empty(); }));
  topics_.reset();
  EXPECT_EQ(tries_, 3U);
  EXPECT_EQ(told_, 1);
  EXPECT_THAT(lines(), ElementsAre("6 made the topics events"));
}

TEST_F(TopicsAtStartTest, ARefusalIsToldOnceAndDoesNotKeepTheCollectorFromBeingReady) {
  start({kafka::Error{kafka::Errc::kUnauthorised, "not allowed"}});
  ASSERT_TRUE(wait_until([&] { return told_ == 1; }));
  topics_.reset();
  EXPECT_EQ(tries_, 1U);
  EXPECT_THAT(health_.reasons(), IsEmpty());
  EXPECT_THAT(lines(), ElementsAre(testing::StartsWith("4 the topics were not made or compared: not allowed")));
}

}  // namespace
}  // namespace runfold::collector

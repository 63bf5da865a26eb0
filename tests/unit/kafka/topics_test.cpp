// The policies of the six topics, and what verify says of a cluster that cannot be reached.
#include "transport/kafka/topics.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace runfold::kafka {
namespace {

TopicPolicy policy_of(const std::vector<TopicPolicy>& policies, const std::string& name) {
  const auto found = std::find_if(policies.begin(), policies.end(), [&](const TopicPolicy& one) { return one.name == name; });
  EXPECT_NE(found, policies.end()) << name;
  return found == policies.end() ? TopicPolicy{} : *found;
}

TEST(TopicPolicies, AreAsTheWireContractHasThem) {
  const auto policies = topic_policies(TopicNames{});
  EXPECT_EQ(policies.size(), 6U);
  EXPECT_EQ(policy_of(policies, "runfold.events").config.at("cleanup.policy"), "delete");
  EXPECT_EQ(policy_of(policies, "runfold.events").config.at("retention.ms"), "604800000");
  EXPECT_EQ(policy_of(policies, "runfold.events").config.at("message.timestamp.type"), "LogAppendTime");
  EXPECT_EQ(policy_of(policies, "runfold.logs").config.at("message.timestamp.type"), "LogAppendTime");
  EXPECT_EQ(policy_of(policies, "runfold.logs").config.at("cleanup.policy"), "delete");
  EXPECT_EQ(policy_of(policies, "runfold.logs").config.at("retention.ms"), "259200000");
  EXPECT_EQ(policy_of(policies, "runfold.operations").config.at("cleanup.policy"), "compact");
  EXPECT_EQ(policy_of(policies, "runfold.runs").config.at("cleanup.policy"), "compact");
  EXPECT_EQ(policy_of(policies, "runfold.api-failures").config.at("cleanup.policy"), "delete");
  EXPECT_EQ(policy_of(policies, "runfold.dead-letters").config.at("cleanup.policy"), "delete");
}

TEST(TopicPolicies, TakeNamesPartitionsAndReplicationFromTheCaller) {
  TopicNames names;
  names.events = "acme.events";
  const auto policies = topic_policies(names, 12, 3);
  const TopicPolicy events = policy_of(policies, "acme.events");
  EXPECT_EQ(events.partitions, 12);
  EXPECT_EQ(events.replication, 3);
}

TEST(VerifyTopics, SaysWhichAddressDoesNotAnswer) {
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  Properties properties;
  ASSERT_TRUE(properties.set("bootstrap.servers", nobody.text()).has_value());
  const auto reports = verify_topics(properties, topic_policies(TopicNames{}), std::chrono::milliseconds(300));
  ASSERT_FALSE(reports);
  EXPECT_EQ(reports.error().code, Errc::kUnreachable);
  EXPECT_EQ(reports.error().message, "no Kafka broker answers at " + nobody.text() + " (connection refused)");
}

TEST(VerifyTopics, DoesNotWaitOutItsLimitForAKafkaThatRefusesConnections) {
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  Properties properties;
  ASSERT_TRUE(properties.set("bootstrap.servers", nobody.text()).has_value());
  const auto reports = verify_topics(properties, topic_policies(TopicNames{}), std::chrono::hours(1));
  ASSERT_FALSE(reports);
  EXPECT_EQ(reports.error().code, Errc::kUnreachable);
}

TEST(VerifyTopics, WithNoAddressSaysWhatToSet) {
  const auto reports = verify_topics(Properties{}, {}, std::chrono::milliseconds(300));
  ASSERT_FALSE(reports);
  EXPECT_EQ(reports.error().code, Errc::kInvalid);
  EXPECT_THAT(reports.error().message, ::testing::HasSubstr("bootstrap.servers"));
}

}  // namespace
}  // namespace runfold::kafka

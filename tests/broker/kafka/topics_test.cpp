// Topics on a real Apache Kafka: made with their policies, compared with them, never altered.
#include "transport/kafka/topics.hpp"
#include "tests/support/broker.hpp"

#include <gmock/gmock.h>

namespace runfold::kafka {
namespace {

using runfold::test::broker_address;
using runfold::test::unique_name;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kLimit = std::chrono::seconds(30);

Properties properties() {
  Properties made;
  EXPECT_TRUE(made.set("bootstrap.servers", broker_address()).has_value());
  return made;
}

TopicNames unique_names() {
  TopicNames names;
  for (std::string* name : {&names.events, &names.logs, &names.operations, &names.runs, &names.api_failures, &names.dead_letters}) {
    *name = unique_name(*name);
  }
  return names;
}

TEST(Topics, AreMadeWithTheirPoliciesAndThenFoundToBeSo) {
  const auto policies = topic_policies(unique_names(), 3);
  const auto missing = verify_topics(properties(), policies, kLimit);
  ASSERT_TRUE(missing) << missing.error().message;
  for (const TopicReport& report : *missing) {
    EXPECT_FALSE(report.exists);
    EXPECT_THAT(report.differences, ElementsAre("it does not exist"));
  }
  const auto created = create_topics(properties(), policies, kLimit);
  ASSERT_TRUE(created) << created.error().message;
  ASSERT_EQ(created->size(), 6U);
  for (const TopicReport& report : *created) {
    EXPECT_TRUE(report.created) << report.name;
    EXPECT_TRUE(report.exists);
    EXPECT_EQ(report.partitions, 3);
    EXPECT_THAT(report.differences, IsEmpty());
  }
  const auto verified = verify_topics(properties(), policies, kLimit);
  ASSERT_TRUE(verified) << verified.error().message;
  for (const TopicReport& report : *verified) {
    EXPECT_TRUE(report.exists) << report.name;
    EXPECT_FALSE(report.created);
    EXPECT_EQ(report.partitions, 3);
    EXPECT_THAT(report.differences, IsEmpty()) << report.name;
  }
}

TEST(Topics, ThatExistOtherwiseAreToldAndLeftAlone) {
  const std::string name = unique_name("runs");
  const TopicPolicy theirs{
      .name = name, .partitions = 1, .replication = -1, .config = {{"cleanup.policy", "delete"}, {"retention.ms", "1000"}}};
  ASSERT_TRUE(create_topics(properties(), {theirs}, kLimit).has_value());
  const TopicPolicy ours{
      .name = name, .partitions = 4, .replication = -1, .config = {{"cleanup.policy", "compact"}, {"retention.ms", "5000"}}};
  for (int time = 0; time < 2; ++time) {
    const auto reports = create_topics(properties(), {ours}, kLimit);
    ASSERT_TRUE(reports) << reports.error().message;
    EXPECT_FALSE(reports->at(0).created);
    EXPECT_EQ(reports->at(0).partitions, 1);
    EXPECT_THAT(reports->at(0).differences, ElementsAre("partitions: has 1, wants at least 4", "cleanup.policy: has delete, wants compact",
                                                        "retention.ms: has 1000, wants at least 5000"));
  }
}

TEST(Topics, ThatKeepMoreThanAskedAreWell) {
  const std::string name = unique_name("logs");
  const TopicPolicy theirs{.name = name, .partitions = 2, .replication = -1, .config = {{"retention.ms", "-1"}}};
  ASSERT_TRUE(create_topics(properties(), {theirs}, kLimit).has_value());
  const TopicPolicy ours{.name = name, .partitions = 1, .replication = -1, .config = {{"retention.ms", "5000"}}};
  const auto reports = verify_topics(properties(), {ours}, kLimit);
  ASSERT_TRUE(reports) << reports.error().message;
  EXPECT_THAT(reports->at(0).differences, IsEmpty());
}

TEST(Topics, ThatTheBrokerRefusesAreNamedInTheError) {
  const auto bad_name = create_topics(properties(), {TopicPolicy{.name = "no spaces allowed", .config = {}}}, kLimit);
  ASSERT_FALSE(bad_name);
  EXPECT_EQ(bad_name.error().code, Errc::kInvalid);
  EXPECT_THAT(bad_name.error().message, ::testing::HasSubstr("no spaces allowed"));
  const auto bad_setting =
      create_topics(properties(), {TopicPolicy{.name = unique_name("x"), .config = {{"cleanup.policy", "burn"}}}}, kLimit);
  ASSERT_FALSE(bad_setting);
  EXPECT_EQ(bad_setting.error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace runfold::kafka

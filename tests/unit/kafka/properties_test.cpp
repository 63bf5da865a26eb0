// Any librdkafka property by name; a wrong one is an error that helps, and a secret is never shown.
#include "transport/kafka/properties.hpp"
#include "transport/kafka/consumer_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runfold::kafka {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Properties, TakesAnyPropertyOfTheLinkedLibrdkafka) {
  Properties properties;
  EXPECT_TRUE(properties.set("security.protocol", "sasl_ssl").has_value());
  EXPECT_TRUE(properties.set("acks", "all").has_value()) << "a topic property";
  EXPECT_TRUE(properties.set_pair("client.id=orders=eu").has_value());
  EXPECT_EQ(properties.get("client.id"), "orders=eu");
  EXPECT_EQ(properties.get("group.id"), std::nullopt);
  EXPECT_EQ(properties.all().size(), 3U);
}

TEST(Properties, AnUnknownNameSuggestsTheNearest) {
  Properties properties;
  const auto set = properties.set("bootstrap.server", "127.0.0.1:9092");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Errc::kInvalid);
  EXPECT_THAT(set.error().message, AllOf(HasSubstr("bootstrap.server "), HasSubstr("did you mean bootstrap.servers?")));
  EXPECT_TRUE(properties.all().empty());
  const auto topic_property = properties.set("compresion.type", "lz4");
  ASSERT_FALSE(topic_property);
  EXPECT_THAT(topic_property.error().message, HasSubstr("compression.type"));
}

TEST(Properties, ANameLikeNoOtherSuggestsNothing) {
  Properties properties;
  const auto set = properties.set("zzzzzzzzzzzzzzzzzzzz", "1");
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, Not(HasSubstr("did you mean")));
}

TEST(Properties, ARefusedValueIsShownWithItsProperty) {
  Properties properties;
  const auto set = properties.set("security.protocol", "carrier-pigeon");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Errc::kInvalid);
  EXPECT_THAT(set.error().message, AllOf(HasSubstr("security.protocol"), HasSubstr("carrier-pigeon")));
  EXPECT_FALSE(properties.set("session.timeout.ms", "soon").has_value());
  EXPECT_FALSE(properties.set("error_cb", "x").has_value()) << "a callback is no text";
}

TEST(Properties, ASecretIsNeverInAnError) {
  Properties properties;
  const auto misspelt = properties.set("sasl.pasword", "hunter2");
  ASSERT_FALSE(misspelt);
  EXPECT_THAT(misspelt.error().message, AllOf(HasSubstr("sasl.password"), Not(HasSubstr("hunter2"))));
  const auto no_name = properties.set_pair("hunter2");
  ASSERT_FALSE(no_name);
  EXPECT_THAT(no_name.error().message, Not(HasSubstr("hunter2")));
}

TEST(Properties, KnowsWhichPropertiesAreSecrets) {
  for (const char* name : {"sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password", "sasl.oauthbearer.client.secret",
                           "sasl.oauthbearer.config"}) {
    EXPECT_TRUE(Properties::is_secret(name)) << name;
  }
  for (const char* name :
       {"sasl.username", "ssl.certificate.pem", "ssl.ca.location", "bootstrap.servers", "sasl.oauthbearer.token.endpoint.url"}) {
    EXPECT_FALSE(Properties::is_secret(name)) << name;
  }
}

TEST(Properties, ADefaultNeverReplacesTheUsersValue) {
  Properties properties;
  ASSERT_TRUE(properties.set("linger.ms", "50").has_value());
  EXPECT_TRUE(properties.set_default("linger.ms", "10"));
  EXPECT_EQ(properties.get("linger.ms"), "50");
  EXPECT_TRUE(properties.set_default("client.id", "runfold"));
  EXPECT_EQ(properties.get("client.id"), "runfold");
  EXPECT_FALSE(properties.set_default("no.such.property", "1"));
  EXPECT_EQ(properties.get("no.such.property"), std::nullopt);
}

Properties with(const char* name, const char* value) {
  Properties properties;
  EXPECT_TRUE(properties.set("bootstrap.servers", "127.0.0.1:9").has_value());
  EXPECT_TRUE(properties.set(name, value).has_value());
  return properties;
}

TEST(ConsumerSettings, RefuseWhatWouldCommitBehindTheStore) {
  for (const char* name : {"enable.auto.commit", "enable.auto.offset.store"}) {
    const auto settings = consumer_settings(with(name, "true"), "readers");
    ASSERT_FALSE(settings) << name;
    EXPECT_EQ(settings.error().code, Errc::kInvalid);
    EXPECT_THAT(settings.error().message, HasSubstr(name));
    EXPECT_TRUE(consumer_settings(with(name, "false"), "readers").has_value());
  }
  EXPECT_FALSE(consumer_settings(with("partition.assignment.strategy", "cooperative-sticky"), "readers").has_value());
}

TEST(ConsumerSettings, AGroupNamedTwiceDifferentlyIsAnError) {
  EXPECT_FALSE(consumer_settings(with("group.id", "writers"), "readers").has_value());
  EXPECT_TRUE(consumer_settings(with("group.id", "readers"), "readers").has_value());
  EXPECT_FALSE(consumer_settings(with("client.id", "x"), "").has_value());
}

TEST(ConsumerSettings, KeepWhatTheUserSetAndBoundTheRest) {
  const auto settings = consumer_settings(with("queued.max.messages.kbytes", "1234"), "readers");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->properties.get("queued.max.messages.kbytes"), "1234");
  EXPECT_EQ(settings->properties.get("partition.assignment.strategy"), "range");
  EXPECT_EQ(settings->properties.get("socket.nagle.disable"), "true");
  EXPECT_EQ(settings->properties.get("group.id"), "readers");
  const auto defaults = consumer_settings(with("client.id", "x"), "readers");
  ASSERT_TRUE(defaults);
  EXPECT_EQ(defaults->properties.get("queued.max.messages.kbytes"), "65536");
}

TEST(ConsumerSettings, ResetOffsetsThemselvesSoThatNoResetIsSilent) {
  const auto latest = consumer_settings(with("auto.offset.reset", "latest"), "readers");
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->reset, OffsetReset::kLatest);
  EXPECT_EQ(latest->properties.get("auto.offset.reset"), "error");
  EXPECT_EQ(consumer_settings(with("client.id", "x"), "readers")->reset, OffsetReset::kEarliest);
  EXPECT_EQ(consumer_settings(with("auto.offset.reset", "error"), "readers")->reset, OffsetReset::kError);
}

}  // namespace
}  // namespace runfold::kafka

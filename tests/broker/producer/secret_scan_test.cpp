// Behind the last test of this program, whichever ran: no secret of any of them stands in any record of the broker.
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/broker/producer/topic_scan.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/secrets.hpp"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::broker_address;
using test::kPatience;
using test::unique_name;

/// How many places are named.
constexpr std::size_t kMostNamed = 20;

kafka::Properties properties() {
  return test::kafka_at(broker_address());
}

class SecretScan : public ::testing::Environment {
 public:
  void TearDown() override {
    const auto secrets = test::remembered_secrets();
    const auto topics = test::all_topics(properties());
    const auto scan = test::scan_topics(properties(), topics, test::SecretFinder(secrets));
    std::printf("[  SCAN    ] for %zu secrets: %zu records, %llu bytes, of %zu topics\n", secrets.size(), scan.records,
                static_cast<unsigned long long>(scan.bytes), topics.size());
    for (std::size_t i = 0; i < std::min(scan.found.size(), kMostNamed); ++i) ADD_FAILURE() << "a secret was sent: " << scan.found[i];
    EXPECT_EQ(scan.found.size(), 0U) << "places in which a secret of the tests stands";
    EXPECT_TRUE(secrets.empty() || topics.empty() || scan.records > 0) << "nothing was there to be looked at";
  }
};

::testing::Environment* const kSecretScan = ::testing::AddGlobalTestEnvironment(new SecretScan);

TEST(ASecretScan, SeesOneInEveryPartOfARecordAndDoesNotShowIt) {
  const std::string topic = unique_name("leaky");
  ASSERT_TRUE(
      kafka::create_topics(properties(), {{.name = topic, .partitions = 1, .replication = -1, .config = {}}}, kPatience).has_value());
  // Not remembered: this program's own scan would see them too.
  const std::vector<test::Secret> secrets{{"a key", unique_name("one")}, {"a name", unique_name("two")}, {"a value", unique_name("three")}};
  const auto producer = kafka::Producer::create(properties(), {}).value();
  const auto send = [&](std::string_view key, std::string_view value, std::string_view name, std::string_view header) {
    const std::array<kafka::Header, 2> headers{{{"ce_id", "1"}, {name, header}}};
    kafka::OutRecord record;
    record.topic = topic;
    record.key = key;
    record.value = value;
    record.headers = headers;
    ASSERT_TRUE(producer->produce(record, 0).has_value());
  };
  send("run-1", "nothing", "none", "nothing");
  send(secrets[0].bytes, "x" + secrets[2].bytes, secrets[1].bytes, "nothing" + secrets[0].bytes + secrets[2].bytes + "x");
  ASSERT_EQ(producer->flush(kPatience), 0U);

  const auto scan = test::scan_topics(properties(), {topic}, test::SecretFinder(secrets));
  EXPECT_EQ(scan.records, 2U);
  const std::string where = " of " + topic + ", partition 0, offset 1";
  EXPECT_THAT(scan.found,
              ::testing::ElementsAre("a key in the key" + where, "a value in the value" + where, "a name in the name of header 2" + where,
                                     "a key in the value of header 2" + where, "a value in the value of header 2" + where));
}

}  // namespace
}  // namespace runfold

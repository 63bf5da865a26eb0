// A topic of its own for a test.
#pragma once

#include "tests/support/broker.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace runfold::kafka::test {

inline Properties to_broker() {
  Properties properties;
  EXPECT_TRUE(properties.set("bootstrap.servers", runfold::test::broker_address()).has_value());
  return properties;
}

inline std::string new_topic(std::int32_t partitions, std::map<std::string, std::string> config = {}) {
  const std::string name = runfold::test::unique_name("letters");
  const TopicPolicy policy{.name = name, .partitions = partitions, .replication = -1, .config = std::move(config)};
  const auto created = create_topics(to_broker(), {policy}, runfold::test::kPatience);
  EXPECT_TRUE(created) << created.error().message;
  return name;
}

}  // namespace runfold::kafka::test

// Looks at every byte of every record of a broker for secrets.
#pragma once

#include "tests/support/secrets.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/connection.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/ranges.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::test {

/// What was looked at, and where a secret stands: by its name, never itself.
struct TopicScan {
  std::size_t records = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> found;
};

/// Every topic that the broker knows, but for Kafka's own.
inline std::vector<std::string> all_topics(const kafka::Properties& properties) {
  const kafka::ClientHandle client = kafka::make_client(RD_KAFKA_PRODUCER, kafka::make_conf(properties).value(), properties).value();
  const rd_kafka_metadata_t* metadata = nullptr;
  EXPECT_EQ(rd_kafka_metadata(client.get(), 1, nullptr, &metadata, 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  std::vector<std::string> topics;
  for (int i = 0; metadata != nullptr && i < metadata->topic_cnt; ++i) topics.emplace_back(metadata->topics[i].topic);
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  std::erase_if(topics, [](const std::string& topic) { return topic.starts_with("__"); });
  return topics;
}

/// Reads all that stands in the topics. `on_record`: shown each record, too.
inline TopicScan scan_topics(const kafka::Properties& properties, const std::vector<std::string>& topics, const SecretFinder& secrets,
                             const std::function<void(const kafka::Message&)>& on_record = {}) {
  TopicScan scan;
  const auto ranges = kafka::find_ranges(properties, topics, {}, kPatience);
  EXPECT_TRUE(ranges.has_value()) << (ranges ? "" : ranges.error().message);
  if (!ranges) return scan;
  const auto on_message = [&](const kafka::Message& message) {
    const kafka::InRecord& record = message.record();
    const auto look = [&](const std::string& part, std::string_view bytes) {
      scan.bytes += bytes.size();
      for (const auto& name : secrets.names_in(bytes)) {
        scan.found.push_back(name + " in the " + part + " of " + std::string(record.topic) + ", partition " +
                             std::to_string(record.partition) + ", offset " + std::to_string(record.offset));
      }
    };
    ++scan.records;
    look("key", record.key.value_or(""));
    look("value", record.value.value_or(""));
    for (std::size_t i = 0; const kafka::Header& header : message.headers()) {
      const std::string number = "header " + std::to_string(++i);
      look("name of " + number, header.name);
      look("value of " + number, header.value.value_or(""));
    }
    if (on_record) on_record(message);
    return true;
  };
  const auto read = kafka::read_ranges(properties, *ranges, on_message, kPatience);
  EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().message);
  return scan;
}

/// Of all secrets that tests have told of: in no byte of any topic, where at least so many records stand.
inline void expect_no_secret_in_any_topic(const kafka::Properties& properties, std::size_t records = 1) {
  const TopicScan scan = scan_topics(properties, all_topics(properties), SecretFinder(remembered_secrets()));
  EXPECT_THAT(scan.found, ::testing::IsEmpty());
  EXPECT_GE(scan.records, records);
}

}  // namespace runfold::test

// Sends single records to the real Kafka, and makes small events to send.
#pragma once

#include "runfold/v1/event.pb.h"
#include "tests/broker/collector/collector_under_test.hpp"
#include "transport/kafka/producer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace runfold::collector::test {

/// Sends records one by one and waits for Kafka to have them.
class Sender {
 public:
  Sender() {
    producer_ = std::move(
        kafka::Producer::create(broker_properties(), [](const kafka::Delivery& delivery) { EXPECT_FALSE(delivery.error); }).value());
  }

  void send(const std::string& topic, const std::string& key, const std::string& value, std::span<const kafka::Header> headers = {},
            std::int32_t partition = -1) {
    kafka::OutRecord record;
    record.topic = topic;
    record.key = key;
    record.value = value;
    record.headers = headers;
    record.partition = partition;
    producer_->produce(record, ++token_).value();
    EXPECT_EQ(producer_->flush(std::chrono::seconds(60)), 0U);
  }

 private:
  std::unique_ptr<kafka::Producer> producer_;
  std::uint64_t token_ = 0;
};

template <class Message>
Message about(const std::string& run_id) {
  Message message;
  message.mutable_identity()->set_run_id(run_id);
  message.mutable_identity()->set_connector_id("connector");
  message.mutable_identity()->set_source_id("source");
  message.mutable_identity()->set_attempt(1);
  return message;
}

inline std::string started(const std::string& run_id) {
  auto event = about<v1::SyncEvent>(run_id);
  event.set_sequence(1);
  event.mutable_started();
  return event.SerializeAsString();
}

}  // namespace runfold::collector::test

// What an operator does to topics: add partitions, delete a topic, delete records.
#pragma once

#include "transport/kafka/connection.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/record.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace runfold::kafka::test {

/// Hands one request to a client of its own and waits for the answer.
inline void administer(const Properties& properties, const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& request) {
  const ClientHandle client = make_client(RD_KAFKA_PRODUCER, make_conf(properties).value(), properties).value();
  const QueueHandle queue{rd_kafka_queue_new(client.get())};
  request(client.get(), queue.get());
  const EventHandle answer{rd_kafka_queue_poll(queue.get(), 60'000)};
  ASSERT_TRUE(answer) << "no answer";
  ASSERT_EQ(rd_kafka_event_error(answer.get()), RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_event_error_string(answer.get());
}

inline void add_partitions(const Properties& properties, const std::string& topic, std::size_t to) {
  std::array<char, 256> why{};
  const std::unique_ptr<rd_kafka_NewPartitions_t, decltype(&rd_kafka_NewPartitions_destroy)> more{
      rd_kafka_NewPartitions_new(topic.c_str(), to, why.data(), why.size()), &rd_kafka_NewPartitions_destroy};
  ASSERT_TRUE(more) << why.data();
  administer(properties, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_NewPartitions_t* one = more.get();
    rd_kafka_CreatePartitions(client, &one, 1, nullptr, queue);
  });
}

inline void delete_topic(const Properties& properties, const std::string& topic) {
  const std::unique_ptr<rd_kafka_DeleteTopic_t, decltype(&rd_kafka_DeleteTopic_destroy)> gone{rd_kafka_DeleteTopic_new(topic.c_str()),
                                                                                              &rd_kafka_DeleteTopic_destroy};
  administer(properties, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_DeleteTopic_t* one = gone.get();
    rd_kafka_DeleteTopics(client, &one, 1, nullptr, queue);
  });
}

/// What retention does: all records before `offset` are no more.
inline void delete_records(const Properties& properties, const TopicPartition& at, std::int64_t offset) {
  const PartitionListHandle list{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(list.get(), at.topic.c_str(), at.partition)->offset = offset;
  const std::unique_ptr<rd_kafka_DeleteRecords_t, decltype(&rd_kafka_DeleteRecords_destroy)> gone{rd_kafka_DeleteRecords_new(list.get()),
                                                                                                  &rd_kafka_DeleteRecords_destroy};
  administer(properties, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_DeleteRecords_t* one = gone.get();
    rd_kafka_DeleteRecords(client, &one, 1, nullptr, queue);
  });
}

}  // namespace runfold::kafka::test

// Reads topics from their beginning, without a group.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace runfold::sinks::contract {

struct TopicRecord {
  std::string topic;
  std::string key;
  std::string value;
  std::map<std::string, std::string> headers;
};

/// Partitions 0 to 3 of each topic.
class TopicReader {
 public:
  TopicReader(const std::string& bootstrap_servers, const std::vector<std::string>& topics) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char words[256];
    for (const auto& [name, value] : std::map<std::string, std::string>{{"bootstrap.servers", bootstrap_servers},
                                                                        {"group.id", "topic-reader"},
                                                                        {"enable.auto.commit", "false"},
                                                                        {"fetch.wait.max.ms", "50"}}) {
      if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), words, sizeof words) != RD_KAFKA_CONF_OK) throw std::runtime_error(words);
    }
    client_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, words, sizeof words);
    if (client_ == nullptr) throw std::runtime_error(words);
    auto* list = rd_kafka_topic_partition_list_new(8);
    for (const auto& topic : topics) {
      for (int partition = 0; partition < 4; ++partition) {
        rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
      }
    }
    const auto assigned = rd_kafka_assign(client_, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (assigned != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_err2str(assigned));
  }
  ~TopicReader() { rd_kafka_destroy(client_); }
  TopicReader(const TopicReader&) = delete;
  TopicReader& operator=(const TopicReader&) = delete;

  /// Reads until there are `count` records in all; what was read before counts.
  const std::vector<TopicRecord>& read(std::size_t count, std::chrono::seconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (records_.size() < count) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("too few records came");
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client_, 100);
      if (message == nullptr) continue;
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) take(*message);
      rd_kafka_message_destroy(message);
    }
    return records_;
  }

 private:
  void take(const rd_kafka_message_t& message) {
    TopicRecord record;
    record.topic = rd_kafka_topic_name(message.rkt);
    record.key.assign(static_cast<const char*>(message.key), message.key_len);
    record.value.assign(static_cast<const char*>(message.payload), message.len);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* name = nullptr;
      const void* value = nullptr;
      std::size_t size = 0;
      for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
        record.headers[name] = std::string(static_cast<const char*>(value), size);
      }
    }
    records_.push_back(std::move(record));
  }

  rd_kafka_t* client_ = nullptr;
  std::vector<TopicRecord> records_;
};

}  // namespace runfold::sinks::contract

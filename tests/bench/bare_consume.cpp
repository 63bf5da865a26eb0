// Reads a topic from its beginning with bare librdkafka, as fast as it goes: the baseline that ingest is measured against.
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace {

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  std::array<char, 256> why{};
  if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) throw std::runtime_error(why.data());
}

/// Asks the broker for watermarks every 50 ms: librdkafka 2.0's fetcher sleeps up to a second when its queue was full, and any
/// request wakes it. The collector's consumer does the same, so the comparison is fair.
void keep_awake(const std::stop_token& stop, rd_kafka_t* client, const std::string& topic) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    rd_kafka_query_watermark_offsets(client, topic.c_str(), 0, &low, &high, 1000);
    stopped.wait_for(lock, stop, std::chrono::milliseconds(50), [] { return false; });
  }
}

int consume(const std::string& bootstrap, const std::string& topic, std::int32_t partitions, std::uint64_t records) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "group.id", "bare");
  set(conf, "enable.auto.commit", "false");
  set(conf, "enable.auto.offset.store", "false");
  set(conf, "socket.nagle.disable", "true");
  std::array<char, 256> why{};
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why.data(), why.size());
  if (client == nullptr) throw std::runtime_error(why.data());
  rd_kafka_poll_set_consumer(client);

  rd_kafka_topic_partition_list_t* from = rd_kafka_topic_partition_list_new(partitions);
  for (std::int32_t p = 0; p < partitions; ++p)
    rd_kafka_topic_partition_list_add(from, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client, from);
  rd_kafka_topic_partition_list_destroy(from);

  std::jthread waker([&](const std::stop_token& stop) { keep_awake(stop, client, topic); });
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(client);
  std::array<rd_kafka_message_t*, 1000> batch{};
  std::uint64_t seen = 0;
  std::uint64_t bytes = 0;
  std::chrono::steady_clock::time_point first;
  while (seen < records) {
    const auto n = rd_kafka_consume_batch_queue(queue, 1000, batch.data(), batch.size());
    if (seen == 0 && n > 0) first = std::chrono::steady_clock::now();
    for (ssize_t i = 0; i < n; ++i) {
      if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++seen;
        bytes += batch[i]->len;
      }
      rd_kafka_message_destroy(batch[i]);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - first;
  waker.request_stop();
  waker.join();
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  std::cout << "{\"records\": " << seen << ", \"bytes\": " << bytes << ", \"seconds\": " << took.count() << "}\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string bootstrap;
  std::string topic;
  std::int32_t partitions = 4;
  std::uint64_t records = 0;
  CLI::App app("Reads a topic from its beginning with bare librdkafka.");
  app.add_option("--bootstrap-servers", bootstrap)->required();
  app.add_option("--topic", topic)->required();
  app.add_option("--partitions", partitions);
  app.add_option("--records", records)->required();
  CLI11_PARSE(app, argc, argv);
  return consume(bootstrap, topic, partitions, records);
}

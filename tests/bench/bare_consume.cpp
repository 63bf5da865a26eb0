// Reads a topic from its beginning with bare librdkafka, as fast as it goes: the baseline that ingest is measured against.
#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <map>
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

/// The three ways in which librdkafka hands out messages.
enum class How { kBatch, kEvents, kPoll };

struct Seen {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::chrono::steady_clock::time_point first;

  void take(const rd_kafka_message_t& message) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (records++ == 0) first = std::chrono::steady_clock::now();
    bytes += message.len;
  }
};

/// Waits for what comes next, looks at its length, and throws it away.
void read(rd_kafka_queue_t* queue, rd_kafka_t* client, How how, Seen& seen) {
  switch (how) {
    case How::kBatch: {
      static std::array<rd_kafka_message_t*, 1000> batch{};
      const auto n = rd_kafka_consume_batch_queue(queue, 1000, batch.data(), batch.size());
      for (ssize_t i = 0; i < n; ++i) {
        seen.take(*batch[i]);
        rd_kafka_message_destroy(batch[i]);
      }
      return;
    }
    case How::kEvents: {
      rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 1000);
      if (event == nullptr) return;
      if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH) {
        while (const rd_kafka_message_t* message = rd_kafka_event_message_next(event)) seen.take(*message);
      }
      rd_kafka_event_destroy(event);
      return;
    }
    case How::kPoll: {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 1000);
      if (message == nullptr) return;
      seen.take(*message);
      rd_kafka_message_destroy(message);
      return;
    }
  }
}

int consume(const std::string& bootstrap, const std::string& topic, std::int32_t partitions, std::uint64_t records, How how) {
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
  Seen seen;
  while (seen.records < records) read(queue, client, how, seen);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - seen.first;
  waker.request_stop();
  waker.join();
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  std::cout << "{\"records\": " << seen.records << ", \"bytes\": " << seen.bytes << ", \"seconds\": " << took.count() << "}\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string bootstrap;
  std::string topic;
  std::int32_t partitions = 4;
  std::uint64_t records = 0;
  How how = How::kBatch;
  const std::map<std::string, How> ways{{"batch", How::kBatch}, {"events", How::kEvents}, {"poll", How::kPoll}};
  CLI::App app("Reads a topic from its beginning with bare librdkafka.");
  app.add_option("--bootstrap-servers", bootstrap)->required();
  app.add_option("--topic", topic)->required();
  app.add_option("--partitions", partitions);
  app.add_option("--records", records)->required();
  app.add_option("--with", how, "rd_kafka_consume_batch_queue, the event API, or rd_kafka_consumer_poll")
      ->transform(CLI::CheckedTransformer(ways));
  CLI11_PARSE(app, argc, argv);
  return consume(bootstrap, topic, partitions, records, how);
}

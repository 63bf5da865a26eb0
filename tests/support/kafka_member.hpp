// A Kafka consumer driven by hand in tests: poll until a condition holds or a deadline passes; and records for it to read.
#pragma once

#include "transport/kafka/consumer.hpp"
#include "transport/kafka/embedded_broker.hpp"
#include "transport/kafka/producer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace runfold::kafka::test {

constexpr auto kPatience = std::chrono::seconds(40);

/// A record with memory of its own.
struct Received {
  TopicPartition at;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

inline std::optional<std::string> owned(const std::optional<std::string_view>& view) {
  if (!view) return std::nullopt;
  return std::string(*view);
}

/// One group member and everything that it has seen, on an io_context of its own.
class Member {
 public:
  Member(const std::string& servers, const std::string& group, std::vector<std::string> topics, Properties properties = {}) {
    EXPECT_TRUE(properties.set("bootstrap.servers", servers).has_value());
    ConsumerEvents events;
    events.on_assign = [this](std::span<const TopicPartition> given) {
      ++assignments;
      std::vector<StartOffset> from;
      for (const TopicPartition& at : given) {
        const auto found = start_at.find(at);
        from.push_back({at, found == start_at.end() ? std::nullopt : std::optional(found->second)});
      }
      return from;
    };
    events.on_revoke = [this](std::span<const TopicPartition> taken, bool) { revoked.emplace_back(taken.begin(), taken.end()); };
    events.on_error = [this](const Error& error, const std::optional<TopicPartition>& at) {
      errors.push_back(error);
      error_at.push_back(at);
      if (on_error) on_error(error, at);
    };
    events.on_recovered = [this] { ++recoveries; };
    events.on_read_up_to = [this](const TopicPartition& at, std::int64_t offset) { read_up_to[at] = offset; };
    auto made = Consumer::create(io.get_executor(), properties, group, std::move(topics), std::move(events));
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    if (made) consumer = std::move(*made);
  }

  /// Drains what is there, waits with Consumer::wait(), and again, until `done` or the deadline. False at the deadline.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds patience = kPatience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      while (Message message = consumer->poll()) {
        take(message);
        if (done()) return true;
      }
      if (done()) return true;
      io.restart();
      boost::asio::co_spawn(io, consumer->wait(std::chrono::milliseconds(20)), boost::asio::detached);
      io.run();
    }
    return true;
  }

  /// Takes one message if one is there, waiting for nothing.
  bool poll_one() {
    const Message message = consumer->poll();
    if (message) take(message);
    return static_cast<bool>(message);
  }

  /// For two members in one thread: one round of run_until.
  void turn() {
    bool once = false;
    run_until([&once] { return std::exchange(once, true); });
  }

  [[nodiscard]] std::vector<std::int64_t> offsets_of(const TopicPartition& at) const {
    std::vector<std::int64_t> offsets;
    for (const Received& one : received) {
      if (one.at == at) offsets.push_back(one.offset);
    }
    return offsets;
  }

  boost::asio::io_context io;
  std::map<TopicPartition, std::int64_t> start_at;
  int assignments = 0;
  int recoveries = 0;
  std::map<TopicPartition, std::int64_t> read_up_to;
  /// What was taken away, each time.
  std::vector<std::vector<TopicPartition>> revoked;
  std::vector<Error> errors;
  std::vector<std::optional<TopicPartition>> error_at;
  std::function<void(const Error&, const std::optional<TopicPartition>&)> on_error;
  std::vector<Received> received;
  std::unique_ptr<Consumer> consumer;  // last: it goes before what its callbacks use

 private:
  void take(const Message& message) {
    const InRecord& record = message.record();
    Received& one = received.emplace_back();
    one.at = {std::string(record.topic), record.partition};
    one.offset = record.offset;
    one.timestamp_ms = record.timestamp_ms;
    one.key = owned(record.key);
    one.value = owned(record.value);
    for (const Header& header : message.headers()) one.headers.emplace_back(header.name, owned(header.value));
  }
};

/// `count` offsets from `first` on.
inline std::vector<std::int64_t> offsets_from(std::int64_t first, std::size_t count) {
  std::vector<std::int64_t> offsets(count);
  for (std::size_t i = 0; i < count; ++i) offsets[i] = first + static_cast<std::int64_t>(i);
  return offsets;
}

/// Writes `count` records "0", "1", ... to one partition and waits until all are acknowledged.
inline void write_records(const std::string& servers, const TopicPartition& at, std::size_t count, std::size_t first = 0) {
  Properties properties;
  ASSERT_TRUE(properties.set("bootstrap.servers", servers).has_value());
  auto producer = Producer::create(properties, {});
  ASSERT_TRUE(producer.has_value()) << producer.error().message;
  for (std::size_t i = first; i < first + count; ++i) {
    const std::string value = std::to_string(i);
    OutRecord record;
    record.topic = at.topic;
    record.partition = at.partition;
    record.value = value;
    while (true) {
      auto taken = (*producer)->produce(record, i);
      if (taken) break;
      ASSERT_EQ(taken.error().code, Errc::kQueueFull) << taken.error().message;
      (*producer)->poll(std::chrono::milliseconds(10));
    }
  }
  ASSERT_EQ((*producer)->flush(kPatience), 0U);
  ASSERT_EQ((*producer)->counts().acknowledged, count);
}

inline std::unique_ptr<EmbeddedBroker> start_broker(const std::string& topic, std::int32_t partitions) {
  auto broker = EmbeddedBroker::start({TopicPolicy{.name = topic, .partitions = partitions, .replication = -1, .config = {}}});
  EXPECT_TRUE(broker.has_value());
  return broker ? std::move(*broker) : nullptr;
}

inline Properties embedded_properties() {
  Properties properties;
  tune_for_embedded_broker(properties);
  return properties;
}

}  // namespace runfold::kafka::test

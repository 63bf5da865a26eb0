// The Kafka consumer over librdkafka's event interface: one queue, one thread, one message at a time.
//
// Why events and not rd_kafka_consumer_poll(): a sixth faster, and a rebalance is an event in the queue's order, handled
// here with no librdkafka frame below it. Why not consume_batch_queue: before 2.1 it hands out messages from before a seek,
// pause or rebalance. A single pop drops those by their version; Positions drops what is still not a partition's next.
#pragma once

#include "transport/kafka/broker_watch.hpp"
#include "transport/kafka/connection.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/consumer_settings.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/positions.hpp"
#include "transport/kafka/waker.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace runfold::kafka {

/// "topic[3]"
[[nodiscard]] std::string name_of(const TopicPartition& at);

/// Of a group or of ranges. Thread: see Consumer.
class RdkafkaConsumer final : public Consumer {
 public:
  RdkafkaConsumer(std::string servers, OffsetReset reset, ConsumerEvents events)
      : connection_(std::move(servers)), reset_(reset), events_(std::move(events)) {}
  ~RdkafkaConsumer() override;

  /// Of `topics` as a member of the group; or of `ranges` when there are no topics.
  Result<void> start(const boost::asio::any_io_executor& executor, const ConsumerSettings& settings, const std::vector<std::string>& topics,
                     std::vector<Range> ranges);

  Message poll() override;
  boost::asio::awaitable<void> wait(std::chrono::milliseconds at_most) override { return waker_->wait(at_most); }
  void pause() override;
  void resume() override;
  void leave_alone(const TopicPartition& at) override;
  Result<void> seek(std::span<const StartOffset> to) override;
  void commit_for_lag_tools(std::span<const StartOffset> next_offsets) override;
  std::vector<TopicPartition> assignment() const override;
  bool reached() const override { return connection_.reached(); }
  std::optional<Watermarks> watermarks(const TopicPartition& of) const override { return watch_ ? watch_->find(of) : std::nullopt; }
  std::vector<TopicSize> topics() const override { return watch_ ? watch_->topics() : std::vector<TopicSize>{}; }
  void close(std::chrono::milliseconds limit) override;

 private:
  // Messages and events: consumer.cpp
  bool is_next(const rd_kafka_message_t& message);
  void handle(rd_kafka_event_t* event);

  // The group, or what stands for it: consumer_group.cpp
  Result<void> subscribe();
  /// Takes the ranges as a group would have given them.
  void assign_ranges();
  void on_rebalance(rd_kafka_event_t* event);
  void assign(const std::vector<TopicPartition>& partitions, std::span<const Range> ranges = {});
  void revoke(bool lost);
  void rejoin_for_left_out();
  void tell_commit_failure(rd_kafka_resp_err_t error);

  // Where each partition stands: consumer_positions.cpp
  /// Gives librdkafka the assignment anew: every partition from the offset it stands at.
  Result<void> assign_from_positions();
  /// Moves partitions to where their places say already.
  Result<void> seek_there(std::span<const StartOffset> to);
  /// librdkafka 2.0.2 takes the time limit of a seek for microseconds. So when it says that the time is up and it is not,
  /// the seek is made again with ten times as much; to seek twice to the same offset does no harm.
  Result<void> seek_all(rd_kafka_topic_partition_list_t* list);
  PartitionListHandle to_list(std::span<const StartOffset> starts);
  /// Tells of each range that has come to its end since the last call, and fetches no more of it.
  void tell_of_ends();
  /// The partition has nothing at `offset` yet: what was missing before its end will never come.
  void on_partition_eof(const TopicPartition& at, std::int64_t offset);
  void set_paused(bool paused);
  void pause_ended();
  template <class Which>
  void set_paused(bool paused, Which&& which);

  // Trouble: consumer_trouble.cpp
  void on_error(rd_kafka_event_t* event);
  void on_out_of_range(const TopicPartition& at, const std::string& reason);
  void tell_of_no_start();
  void tell(const Error& error, const std::optional<TopicPartition>& at);
  void tell_recovered();

  Connection connection_;
  OffsetReset reset_;
  ConsumerEvents events_;
  Positions positions_;
  /// Of the group; none: of ranges.
  std::vector<std::string> topics_;
  /// Not assigned yet.
  std::vector<Range> ranges_;
  bool of_ranges_ = false;
  bool paused_ = false;
  bool closed_ = false;
  // Raised by the watch.
  std::atomic<bool> recovered_{false};
  std::atomic<bool> left_out_{false};
  ClientHandle client_;
  QueueHandle queue_;
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<BrokerWatch> watch_;
};

}  // namespace runfold::kafka

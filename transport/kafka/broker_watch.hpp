// A thread that asks the brokers of a consumer's partitions for their watermarks, again and again.
#pragma once

#include "transport/kafka/connection.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/handle.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace runfold::kafka {

/// How BrokerWatch goes about it.
struct WatchPace {
  std::chrono::milliseconds period;
  /// True: every partition each period. False: a few of each leader, in turn, so that each has its turn once a second.
  bool every_partition;
};

/// Three things of one small request: lag metrics get their watermarks; librdkafka before 2.2, whose fetcher sleeps for a
/// second whenever its queue has been full, is woken by any reply (hence the 50 ms); and after an outage the first reply
/// says that a broker answers again.
///
/// Thread: its own; the members from any. The client must outlive it.
class BrokerWatch {
 public:
  /// `on_recovered` runs on the watch's thread.
  BrokerWatch(rd_kafka_t* client, Connection& connection, WatchPace pace, std::function<void()> on_recovered);
  /// Stops the thread, waiting for the request that is under way (at most half a second).
  ~BrokerWatch();
  BrokerWatch(const BrokerWatch&) = delete;
  BrokerWatch& operator=(const BrokerWatch&) = delete;

  void watch(std::vector<TopicPartition> partitions);
  [[nodiscard]] std::optional<Watermarks> find(const TopicPartition& of) const;

 private:
  struct Leader {
    std::vector<TopicPartition> partitions;
    std::size_t next = 0;
    /// Those whose turn it is.
    [[nodiscard]] std::vector<TopicPartition> next_few(const WatchPace& pace);
  };

  void run();
  void query(const std::vector<TopicPartition>& of);
  /// The first (RD_KAFKA_OFFSET_BEGINNING) or next (RD_KAFKA_OFFSET_END) offset of each; absent where nobody says in time.
  [[nodiscard]] std::vector<std::optional<std::int64_t>> offsets_at(const std::vector<TopicPartition>& of, std::int64_t end);
  void answered();
  [[nodiscard]] std::vector<Leader> by_leader(const std::vector<TopicPartition>& partitions);
  [[nodiscard]] bool stopping() const;

  rd_kafka_t* client_;
  Connection& connection_;
  WatchPace pace_;
  std::function<void()> on_recovered_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::uint64_t generation_ = 0;
  std::vector<TopicPartition> partitions_;
  std::map<TopicPartition, Watermarks> watermarks_;
  std::thread thread_;
};

}  // namespace runfold::kafka

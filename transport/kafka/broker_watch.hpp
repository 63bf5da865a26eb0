// A thread that asks the brokers about a consumer's topics and their watermarks, again and again.
#pragma once

#include "transport/kafka/connection.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/group_coverage.hpp"
#include "transport/kafka/handle.hpp"
#include "transport/kafka/watch_turns.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace runfold::kafka {

/// Three things of one small request: lag metrics get their watermarks; librdkafka before 2.2, whose fetcher sleeps for a
/// second whenever its queue has been full, is woken by any reply (hence the 50 ms); and after an outage the first reply
/// says that a broker answers again. And every few seconds: who leads the partitions, whether they can be written to, and
/// which of the topics are there. And, rarely, whether the group has left out any of their partitions.
///
/// Thread: its own; the members from any. The client must outlive it.
class BrokerWatch {
 public:
  /// What it tells, on its own thread.
  struct Events {
    std::function<void()> on_recovered;
    std::function<void()> on_left_out;
  };

  /// `topics`: those to tell of even when no partition of them is watched. `group`: whose member the client is; empty: of none.
  BrokerWatch(rd_kafka_t* client, Connection& connection, WatchPace pace, const std::vector<std::string>& topics, const std::string& group,
              Events events);
  /// Stops the thread, waiting for the request that is under way (at most half a second).
  ~BrokerWatch();
  BrokerWatch(const BrokerWatch&) = delete;
  BrokerWatch& operator=(const BrokerWatch&) = delete;

  void watch(std::vector<TopicPartition> partitions);
  [[nodiscard]] std::optional<Watermarks> find(const TopicPartition& of) const;
  [[nodiscard]] std::vector<TopicSize> topics() const;
  /// Partitions of the topics that no member of the group was given; told once, and forgotten at the next watch().
  [[nodiscard]] std::vector<TopicPartition> take_left_out();

 private:
  /// What the brokers said last of the partitions.
  struct Leaders {
    std::map<TopicPartition, std::int32_t> leader_of;
    /// By leader; -1: those of which none is known.
    std::map<std::int32_t, WatchTurns> turns;
  };

  void run();
  /// True when it was answered.
  bool query(const std::vector<TopicPartition>& of);
  /// The first (RD_KAFKA_OFFSET_BEGINNING) or next (RD_KAFKA_OFFSET_END) offset of each; absent where nobody says in time.
  [[nodiscard]] std::vector<std::optional<std::int64_t>> offsets_at(const std::vector<TopicPartition>& of, std::int64_t end);
  void look_for_left_out(std::uint64_t generation);
  void answered();
  /// Asks who leads what; when nobody says, what was said last holds on.
  void refresh(Leaders& leaders, const std::vector<TopicPartition>& partitions);
  void take(const rd_kafka_metadata_t& metadata, Leaders& leaders);
  [[nodiscard]] bool stopping() const;

  rd_kafka_t* client_;
  Connection& connection_;
  WatchPace pace_;
  Events events_;
  std::string group_;
  /// Held so that the brokers are asked about these topics too while they do not exist.
  std::vector<TopicHandle> topic_handles_;
  std::set<std::string> topic_names_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::uint64_t generation_ = 0;
  std::vector<TopicPartition> partitions_;
  std::map<TopicPartition, Watermarks> watermarks_;
  std::set<TopicPartition> not_writable_;
  std::map<std::string, std::int32_t> topic_sizes_;
  std::vector<TopicPartition> left_out_;
  /// The thread's own.
  GroupCoverage coverage_;
  std::thread thread_;
};

}  // namespace runfold::kafka

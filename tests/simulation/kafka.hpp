// A model of Kafka: partitions, one consumer group of the classic protocol, outages, and a dead-letter topic.
#pragma once

#include "tests/simulation/failure.hpp"
#include "tests/simulation/log.hpp"
#include "tests/simulation/random.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/producer.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace runfold::simulation {

class ModelConsumer;

/// One member of the group, alive or not: the group learns of a death by the session timeout only.
struct Member {
  int id = 0;
  /// Null: its process is gone.
  ModelConsumer* consumer = nullptr;
  /// In the group, as the group sees it.
  bool joined = false;
  /// Expelled by the session timeout, and not told yet.
  bool expelled = false;
  /// Has given its partitions back for the rebalance under way.
  bool gave_back = false;
  /// Has been told the assignment of this generation.
  std::uint64_t generation = 0;
  std::vector<kafka::TopicPartition> share;
};

class ModelKafka {
 public:
  ModelKafka(Random& random, const Trace& trace) : random_(random), trace_(trace) {}

  // Topics.
  void create(const std::string& topic, std::int32_t partitions);
  void add_partitions(const std::string& topic, std::int32_t to);
  [[nodiscard]] std::int32_t partitions(const std::string& topic) const { return counts_.at(topic); }
  /// Returns the offset.
  std::int64_t append(const kafka::TopicPartition& at, Entry entry);
  [[nodiscard]] const Logs& logs() const noexcept { return logs_; }
  void truncate(const kafka::TopicPartition& at, std::int64_t low) { logs_.at(at).low = low; }

  // Trouble.
  [[nodiscard]] bool up() const noexcept { return up_; }
  void set_up(bool up);
  /// From and to, in true time.
  [[nodiscard]] const std::vector<std::pair<std::int64_t, std::int64_t>>& outages() const noexcept { return outages_; }
  /// What consumers think the watermarks are becomes what they are. Nothing happens while it is down.
  void refresh_watermarks();
  enum class Letters { kTaken, kUnanswered, kRefused };
  Letters letters = Letters::kTaken;
  /// Topic, partition and offset of what is in the dead letters.
  std::set<std::tuple<std::string, std::string, std::string>> dead_letters;

  // The group.
  /// A member whose process lives again keeps its share: static membership.
  Member& member(int id);
  void join(Member& member);
  void leave(Member& member);
  /// The session timeout of a member that does not poll.
  void expire(Member& member);
  /// Begins a rebalance for no reason of ours.
  void rebalance();
  [[nodiscard]] const std::vector<std::unique_ptr<Member>>& members() const noexcept { return members_; }

  [[nodiscard]] kafka::Result<std::unique_ptr<kafka::Consumer>> consumer(int id, kafka::ConsumerEvents events);
  [[nodiscard]] std::unique_ptr<kafka::Producer> producer(kafka::Producer::OnDelivery on_delivery);

 private:
  friend class ModelConsumer;
  void give_back(Member& member);
  void distribute_if_all_gave_back();

  Random& random_;
  const Trace& trace_;
  Logs logs_;
  std::map<std::string, std::int32_t> counts_;
  std::map<kafka::TopicPartition, kafka::Watermarks> watermarks_;
  std::vector<std::unique_ptr<Member>> members_;
  std::uint64_t generation_ = 1;
  bool preparing_ = false;
  bool up_ = true;
  std::int64_t down_since_ns_ = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> outages_;
};

class ModelConsumer final : public kafka::Consumer {
 public:
  ModelConsumer(ModelKafka& kafka, Member& member, kafka::ConsumerEvents events)
      : kafka_(kafka), member_(&member), events_(std::move(events)) {}
  ~ModelConsumer() override;

  /// How many records poll() gives before it has nothing for now.
  std::size_t budget = 0;

  kafka::Message poll() override;
  boost::asio::awaitable<void> wait(std::chrono::milliseconds) override;
  void pause() override { paused_ = true; }
  void resume() override { paused_ = false; }
  void leave_alone(const kafka::TopicPartition& at) override { left_alone_.insert(at); }
  bool reached() const override { return true; }
  kafka::Result<void> seek(std::span<const kafka::StartOffset> to) override;
  void commit_for_lag_tools(std::span<const kafka::StartOffset>) override {}
  std::vector<kafka::TopicPartition> assignment() const override;
  std::optional<kafka::Watermarks> watermarks(const kafka::TopicPartition& of) const override;
  void close(std::chrono::milliseconds) override;

 private:
  friend class ModelKafka;
  void attend_the_group();
  void lose(bool lost);
  kafka::Message next(const kafka::TopicPartition& at, std::int64_t& position);

  ModelKafka& kafka_;
  Member* member_;
  kafka::ConsumerEvents events_;
  std::map<kafka::TopicPartition, std::int64_t> positions_;
  std::set<kafka::TopicPartition> left_alone_;
  bool paused_ = false;
  bool told_down_ = false;
};

}  // namespace runfold::simulation

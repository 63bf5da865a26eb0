// A thread that asks the brokers of a consumer's partitions for their watermarks, again and again.
#include "transport/kafka/broker_watch.hpp"

#include <algorithm>

namespace runfold::kafka {
namespace {

constexpr int kRequestTimeoutMs = 500;
constexpr auto kLeadersGoodFor = std::chrono::seconds(30);
/// How long it may take until each partition of a leader has had its turn.
constexpr auto kEachPartition = std::chrono::milliseconds(1'000);

}  // namespace

BrokerWatch::BrokerWatch(rd_kafka_t* client, Connection& connection, WatchPace pace, std::function<void()> on_recovered)
    : client_(client), connection_(connection), pace_(pace), on_recovered_(std::move(on_recovered)), thread_([this] { run(); }) {}

BrokerWatch::~BrokerWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BrokerWatch::watch(std::vector<TopicPartition> partitions) {
  {
    const std::lock_guard lock(mutex_);
    partitions_ = std::move(partitions);
    watermarks_.clear();
    ++generation_;
  }
  changed_.notify_all();
}

std::optional<Watermarks> BrokerWatch::find(const TopicPartition& of) const {
  const std::lock_guard lock(mutex_);
  const auto found = watermarks_.find(of);
  if (found == watermarks_.end()) return std::nullopt;
  return found->second;
}

bool BrokerWatch::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void BrokerWatch::answered() {
  if (connection_.on_answer()) on_recovered_();
}

void BrokerWatch::run() {
  std::vector<Leader> leaders;
  std::uint64_t known_generation = 0;
  auto known_since = std::chrono::steady_clock::time_point{};
  for (;;) {
    std::vector<TopicPartition> partitions;
    bool refresh = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, pace_.period, [&] { return stop_ || generation_ != known_generation; });
      if (stop_) return;
      refresh = generation_ != known_generation || std::chrono::steady_clock::now() - known_since > kLeadersGoodFor;
      if (refresh) partitions = partitions_;
      known_generation = generation_;
    }
    if (refresh) {
      leaders = by_leader(partitions);
      known_since = std::chrono::steady_clock::now();
    }
    if (leaders.empty() && (connection_.unreachable() || !connection_.reached())) {
      // No partition to ask about, yet somebody waits to hear that a broker answers.
      const rd_kafka_metadata_t* metadata = nullptr;
      if (rd_kafka_metadata(client_, 0, nullptr, &metadata, kRequestTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(metadata);
        answered();
      }
    }
    for (Leader& leader : leaders) {
      if (stopping()) return;
      query(leader.next_few(pace_));
    }
  }
}

std::vector<TopicPartition> BrokerWatch::Leader::next_few(const WatchPace& pace) {
  const auto turns = static_cast<std::size_t>(std::max<std::int64_t>(1, kEachPartition / pace.period));
  const std::size_t count = pace.every_partition ? partitions.size() : (partitions.size() + turns - 1) / turns;
  std::vector<TopicPartition> few;
  for (std::size_t i = 0; i < count; ++i) {
    few.push_back(partitions[next]);
    next = (next + 1) % partitions.size();
  }
  return few;
}

void BrokerWatch::query(const std::vector<TopicPartition>& of) {
  // An error is not told here: the client's own error events tell of brokers and partitions in trouble.
  const auto asked_at = std::chrono::steady_clock::now();
  const auto low = offsets_at(of, RD_KAFKA_OFFSET_BEGINNING);
  if (std::ranges::none_of(low, [](const auto& offset) { return offset.has_value(); })) return;
  const auto high = offsets_at(of, RD_KAFKA_OFFSET_END);
  bool told = false;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (!low[i] || !high[i]) continue;
      told = true;
      if (std::find(partitions_.begin(), partitions_.end(), of[i]) != partitions_.end()) watermarks_[of[i]] = {*low[i], *high[i], asked_at};
    }
  }
  if (told) answered();
}

std::vector<std::optional<std::int64_t>> BrokerWatch::offsets_at(const std::vector<TopicPartition>& of, std::int64_t end) {
  // Not rd_kafka_query_watermark_offsets(): it waits for the broker for ever, whatever limit it is given, and so would we at
  // the end. A logical offset stands for a timestamp here, as in the request itself.
  const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(of.size()))};
  for (const TopicPartition& one : of) rd_kafka_topic_partition_list_add(list.get(), one.topic.c_str(), one.partition)->offset = end;
  std::vector<std::optional<std::int64_t>> offsets(of.size());
  if (rd_kafka_offsets_for_times(client_, list.get(), kRequestTimeoutMs) != RD_KAFKA_RESP_ERR_NO_ERROR) return offsets;
  // The answer need not be in the order of the question.
  for (std::size_t i = 0; i < of.size(); ++i) {
    const rd_kafka_topic_partition_t* one = rd_kafka_topic_partition_list_find(list.get(), of[i].topic.c_str(), of[i].partition);
    if (one != nullptr && one->err == RD_KAFKA_RESP_ERR_NO_ERROR && one->offset >= 0) offsets[i] = one->offset;
  }
  return offsets;
}

std::vector<BrokerWatch::Leader> BrokerWatch::by_leader(const std::vector<TopicPartition>& partitions) {
  if (partitions.empty()) return {};
  std::map<TopicPartition, std::int32_t> leader_of;
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client_, 0, nullptr, &metadata, kRequestTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const MetadataHandle owned{metadata};
    for (int t = 0; t < metadata->topic_cnt; ++t) {
      const rd_kafka_metadata_topic_t& topic = metadata->topics[t];
      for (int p = 0; p < topic.partition_cnt; ++p) leader_of[{topic.topic, topic.partitions[p].id}] = topic.partitions[p].leader;
    }
  }
  // A partition whose leader is not known is asked about with the others of that kind: librdkafka finds the leader.
  std::map<std::int32_t, Leader> grouped;
  for (const TopicPartition& partition : partitions) {
    const auto found = leader_of.find(partition);
    grouped[found == leader_of.end() ? -1 : found->second].partitions.push_back(partition);
  }
  std::vector<Leader> leaders;
  for (auto& [id, leader] : grouped) leaders.push_back(std::move(leader));
  return leaders;
}

}  // namespace runfold::kafka

// A thread that asks the brokers of a consumer's partitions for their watermarks, again and again.
#include "transport/kafka/broker_watch.hpp"

#include "transport/kafka/group_members.hpp"

#include <algorithm>
#include <utility>

namespace runfold::kafka {
namespace {

constexpr int kRequestTimeoutMs = 500;
/// How long what was said of topics and leaders is good for; and while something is amiss with one of them.
constexpr auto kGoodFor = std::chrono::seconds(5);
constexpr auto kGoodForInTrouble = std::chrono::seconds(2);
constexpr std::int32_t kNoLeader = -1;

/// Kafka still gives what there is, but producers that want their records on several brokers are refused: at most half of
/// three or more replicas are in sync. Of two, one is enough for min.insync.replicas as most have it.
bool too_few_in_sync(const rd_kafka_metadata_partition_t& partition) {
  return partition.replica_cnt >= 3 && partition.isr_cnt < partition.replica_cnt / 2 + 1;
}

}  // namespace

BrokerWatch::BrokerWatch(rd_kafka_t* client, Connection& connection, WatchPace pace, const std::vector<std::string>& topics,
                         const std::string& group, Events events)
    : client_(client),
      connection_(connection),
      pace_(pace),
      events_(std::move(events)),
      group_(group),
      topic_names_(topics.begin(), topics.end()) {
  for (const std::string& topic : topics) topic_handles_.emplace_back(rd_kafka_topic_new(client_, topic.c_str(), nullptr));
  thread_ = std::thread([this] { run(); });
}

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
    left_out_.clear();
    ++generation_;
  }
  changed_.notify_all();
}

std::optional<Watermarks> BrokerWatch::find(const TopicPartition& of) const {
  const std::lock_guard lock(mutex_);
  const auto found = watermarks_.find(of);
  if (found == watermarks_.end()) return std::nullopt;
  Watermarks marks = found->second;
  marks.writable = !not_writable_.contains(of);
  return marks;
}

std::vector<TopicPartition> BrokerWatch::take_left_out() {
  const std::lock_guard lock(mutex_);
  return std::exchange(left_out_, {});
}

std::vector<TopicSize> BrokerWatch::topics() const {
  const std::lock_guard lock(mutex_);
  std::vector<TopicSize> sizes;
  for (const auto& [name, partitions] : topic_sizes_) sizes.push_back({name, partitions});
  return sizes;
}

bool BrokerWatch::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void BrokerWatch::answered() {
  if (connection_.on_answer()) events_.on_recovered();
}

void BrokerWatch::run() {
  Leaders leaders;
  std::vector<TopicPartition> partitions;
  std::uint64_t known_generation = 0;
  auto known_since = WatchTurns::Clock::time_point{};
  for (;;) {
    const bool in_trouble = std::ranges::any_of(leaders.turns, [](const auto& turns) { return turns.second.is_silent(); });
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, pace_.period, [&] { return stop_ || generation_ != known_generation; });
      if (stop_) return;
      if (generation_ != known_generation) {
        partitions = partitions_;
        known_since = {};
        if (partitions.empty() || group_.empty()) {
          coverage_.revoked();
        } else {
          coverage_.assigned(WatchTurns::Clock::now());
        }
      }
      known_generation = generation_;
    }
    // With no partition to ask about, somebody may still wait to hear that a broker answers.
    const bool waited_for = partitions.empty() && (connection_.unreachable() || !connection_.reached());
    if (waited_for || WatchTurns::Clock::now() - known_since > (in_trouble ? kGoodForInTrouble : kGoodFor)) {
      refresh(leaders, partitions);
      known_since = WatchTurns::Clock::now();
    }
    if (coverage_.is_due(WatchTurns::Clock::now())) look_for_left_out(known_generation);
    for (auto& [id, turns] : leaders.turns) {
      if (stopping()) return;
      const auto few = turns.next_few(WatchTurns::Clock::now(), pace_);
      if (few.empty()) continue;
      if (query(few)) {
        turns.answered();
      } else {
        turns.silent(WatchTurns::Clock::now());
      }
    }
  }
}

void BrokerWatch::look_for_left_out(std::uint64_t generation) {
  if (stopping()) return;
  const auto given = given_to_members(client_, group_, std::chrono::milliseconds(kRequestTimeoutMs));
  {
    const std::lock_guard lock(mutex_);
    if (generation != generation_) return;  // the group has divided its partitions since
    left_out_ = coverage_.look(given, topic_sizes_, GroupCoverage::Clock::now());
    if (left_out_.empty()) return;
  }
  events_.on_left_out();
}

bool BrokerWatch::query(const std::vector<TopicPartition>& of) {
  // An error is not told here: the client's own error events tell of brokers and partitions in trouble.
  const auto asked_at = std::chrono::steady_clock::now();
  const auto low = offsets_at(of, RD_KAFKA_OFFSET_BEGINNING);
  if (std::ranges::none_of(low, [](const auto& offset) { return offset.has_value(); })) return false;
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
  return told;
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

void BrokerWatch::refresh(Leaders& leaders, const std::vector<TopicPartition>& partitions) {
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client_, 0, nullptr, &metadata, kRequestTimeoutMs) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const MetadataHandle owned{metadata};
    take(*metadata, leaders);
    answered();
  }
  // Partitions whose leader is not known are asked about together: librdkafka finds it once there is one.
  std::map<std::int32_t, std::vector<TopicPartition>> grouped;
  for (const TopicPartition& partition : partitions) {
    const auto found = leaders.leader_of.find(partition);
    grouped[found == leaders.leader_of.end() ? kNoLeader : found->second].push_back(partition);
  }
  std::erase_if(leaders.turns, [&](const auto& turns) { return !grouped.contains(turns.first); });
  for (auto& [id, led] : grouped) leaders.turns[id].set(std::move(led));
}

void BrokerWatch::take(const rd_kafka_metadata_t& metadata, Leaders& leaders) {
  leaders.leader_of.clear();
  const std::lock_guard lock(mutex_);
  not_writable_.clear();
  for (int t = 0; t < metadata.topic_cnt; ++t) {
    const rd_kafka_metadata_topic_t& topic = metadata.topics[t];
    for (int p = 0; p < topic.partition_cnt; ++p) {
      const rd_kafka_metadata_partition_t& partition = topic.partitions[p];
      const TopicPartition at{topic.topic, partition.id};
      leaders.leader_of[at] = partition.leader;
      if (too_few_in_sync(partition)) not_writable_.insert(at);
    }
    if (!topic_names_.contains(topic.topic)) continue;
    if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic.err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
      topic_sizes_[topic.topic] = 0;
    } else if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR && topic.partition_cnt > 0) {
      topic_sizes_[topic.topic] = topic.partition_cnt;
    }
  }
}

}  // namespace runfold::kafka

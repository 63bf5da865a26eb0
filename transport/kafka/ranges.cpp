// Asks the brokers for offsets by time and by watermark, and reads ranges with a consumer of its own.
#include "transport/kafka/ranges.hpp"

#include "transport/kafka/asking_client.hpp"
#include "transport/kafka/handle.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>

namespace runfold::kafka {
namespace {

using Clock = std::chrono::steady_clock;

/// How much is fetched ahead. Unit: KiB.
constexpr const char* kFetchAheadKbytes = "16384";
constexpr std::chrono::milliseconds kTurn{100};
constexpr int kAskAgainMs = 50;

/// The topic is new, or its leader has just changed: it passes.
bool is_between_leaders(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION || error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/// Questions about offsets, under one deadline.
class OffsetsClient : public AskingClient {
 public:
  using AskingClient::AskingClient;

  Result<std::vector<TopicPartition>> partitions_of(std::span<const std::string> names) {
    const auto metadata = topics();
    if (!metadata) return metadata.error();
    std::vector<TopicPartition> partitions;
    for (const std::string& name : names) {
      const rd_kafka_metadata_topic_t* begin = (*metadata)->topics;
      const rd_kafka_metadata_topic_t* end = begin + (*metadata)->topic_cnt;
      const auto* found = std::find_if(begin, end, [&](const auto& topic) { return topic.topic == name; });
      if (found == end) return Error{Errc::kNotFound, "there is no topic " + name + " on Kafka at " + servers()};
      if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) return make_error(found->err, "look at topic " + name);
      for (int i = 0; i < found->partition_cnt; ++i) partitions.push_back({name, found->partitions[i].id});
    }
    return partitions;
  }

  Result<Range> whole(const TopicPartition& at) {
    for (;;) {
      Range range{at, 0, 0};
      const auto error = rd_kafka_query_watermark_offsets(handle(), at.topic.c_str(), at.partition, &range.first, &range.end, left_ms());
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return range;
      if (!is_between_leaders(error) || time_is_up()) {
        return failure(error, "ask for the offsets of " + at.topic + "[" + std::to_string(at.partition) + "]");
      }
      rd_kafka_poll(handle(), kAskAgainMs);  // serves errors while it waits
    }
  }

  /// The offset of the first record of each range at or after the time, else the range's end.
  Result<std::vector<std::int64_t>> at_time(const std::vector<Range>& ranges, std::int64_t time_ms) {
    const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(ranges.size()))};
    for (const Range& range : ranges) {
      rd_kafka_topic_partition_list_add(list.get(), range.at.topic.c_str(), range.at.partition)->offset = time_ms;
    }
    if (const auto error = rd_kafka_offsets_for_times(handle(), list.get(), left_ms())) return failure(error, "find offsets by time");
    std::vector<std::int64_t> offsets;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const Range& range = ranges[i];
      const auto* found = rd_kafka_topic_partition_list_find(list.get(), range.at.topic.c_str(), range.at.partition);
      if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) return failure(found->err, "find an offset of " + range.at.topic + " by time");
      offsets.push_back(found->offset < 0 ? range.end : std::clamp(found->offset, range.first, range.end));
    }
    return offsets;
  }
};

}  // namespace

Result<std::vector<Range>> find_ranges(const Properties& properties, std::span<const std::string> topics, const TimeBounds& times,
                                       std::chrono::milliseconds limit) {
  OffsetsClient client(properties, limit);
  if (auto started = client.start(); !started) return started.error();
  const auto partitions = client.partitions_of(topics);
  if (!partitions) return partitions.error();
  std::vector<Range> ranges;
  for (const TopicPartition& at : *partitions) {
    auto range = client.whole(at);
    if (!range) return range.error();
    ranges.push_back(std::move(*range));
  }
  if (ranges.empty()) return ranges;
  const std::vector<Range> all = ranges;
  if (times.to_ms) {
    const auto ends = client.at_time(all, *times.to_ms);
    if (!ends) return ends.error();
    for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i].end = (*ends)[i];
  }
  if (times.from_ms) {
    const auto firsts = client.at_time(all, *times.from_ms);
    if (!firsts) return firsts.error();
    for (std::size_t i = 0; i < ranges.size(); ++i) ranges[i].first = std::min((*firsts)[i], ranges[i].end);
  }
  return ranges;
}

Result<void> read_ranges(const Properties& properties, std::vector<Range> ranges, const std::function<bool(const Message&)>& on_message,
                         std::chrono::milliseconds patience) {
  std::erase_if(ranges, [](const Range& range) { return range.first >= range.end; });
  if (ranges.empty()) return {};
  Properties settings = properties;
  settings.set_default("queued.max.messages.kbytes", kFetchAheadKbytes);

  std::size_t left = ranges.size();
  std::optional<Error> refusal;
  std::optional<Error> trouble;
  ConsumerEvents events;
  events.on_end = [&](const TopicPartition&) { --left; };
  events.on_recovered = [&] { trouble.reset(); };
  events.on_error = [&](const Error& error, const std::optional<TopicPartition>&) {
    // A partition whose oldest records went away meanwhile goes on with those that are left.
    if (error.code == Errc::kOutOfRange) return;
    const bool passes = error.retryable() || error.code == Errc::kOther;
    (passes ? trouble : refusal) = error;
  };
  boost::asio::io_context io;
  auto made = Consumer::create_of_ranges(io.get_executor(), settings, properties.get("group.id").value_or("runfold"), std::move(ranges),
                                         std::move(events));
  if (!made) return made.error();
  Consumer& consumer = **made;
  auto heard_at = Clock::now();
  while (left > 0) {
    bool any = false;
    while (const Message message = consumer.poll()) {
      any = true;
      if (!on_message(message)) return {};
    }
    if (left == 0) break;
    if (refusal) return *refusal;
    if (any) heard_at = Clock::now();
    if (Clock::now() - heard_at >= patience) {
      if (trouble) return *trouble;
      return Error{Errc::kTimedOut, "Kafka gave no record for " + std::to_string(patience.count()) + " ms though there are more"};
    }
    io.restart();
    boost::asio::co_spawn(io, consumer.wait(std::min(kTurn, patience)), boost::asio::detached);
    io.run();
  }
  return {};
}

}  // namespace runfold::kafka

// What has been numbered and not yet acknowledged: kept until Kafka has it, sent again when the client breaks.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/record_headers.hpp"
#include "producer/delivery/run_account.hpp"
#include "producer/delivery/sleeper.hpp"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

namespace runfold::delivery {

/// Makes the client that records are handed to; called again when one broke.
using ClientFactory = std::function<kafka::Result<std::unique_ptr<kafka::Producer>>(kafka::Producer::OnDelivery, kafka::Producer::OnError)>;

/// One Kafka record that is to be sent.
struct Parcel {
  RunAccount* run = nullptr;
  Channel channel = Channel::kEvents;
  /// How many records of the connector it holds.
  std::uint32_t records = 0;
  /// Of the first of them.
  std::uint64_t sequence = 0;
  std::int64_t time_ns = 0;
  std::string value;
  std::string traceparent;
  std::string tracestate;
};

/// Hands parcels to Kafka in the order in which they came, and accounts for each.
///
/// A parcel that Kafka's client has no room for stays, and so do all behind it: nothing overtakes. When the client breaks
/// (kFatal) a new one is made and all that is unacknowledged is sent again, in the same order with the same numbers.
/// Thread: the delivery thread's.
class Outbox {
 public:
  struct Options {
    kafka::TopicNames topics;
    /// Bound on the values kept here: has_room() is false above it.
    std::size_t in_flight_bytes = 8 * 1024 * 1024;
    ClientFactory make_client;
    /// Told of trouble with Kafka. May be empty.
    kafka::Producer::OnError on_trouble;
    /// Signalled when callbacks are due.
    int event_fd = -1;
  };

  Outbox(Options options, Ledger& ledger);

  /// Makes the first client. Errors: those of the factory.
  [[nodiscard]] kafka::Result<void> open();

  /// An empty parcel for a channel, in the memory of an earlier one of that channel.
  [[nodiscard]] Parcel blank(Channel channel);
  /// Takes a parcel, and hands it over if nothing waits before it and the client has room; else pump() will.
  void send(Parcel parcel);

  /// Runs Kafka's callbacks, makes a broken client anew, hands over what waits.
  void pump(Clock::time_point now);

  /// True when all is handed over and the bound is not reached: more may be sent.
  [[nodiscard]] bool has_room() const noexcept { return next_ == end_ && bytes_ < options_.in_flight_bytes; }
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// When pump() has something to do that no callback announces; max() when nothing.
  [[nodiscard]] Clock::time_point next_attempt() const noexcept;

  /// Waits for Kafka to account for what it has been handed.
  void flush(std::chrono::milliseconds limit);
  /// Gives up all that is left, as delivery_timeout, and ends the client. What is sent afterwards waits for the next abandon().
  void abandon();

 private:
  using Waiting = std::pmr::map<std::uint64_t, Parcel>;
  struct Spare {
    std::vector<Parcel> parcels;
    std::size_t bytes = 0;
  };

  void on_delivery(const kafka::Delivery& delivery);
  void on_error(const kafka::Error& error);
  /// What waits, from `at` on, which is the first that is not handed over.
  void hand_over(Waiting::iterator at);
  [[nodiscard]] kafka::Result<void> produce(std::uint64_t token, const Parcel& parcel);
  void make_anew(Clock::time_point now);
  Waiting::iterator settle(Waiting::iterator at, const kafka::Error* error);
  void spare(Parcel parcel);

  Options options_;
  Ledger& ledger_;
  RecordHeaders headers_;
  std::unique_ptr<kafka::Producer> client_;
  bool broken_ = false;
  Clock::time_point retry_at_{};
  std::chrono::milliseconds retry_in_{0};

  /// The nodes of waiting_: they come and go with each record.
  std::pmr::unsynchronized_pool_resource nodes_;
  Waiting waiting_{&nodes_};
  std::uint64_t next_ = 1;  ///< the first token that is not handed over
  std::uint64_t end_ = 1;   ///< the token of the parcel that comes next
  std::size_t bytes_ = 0;
  std::array<Spare, kChannels.size()> spare_;
};

}  // namespace runfold::delivery

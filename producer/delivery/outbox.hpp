// What has been numbered and not yet acknowledged: kept until Kafka has it, in memory or on disk, sent again when the client breaks.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/record_headers.hpp"
#include "producer/delivery/run_account.hpp"
#include "producer/delivery/sleeper.hpp"
#include "producer/delivery/spooling.hpp"
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
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace runfold::delivery {

/// Makes the client that records are handed to; called again when one broke.
using ClientFactory = std::function<kafka::Result<std::unique_ptr<kafka::Producer>>(kafka::Producer::OnDelivery, kafka::Producer::OnError)>;

/// One Kafka record that is to be sent.
struct Parcel {
  /// Null: the run is not on the books here. It is of a dead producer, or was let go while only the disk had the parcel.
  RunAccount* run = nullptr;
  /// Then this says whose it is.
  std::unique_ptr<const RunDescription> stranger;
  [[nodiscard]] RunNames names() const noexcept { return names_of(run != nullptr ? run->about : *stranger); }
  /// Where the disk has it.
  Place place;
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
///
/// With a spool each parcel is put on disk before it is handed over. Above the bound on memory it is parked: the disk alone
/// has it, and it is read back in its turn. Once Kafka has acknowledged anything, what dead producers left is sent too, when
/// nothing of our own waits.
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
    /// Absent: memory alone.
    std::optional<SpoolSettings> spool = {};
  };

  Outbox(Options options, Ledger& ledger);

  /// Makes the first client. Errors: those of the factory.
  [[nodiscard]] kafka::Result<void> open();

  /// An empty parcel for a channel, in the memory of an earlier one of that channel.
  [[nodiscard]] Parcel blank(Channel channel);
  /// Takes a parcel of a run, and hands it over if nothing waits before it and the client has room; else pump() will.
  void send(Parcel parcel);

  /// Runs Kafka's callbacks, makes a broken client anew, hands over what waits.
  void pump(Clock::time_point now);

  /// True when more may be sent: the disk takes it, or all is handed over and the bound is not reached.
  [[nodiscard]] bool has_room() const noexcept { return spools() || (next_ == end_ && !has_parked() && bytes_ < options_.in_flight_bytes); }
  /// True while what is sent is put on disk.
  [[nodiscard]] bool spools() const noexcept { return spooling_ && spooling_->can_keep(); }
  /// True when nothing is left to send, nor to take over from dead producers as long as Kafka answers.
  [[nodiscard]] bool empty() const noexcept {
    return waiting_.empty() && !has_parked() && !(reached_ && spooling_ && spooling_->has_inherited());
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// When pump() has something to do that no callback announces; max() when nothing.
  [[nodiscard]] Clock::time_point next_attempt() const noexcept;

  /// Waits for Kafka to account for what it has been handed.
  void flush(std::chrono::milliseconds limit);
  /// Ends the client: nothing is handed over any more. Says which topics are missing if something still waits for them: 200 ms at most.
  void disconnect();
  /// Leaves what is on disk there, as kept, and lets go of it; gives up all else, as delivery_timeout. After disconnect(); once.
  void abandon();
  /// The run is about to be freed.
  void forget(const RunAccount& run) noexcept { parked_runs_.erase(run.number); }

 private:
  using Waiting = std::pmr::map<std::uint64_t, Parcel>;
  struct Spare {
    std::vector<Parcel> parcels;
    std::size_t bytes = 0;
  };

  void on_delivery(const kafka::Delivery& delivery);
  void on_error(const kafka::Error& error);
  void tell(const kafka::Error& error);
  /// What waits, from `at` on, which is the first that is not handed over.
  void hand_over(Waiting::iterator at);
  [[nodiscard]] kafka::Result<void> produce(std::uint64_t token, const Parcel& parcel);
  void make_anew(Clock::time_point now);
  Waiting::iterator settle(Waiting::iterator at, const kafka::Error* error);
  void spare(Parcel parcel);

  [[nodiscard]] bool has_parked() const noexcept { return spooling_ && spooling_->has_parked(); }
  [[nodiscard]] Place keep(Parcel& parcel, std::uint64_t token, bool parked);
  void park(Parcel parcel);
  bool read_back();
  void count_lost();
  void take_over();
  void settle_inherited(const Parcel& parcel, const kafka::Error* error);
  [[nodiscard]] Parcel parcel_of(const Spooling::Stored& stored, RunAccount* run);
  Waiting::iterator wait(std::uint64_t token, Parcel parcel);
  void leave_on_disk();

  Options options_;
  Ledger& ledger_;
  RecordHeaders headers_;
  std::unique_ptr<kafka::Producer> client_;
  bool broken_ = false;
  bool told_broken_ = false;
  Clock::time_point retry_at_{};
  std::chrono::milliseconds retry_in_{0};

  /// The nodes of waiting_: they come and go with each record.
  std::pmr::unsynchronized_pool_resource nodes_;
  Waiting waiting_{&nodes_};
  std::uint64_t next_ = 1;  ///< the first token that is not handed over
  std::uint64_t end_ = 1;   ///< the token of the parcel that comes next
  std::size_t bytes_ = 0;
  std::array<Spare, kChannels.size()> spare_;

  std::optional<Spooling> spooling_;
  std::uint64_t in_memory_to_ = 1;  ///< while something is parked: all before this token is in memory or settled
  std::unordered_map<std::uint64_t, RunAccount*> parked_runs_;
  std::uint64_t run_numbers_ = 0;
  bool reached_ = false;  ///< Kafka has acknowledged something
};

}  // namespace runfold::delivery

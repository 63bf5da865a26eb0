// The first stage's bookkeeping: which partitions are ours, how far each has come, and when fetching must stop.
#pragma once

#include "collector/consume_last_record.hpp"
#include "collector/liveness.hpp"
#include "collector/store/store.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/topics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Which of the three topics a record is from.
enum class Source : std::uint8_t { kEvents, kLogs, kOperations };

/// Why it is not certain that a partition goes on where the store left it.
struct Doubt {
  std::chrono::steady_clock::time_point since;
  /// Kafka said that it does not have the offset asked for.
  bool out_of_range = false;
  /// What showed that the topic is not the one that was read; only where it begins is open. Empty: nothing has.
  std::string recreated{};
};

/// One partition that this collector reads.
struct Partition {
  enum class State : std::uint8_t {
    kReading,
    kUnclaimed,  ///< The store has not said yet where to go on: nothing of it may be folded.
    kStopped,    ///< Records of it are lost: an operator must decide.
  };

  kafka::TopicPartition at;
  Source source = Source::kEvents;
  State state = State::kUnclaimed;
  std::int64_t epoch = 0;
  /// The offset after the last record taken; absent: none ever was.
  std::optional<std::int64_t> next_offset;
  /// Where the partition ended when it was last read to its end: what was given of it stands before, and after that no record.
  std::int64_t empty_until = 0;
  /// Of the record at next_offset - 1, when it is known.
  std::optional<LastRecord> last;
  /// Needs a next_offset.
  std::optional<Doubt> doubt;
  /// Why it is stopped, as a sentence; empty: it is not.
  std::string stopped;
  /// How much of its time was observed, and up to when it has been read.
  PartitionClock clock;
  CaughtUp caught_up;
  /// The clock as a batch last took it.
  TimeNs clock_in_store_ns = 0;
  /// Records were taken since the last batch was sealed, or its clock is to be written.
  bool changed = false;
};

/// The partitions of this collector. Thread: one at a time.
class Partitions {
 public:
  explicit Partitions(kafka::TopicNames names) : names_(std::move(names)) {}

  /// Null when the partition is not ours. The pointer lives until the next add() or clear().
  [[nodiscard]] Partition* find(std::string_view topic, std::int32_t partition) noexcept;
  [[nodiscard]] std::span<Partition> all() noexcept { return partitions_; }

  /// Adds a partition of one of the three topics, unclaimed.
  void add(const kafka::TopicPartition& at);
  void clear() noexcept { partitions_.clear(); }

  /// Takes the epoch and the offset to go on from. Whether that is still the same place is in doubt until its last record,
  /// if it is known, is seen again.
  void claimed(const Claim& claim, std::chrono::steady_clock::time_point now);
  /// Where to read on: one record earlier than what is wanted, when that one is to be seen again.
  [[nodiscard]] static std::optional<std::int64_t> start_of(const Partition& partition) noexcept;
  [[nodiscard]] bool any_unclaimed() const noexcept;
  [[nodiscard]] std::vector<std::pair<std::string, std::int32_t>> unclaimed() const;

  /// A record was taken: the partition goes on behind it.
  static void taken(Partition& partition, const kafka::InRecord& record) noexcept {
    partition.next_offset = record.offset + 1;
    partition.last = last_record(record);
    partition.changed = true;
  }
  /// How far each partition has come that changed since the last call.
  [[nodiscard]] std::vector<PartitionRow> take_changed();

 private:
  kafka::TopicNames names_;
  std::vector<Partition> partitions_;
};

/// Bounds one turn of the pipeline, so that the event loop gets its turn too.
class DrainBudget {
 public:
  using Clock = std::chrono::steady_clock;
  explicit DrainBudget(Clock::time_point start) noexcept : until_(start + std::chrono::milliseconds(5)) {}

  void spend(std::size_t bytes) noexcept {
    ++records_;
    bytes_ += bytes;
  }
  /// The clock is asked once in 32 records.
  [[nodiscard]] bool left() const noexcept {
    return records_ < 1'000 && bytes_ < 8 * 1024 * 1024 && (records_ % 32 != 31 || Clock::now() < until_);
  }

 private:
  Clock::time_point until_;
  std::size_t records_ = 0;
  std::size_t bytes_ = 0;
};

/// Why no record may be taken just now.
enum class Hold : std::uint8_t {
  kNone,
  kRoom,     ///< The batch being folded is full, or records wait for their run's row: soon over.
  kTrouble,  ///< The store or the dead-letter topic does not take what is sealed: nobody knows for how long.
};

/// Decides when the partitions are paused. Pausing throws away what was fetched ahead, so a hold that is soon over is sat
/// out; but a member that does not poll misses what the group says, so no hold is sat out for long.
///
/// Pure: time is an argument.
class Pausing {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kSitOut{1'000};

  /// True when the partitions should be paused now.
  [[nodiscard]] bool wanted(Hold hold, Clock::time_point now) noexcept;
  /// When wanted() will change its mind by itself.
  [[nodiscard]] std::optional<Clock::time_point> due_at() const noexcept { return sitting_out_until_; }

 private:
  std::optional<Clock::time_point> sitting_out_until_;
  bool sat_out_ = false;
};

}  // namespace runfold::collector

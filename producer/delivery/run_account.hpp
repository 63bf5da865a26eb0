// What delivery knows of one run: who it is, how far its numbers have come, what was lost of it.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/sleeper.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/identity.pb.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::delivery {

/// Who tells a run's end. Another: then what is left of the run is settled, and no Completed is sent.
enum class ToldBy : std::uint8_t { kUs, kAnother };

/// Who speaks, and in which trace.
struct RunDescription {
  std::string run_id = {};
  std::string connector_id = {};
  std::string version = {};
  std::string site = {};
  std::uint32_t attempt = 1;
  std::string source_id = {};
  /// The run's own span; empty when it is not traced.
  std::string traceparent = {};
  std::string tracestate = {};
  /// 0: this run sends no heartbeats of its own.
  std::chrono::milliseconds heartbeat_interval{0};
  /// How much of its debug records is held back until an error follows; 0: none is ever sent. Absent: they are sent as they come.
  std::optional<std::size_t> recorder_bytes = {};
};

/// As every record of the run names it.
[[nodiscard]] v1::RunIdentity identity_of(const RunDescription& about);

/// What makes a record its run's, as views into a description.
struct RunNames {
  std::string_view run_id;
  std::uint32_t attempt = 0;
  std::string_view source_id;
  std::string_view connector_id;
};
[[nodiscard]] inline RunNames names_of(const RunDescription& about) noexcept {
  return {about.run_id, about.attempt, about.source_id, about.connector_id};
}

/// One run's account. Made and freed by the Dispatcher; emitting threads hold it until they release it.
class RunAccount {
 public:
  explicit RunAccount(RunDescription description);

  const RunDescription about;
  /// Field 1 of SyncEvent and of LogBatch alike, in wire format.
  const std::string identity_field;
  /// The run's own trace, in wire format; empty when it is not traced: field 4 of SyncEvent, field 3 of LogBatch.
  const std::string event_trace_field;
  const std::string batch_trace_field;

  // Any thread.
  std::atomic<bool> finished{false};
  /// Refused at the door, so never numbered.
  AtomicDrops refused;

  /// Its Completed could not be taken in. Written before release().
  bool end_unsent = false;

  // The delivery thread's alone, from here to the end.

  /// The highest sequence number given out, by topic.
  [[nodiscard]] std::uint64_t& last_sequence(Channel channel) noexcept { return last_sequence_[static_cast<std::size_t>(channel)]; }
  /// Numbered, and given up later.
  Drops given_up;

  /// The log batch under way; empty bytes: none.
  struct Batch {
    std::string bytes;
    std::uint64_t first_sequence = 0;
    std::uint32_t records = 0;
    std::int64_t latest_ns = 0;
    Clock::time_point opened;
    std::list<RunAccount*>::iterator in_line;
  };
  Batch batch;

  /// What the flight recorder holds back, oldest first.
  struct Recording {
    struct Record {
      std::int64_t time_ns = 0;
      std::string body;
    };
    std::deque<Record> records;
    std::size_t bytes = 0;
    std::list<RunAccount*>::iterator in_line;
  };
  Recording recording;
  /// Kafka records of this run that are in memory and not accounted for yet.
  std::uint64_t in_flight = 0;
  /// Those of which only the disk knows, and the number by which it knows the run; 0: none yet.
  std::uint64_t parked = 0;
  std::uint64_t number = 0;
  Clock::time_point last_event{};
  /// When the dispatcher will next ask whether a heartbeat is due.
  std::optional<Clock::time_point> heartbeat_due;
  bool completed = false;
  /// Freed once the ring's reader has passed this position and nothing of the run is left.
  std::optional<std::uint64_t> released_at;

  /// The producer's own account of one topic, as of now.
  [[nodiscard]] v1::TopicTotals totals(Channel channel);

  /// Accepted records are lost, or not needed: counted here and in the ledger.
  void give_up(Channel channel, Drop reason, std::uint64_t records, Ledger& ledger) noexcept {
    given_up.at(channel, reason) += records;
    ledger.give_up(channel, reason, records);
  }

 private:
  std::uint64_t last_sequence_[kChannels.size()] = {0, 0};
};

}  // namespace runfold::delivery

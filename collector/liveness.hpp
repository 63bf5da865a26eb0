// When silence means something: the time that was observed of a partition, and how long a run may be silent or take.
#pragma once

#include "collector/rows.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// The time that was observed of one partition.
///
/// A run is silent for as long as this clock ran since its last record, so the clock runs only while a record of the run
/// would have been seen. It is advanced
/// - by each record of the partition, to the time at which the log says it was written, never beyond the wall clock: so
///   while a collector catches up, log time passes, not the time it takes to read it;
/// - by the wall clock, to the latest moment of which it is known that all that stood in the partition then has been read:
///   a watermark that the broker gave at that moment, and that the consumer has reached.
/// Time of which neither is known, longer than kLongestGap (Kafka was away, the collector was down or lagged behind, the
/// wall clock jumped), is not counted at all: nobody could be heard in it. After such a gap producers first connect anew
/// and hand over what they kept, so nothing is counted, nor judged, until they had `settle` to do so.
///
/// Starts at the first time it is told; from then on it is that time less all that was not counted.
/// Pure: time is an argument.
struct PartitionClock {
  /// Shorter than any limit by far, longer than a busy machine's hiccups: whatever makes a gap, a run is never called lost
  /// for it.
  static constexpr std::chrono::nanoseconds kLongestGap = std::chrono::seconds(5);

  TimeNs clock_ns = 0;
  /// Up to here the partition has been observed; 0: never yet.
  TimeNs covered_until_ns = 0;
  /// Nothing before it counts, and nothing is judged.
  TimeNs settled_at_ns = 0;

  /// Observed up to `until_ns`. What is not later than what was observed before changes nothing.
  void advance(TimeNs until_ns, std::chrono::nanoseconds settle) noexcept;
  /// The wall clock says that it is `now_ns`: had it been ahead, time must not stand still until it gets there again.
  void not_later_than(TimeNs now_ns) noexcept;
  [[nodiscard]] bool settled() const noexcept { return covered_until_ns >= settled_at_ns; }
};

/// Up to when all of one partition is known to have been read.
///
/// A watermark is an offset that stood at the partition's end at a known moment. Once the consumer is there, everything up to
/// that moment has been read, however much has come since. So a consumer that keeps up is known to, though it never stands
/// exactly at the end of a busy partition.
class CaughtUp {
 public:
  /// The consumer goes on at `next_offset`; at `asked_at_ns` the partition ended at `high`.
  void observe(std::int64_t next_offset, std::int64_t high, TimeNs asked_at_ns) noexcept;
  /// The wall clock says that it is `now_ns`: what was known by one that was ahead is not known any more, or it would
  /// seem to have been read until the clock gets there again.
  void not_later_than(TimeNs now_ns) noexcept;
  /// 0: not known.
  [[nodiscard]] TimeNs at_ns() const noexcept { return at_ns_; }

 private:
  struct Mark {
    std::int64_t offset = 0;
    TimeNs at_ns = 0;
  };
  /// Where the consumer is to be.
  std::optional<Mark> ahead_;
  TimeNs at_ns_ = 0;
};

/// How long runs may be silent, and how long they may take, by a partition's clock.
struct LivenessLimits {
  struct Connector {
    std::optional<std::chrono::nanoseconds> silence{};
    std::optional<std::chrono::nanoseconds> max_duration{};
  };
  /// No limit is longer, whatever interval a producer promised.
  static constexpr std::chrono::nanoseconds kLongest = std::chrono::hours(24 * 365);
  /// Promised heartbeats may be missed for at least this long: one may wait for its producer to connect anew.
  static constexpr std::chrono::nanoseconds kLeastForHeartbeats = std::chrono::seconds(30);

  /// Of a run that promises no heartbeats.
  std::chrono::nanoseconds silence = std::chrono::hours(1);
  /// Heartbeats in a row that one that promises them may miss.
  std::uint32_t missed_heartbeats = 3;
  /// Absent: as long as it likes.
  std::optional<std::chrono::nanoseconds> max_duration{};
  /// See PartitionClock.
  std::chrono::nanoseconds settle = std::chrono::seconds(30);
  /// What holds for one connector instead; its silence also instead of heartbeats missed.
  std::map<std::string, Connector, std::less<>> connectors{};

  [[nodiscard]] std::chrono::nanoseconds silence_of(std::string_view connector_id,
                                                    std::optional<std::chrono::nanoseconds> heartbeat_interval) const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> max_duration_of(std::string_view connector_id) const;
};

/// A span as a person would say it: "1 h 5 min", "35 s", "250 ms".
[[nodiscard]] std::string span_text(std::chrono::nanoseconds span);

}  // namespace runfold::collector

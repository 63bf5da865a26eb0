// What became of records, counted by topic and reason.
#pragma once

#include "runfold/v1/stats.pb.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace runfold::delivery {

/// The two topics that a producer writes.
enum class Channel : std::uint8_t { kEvents, kLogs };
inline constexpr std::array kChannels{Channel::kEvents, Channel::kLogs};

/// Why a record was given up. The values below kLate are those of v1::DropReason.
enum class Drop : std::uint8_t {
  kQueueFull = v1::DROP_REASON_QUEUE_FULL,
  kRateLimited = v1::DROP_REASON_RATE_LIMITED,
  kDeliveryTimeout = v1::DROP_REASON_DELIVERY_TIMEOUT,
  kRejected = v1::DROP_REASON_REJECTED,
  kTooLarge = v1::DROP_REASON_TOO_LARGE,
  kSpoolFull = v1::DROP_REASON_SPOOL_FULL,
  /// Debug that the flight recorder let go: no loss. Never numbered, and not in TopicTotals::emitted.
  kNotNeeded = v1::DROP_REASON_NOT_NEEDED,
  /// Handed over after its run had ended or the producer had closed. Never on the wire: the totals were sent before.
  kLate,
};
inline constexpr std::array kDrops{Drop::kQueueFull, Drop::kRateLimited, Drop::kDeliveryTimeout, Drop::kRejected,
                                   Drop::kTooLarge,  Drop::kSpoolFull,   Drop::kNotNeeded,       Drop::kLate};

/// The word for it in reports and metric labels.
[[nodiscard]] constexpr std::string_view name(Drop reason) noexcept {
  switch (reason) {
    case Drop::kQueueFull:
      return "queue_full";
    case Drop::kRateLimited:
      return "rate_limited";
    case Drop::kDeliveryTimeout:
      return "delivery_timeout";
    case Drop::kRejected:
      return "rejected";
    case Drop::kTooLarge:
      return "too_large";
    case Drop::kSpoolFull:
      return "spool_full";
    case Drop::kNotNeeded:
      return "not_needed";
    case Drop::kLate:
      return "late";
  }
  return "unknown";
}

/// A number for each topic and reason. N is std::uint64_t or an atomic of it.
template <class N>
class DropTable {
 public:
  [[nodiscard]] N& at(Channel channel, Drop reason) noexcept {
    return cells_[static_cast<std::size_t>(channel)][static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] const N& at(Channel channel, Drop reason) const noexcept {
    return cells_[static_cast<std::size_t>(channel)][static_cast<std::size_t>(reason)];
  }

 private:
  std::array<std::array<N, kDrops.size() + 1>, kChannels.size()> cells_{};
};
/// A number for each topic.
template <class N>
class ByChannel {
 public:
  [[nodiscard]] N& operator[](Channel channel) noexcept { return cells_[static_cast<std::size_t>(channel)]; }
  [[nodiscard]] const N& operator[](Channel channel) const noexcept { return cells_[static_cast<std::size_t>(channel)]; }

 private:
  std::array<N, kChannels.size()> cells_{};
};
using AtomicDrops = DropTable<std::atomic<std::uint64_t>>;
using Drops = DropTable<std::uint64_t>;

/// The account of a producer. emitted == acknowledged + pending + kept + all drops, at any moment.
struct Report {
  std::uint64_t emitted = 0;
  std::uint64_t acknowledged = 0;
  /// The same by topic.
  ByChannel<std::uint64_t> acknowledged_of;
  std::uint64_t pending = 0;
  /// Left in the spool for the next producer when this one closed.
  std::uint64_t kept = 0;
  /// Of dead producers, found in the spool: what Kafka has confirmed to this one. No part of the sum.
  std::uint64_t taken_over = 0;
  /// Of dead producers too: what Kafka has refused, and is lost. No part of the sum.
  std::uint64_t inherited_lost = 0;
  /// What this producer has on disk.
  std::uint64_t spool_bytes = 0;
  Drops dropped;
  [[nodiscard]] std::uint64_t dropped_records() const noexcept {
    std::uint64_t sum = 0;
    for (const auto channel : kChannels) {
      for (const auto reason : kDrops) sum += dropped.at(channel, reason);
    }
    return sum;
  }
};

/// The counters behind a Report. A record is counted as accepted (by the ring, or in `made`) before it can be settled.
struct Ledger {
  /// Records that did not go through the ring: Completed and Heartbeats. Added when they come to be.
  std::atomic<std::uint64_t> made{0};
  ByChannel<std::atomic<std::uint64_t>> acknowledged;
  std::atomic<std::uint64_t> kept{0};
  std::atomic<std::uint64_t> taken_over{0};
  std::atomic<std::uint64_t> inherited_lost{0};
  std::atomic<std::uint64_t> spool_bytes{0};
  /// There is a spool and it takes nothing now: a full ring is its doing.
  std::atomic<bool> spool_refuses{false};
  /// Refused at the door: never accepted.
  AtomicDrops refused;
  /// Accepted, and given up later.
  AtomicDrops given_up;
  void give_up(Channel channel, Drop reason, std::uint64_t records) noexcept {
    given_up.at(channel, reason).fetch_add(records, std::memory_order_release);
  }

  /// `in_ring` is read last, so that what is settled in this report is accepted in it too.
  template <class RingRecords>
  [[nodiscard]] Report report(RingRecords in_ring) const {
    Report out;
    out.taken_over = taken_over.load(std::memory_order_relaxed);
    out.inherited_lost = inherited_lost.load(std::memory_order_relaxed);
    out.spool_bytes = spool_bytes.load(std::memory_order_relaxed);
    out.kept = kept.load(std::memory_order_acquire);
    std::uint64_t settled = out.kept;
    std::uint64_t refused_records = 0;
    for (const auto channel : kChannels) {
      const auto confirmed = acknowledged[channel].load(std::memory_order_acquire);
      out.acknowledged_of[channel] = confirmed;
      out.acknowledged += confirmed;
      settled += confirmed;
      for (const auto reason : kDrops) {
        const auto lost = given_up.at(channel, reason).load(std::memory_order_acquire);
        const auto turned_away = refused.at(channel, reason).load(std::memory_order_acquire);
        out.dropped.at(channel, reason) = lost + turned_away;
        settled += lost;
        refused_records += turned_away;
      }
    }
    const std::uint64_t accepted = made.load(std::memory_order_acquire) + in_ring();
    out.pending = accepted - settled;
    out.emitted = accepted + refused_records;
    return out;
  }
};

}  // namespace runfold::delivery

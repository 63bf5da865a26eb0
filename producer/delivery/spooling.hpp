// The disk as the outbox sees it: its own records put there and read back, those of dead producers, and trouble with it.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/sleeper.hpp"
#include "producer/delivery/spool.hpp"
#include "producer/delivery/takeover.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace runfold::delivery {

struct SpoolSettings {
  /// Shared by all producers that should send what one of them leaves. Made when it is not there.
  std::filesystem::path folder;
  /// Bound on all that lies in it, as each producer sees it.
  std::uint64_t limit_bytes = 256 * 1024 * 1024;
  /// Names this producer among them.
  std::string name;
  /// Told of trouble with the disk and of records lost there, seldom. Never empty.
  TellTrouble on_trouble;
};

/// Where a record lies on disk. No spool: only in memory.
struct Place {
  Spool* spool = nullptr;
  std::uint64_t ordinal = 0;
};

/// A producer's own spool, opened when it is first needed and given up for a while when the disk refuses; and the others'.
///
/// Without room or in trouble it keeps nothing: then the outbox goes on with its memory alone, and this tries again after
/// 1 s, 2 s, ... 60 s. Writing and reading fail apart: what is parked is read back from a disk that takes nothing more.
/// Thread: one.
class Spooling {
 public:
  explicit Spooling(SpoolSettings settings);

  struct Stored {
    Place place;
    SpoolFrame frame;
  };

  /// Puts a record on disk; `parked`: it will be read back from there. The place says whether it could.
  [[nodiscard]] Place keep(const SpoolFrame& frame, bool parked);
  /// False: keep() would not.
  [[nodiscard]] bool can_keep() const noexcept { return !writing_.refused && !full_; }
  /// Own records that must be read back before any other is sent.
  [[nodiscard]] bool has_parked() const noexcept { return own_ && own_->has_unread(); }
  /// The first of them. Valid until the next call of anything here; nothing when the disk does not give it now, or no more is left.
  [[nodiscard]] std::optional<Stored> next_parked();
  [[nodiscard]] Spool::Records parked_records() const noexcept { return own_ ? own_->unread_records() : Spool::Records{}; }
  /// Parked records that turned out to be damaged since the last call.
  [[nodiscard]] Spool::Records take_lost() noexcept { return own_ ? own_->take_lost() : Spool::Records{}; }

  /// The next record of a dead producer. Valid as above.
  [[nodiscard]] std::optional<Stored> next_inherited();
  [[nodiscard]] bool has_inherited() const noexcept { return takeover_.has_more(); }
  [[nodiscard]] bool is_inherited(const Place& place) const noexcept { return place.spool != nullptr && place.spool != own_.get(); }

  /// The record is accounted for.
  void settle(const Place& place);
  /// One of a dead producer that Kafka takes from another than this one: it stays on disk.
  void put_back(const Place& place) { takeover_.put_back(*place.spool, place.ordinal, now_); }
  /// Tries again what has failed, if it is time.
  void begin_step(Clock::time_point now);
  /// Writes down how far all is settled.
  void end_step() noexcept;
  /// When begin_step() will try again; max(): nothing fails.
  [[nodiscard]] Clock::time_point next_attempt() const noexcept { return std::min(writing_.next_attempt(), reading_.next_attempt()); }

  /// Of this producer's own.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return own_ ? own_->bytes() : 0; }

 private:
  /// One thing that is asked of the disk, and when it is asked again after it was refused.
  struct Attempt {
    bool refused = false;
    Clock::time_point retry_at{};
    std::chrono::seconds retry_in{0};
    std::optional<Clock::time_point> told_at;
    [[nodiscard]] Clock::time_point next_attempt() const noexcept { return refused ? retry_at : Clock::time_point::max(); }
  };

  DiskError open();
  void fail(Attempt& attempt, const std::string& what, const DiskError& error);
  [[nodiscard]] std::uint64_t file_bytes() const noexcept;

  const SpoolSettings settings_;
  const std::filesystem::path own_path_;
  std::unique_ptr<Spool> own_;
  Takeover takeover_;
  Clock::time_point now_{};
  bool full_ = false;
  Attempt writing_;
  Attempt reading_;
};

}  // namespace runfold::delivery

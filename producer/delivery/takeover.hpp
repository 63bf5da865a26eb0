// What dead producers have left in a spool: found, held, and read for the one that sends it.
#pragma once

#include "producer/delivery/sleeper.hpp"
#include "producer/delivery/spool.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runfold::delivery {

/// Holds the folders that nobody holds any more, some at a time, and gives out their records, each folder's in its order.
///
/// A folder goes when all in it is settled; what is not stays for the next producer. One that cannot be read keeps no other
/// back, nor does one whose records are put back: this lets go of it, and tries it again after ten minutes. It looks for more
/// once a minute.
/// Thread: one.
class Takeover {
 public:
  /// `own`: the producer's own folder, beside which the others lie.
  Takeover(std::filesystem::path own, TellTrouble tell) : own_(std::move(own)), tell_(std::move(tell)) {}

  struct Found {
    Spool* spool = nullptr;
    SpoolFrame frame;
  };
  /// Valid until the next call of anything here.
  [[nodiscard]] std::optional<Found> next(Clock::time_point now);
  /// False when next() has nothing until something is settled or a minute has passed.
  [[nodiscard]] bool has_more() const noexcept { return !looked_ || !paths_.empty() || (!held_.empty() && held_.back()->has_unread()); }
  /// One that next() gave is accounted for.
  void settle(Spool& spool, std::uint64_t ordinal);
  /// One that next() gave stays on disk, and with it all behind it.
  void put_back(Spool& spool, std::uint64_t ordinal, Clock::time_point now);
  void write_marks() noexcept;
  /// What others have on disk, as of the last look.
  [[nodiscard]] std::uint64_t bytes_beside() const noexcept { return bytes_beside_; }
  void measure() { bytes_beside_ = bytes_in(folders_beside(own_)); }

 private:
  bool look(Clock::time_point now);
  void hold(const std::filesystem::path& path, Clock::time_point now);
  void let_go(const Spool& spool, const std::string& why, Clock::time_point now);
  void drop_unused();

  const std::filesystem::path own_;
  const TellTrouble tell_;
  bool looked_ = false;
  Clock::time_point look_at_{};
  std::uint64_t bytes_beside_ = 0;
  std::deque<std::filesystem::path> paths_;     ///< not tried yet
  std::vector<std::unique_ptr<Spool>> held_;    ///< only the last has unread records
  std::vector<std::unique_ptr<Spool>> let_go_;  ///< until nothing of them is out
  std::map<std::filesystem::path, Clock::time_point> not_before_;
};

}  // namespace runfold::delivery

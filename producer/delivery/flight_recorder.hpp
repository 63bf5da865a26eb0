// Debug records that are held back until it shows whether anybody will want them.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/run_account.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string_view>

namespace runfold::delivery {

/// Holds the latest debug records of each run, and lets go of older ones where it would be too much.
///
/// Bounded in bytes for each run (RunDescription::recorder_bytes) and for all together; a record counts for its body and 64
/// bytes beside it, so their number is bounded too. What is let go is counted as given up.
/// Thread: the delivery thread's.
class FlightRecorder {
 public:
  /// `bytes`: bound on what is held of all runs together. Above it they let go of their oldest in turn.
  FlightRecorder(std::size_t bytes, Ledger& ledger) : bytes_limit_(bytes), ledger_(ledger) {}

  /// Takes one record of a run that has recorder_bytes.
  void keep(RunAccount& run, std::int64_t time_ns, std::string_view body);
  /// Hands out all that is held of a run, oldest first. What is handed out is no longer held, and not counted.
  [[nodiscard]] std::deque<RunAccount::Recording::Record> take(RunAccount& run);
  /// Lets go of all that is held of a run.
  void let_go(RunAccount& run, Drop reason);

  /// A run of which something is held; null when nothing is.
  [[nodiscard]] RunAccount* any() const noexcept { return in_line_.empty() ? nullptr : in_line_.front(); }

 private:
  void let_go_oldest(RunAccount& run);

  const std::size_t bytes_limit_;
  Ledger& ledger_;
  std::size_t bytes_ = 0;
  std::list<RunAccount*> in_line_;  ///< all of which something is held; the first is the next to let go
};

}  // namespace runfold::delivery

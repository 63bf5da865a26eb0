// Brings rows of runs that are not in memory from the store to the fold, many in one go.
#pragma once

#include "collector/commit.hpp"
#include "collector/fold.hpp"
#include "collector/growing_interval.hpp"
#include "collector/rows.hpp"
#include "collector/store/store.hpp"

#include <chrono>
#include <future>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace runfold::collector {

/// Asks for rows beside the writer: every commit that ended before it was asked is seen. A run that is not in memory was
/// committed before it was let go, so what the store has of it is the newest. Only of a run whose logs are asked for while
/// it is in memory may an older row be read; when it was let go meanwhile, they are not supplied, and to be wanted again.
///
/// Thread: the pipeline's.
class Loader {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Loader(ReaderJobs& reader) : reader_(reader) {}

  /// Which runs to load, the most urgent first. May name one twice.
  struct Wanted {
    std::vector<RunKey> runs;
    std::vector<RunKey> logs;
  };
  struct Outcome {
    /// Absent: the first that were wanted were supplied to the fold, as many of each kind as are enough at once: large rows
    /// must not fill the memory all together. Want the others again.
    std::optional<StoreError> error;
    /// The error is to be tried again, by itself.
    bool retrying = false;
    bool mention = false;
  };

  [[nodiscard]] bool busy() const noexcept { return load_.valid() || retry_at_.has_value(); }
  [[nodiscard]] bool in_trouble() const noexcept { return backoff_.running(); }
  [[nodiscard]] std::optional<Clock::time_point> due_at() const noexcept { return retry_at_; }

  /// Precondition: not busy.
  void begin(Wanted wanted, const Fold& fold);
  /// Supplies what has come, or starts the retry that is due. Never waits.
  [[nodiscard]] std::optional<Outcome> advance(Clock::time_point now, Fold& fold);
  /// What comes after all is let go.
  void cancel() noexcept;

 private:
  struct Loaded {
    Wanted wanted;
    std::vector<std::optional<RunRow>> runs;
    std::vector<std::optional<RunLogsRow>> logs;
    /// Of the runs whose logs are wanted: one that was called lost is called back by a log record.
    std::vector<std::optional<RunRow>> lost_runs_of_logs;
    std::optional<StoreError> error;
  };

  void start();

  ReaderJobs& reader_;
  Wanted wanted_;
  /// Runs in memory whose logs were wanted.
  std::set<RunKey> held_;
  std::future<Loaded> load_;
  std::optional<Clock::time_point> retry_at_;
  GrowingInterval backoff_{std::chrono::milliseconds(100), std::chrono::seconds(5)};
  GrowingInterval mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
};

}  // namespace runfold::collector

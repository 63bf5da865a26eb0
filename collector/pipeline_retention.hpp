// Has the store remove what it is not to keep, a small step at a time, beside the commits and never in their way.
#pragma once

#include "collector/commit.hpp"
#include "collector/growing_interval.hpp"
#include "collector/observer.hpp"
#include "collector/store/retention.hpp"

#include <chrono>
#include <future>
#include <optional>
#include <string>

namespace runfold::collector {

/// Decides when the next step is made, and passes on what it did.
///
/// A step takes its turn on the writer's thread, so a commit, a claim, a load or a stop waits for one step at most, and a
/// step begins only while no commit does. Where commits leave no gap it begins behind one all the same, once it is late:
/// a busy store must be trimmed too. After a step it pauses four times as long as the step took.
/// Thread: the pipeline's.
class Trimmer {
 public:
  using Clock = std::chrono::steady_clock;

  struct Pace {
    /// After a step that left nothing to do.
    Clock::duration rest;
    /// The least after one that did not.
    Clock::duration pause;
    /// How late a step may be before it begins behind a commit.
    Clock::duration patience = std::chrono::seconds(2);
  };

  Trimmer(WriterJobs& writer, Observer& observer, Retention keep, Pace pace);

  /// A line for an operator.
  struct Said {
    int severity;
    std::string text;
  };
  /// Takes what has come of the step under way, or begins the next one that is due. Never waits.
  [[nodiscard]] std::optional<Said> advance(Clock::time_point now, bool committing);
  /// When advance() has something to do that the writer's thread does not wake it for.
  [[nodiscard]] std::optional<Clock::time_point> due_at(bool committing) const;

 private:
  struct Step {
    StoreResult<Trimmed> result;
    Clock::duration took;
  };

  void begin(Clock::time_point now);
  [[nodiscard]] std::optional<Said> take(Clock::time_point now);
  void tell(const Trimmed& trimmed);

  WriterJobs& writer_;
  Observer& observer_;
  Retention keep_;
  Pace pace_;
  std::future<Step> step_;
  /// When the next one may begin.
  Clock::time_point next_at_{};
  /// Since when nothing was committed, as far as was seen; absent: something is being committed.
  std::optional<Clock::time_point> quiet_since_;
  GrowingInterval backoff_{std::chrono::seconds(1), std::chrono::minutes(5)};
  GrowingInterval mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
};

}  // namespace runfold::collector

// The last stage: what is folded goes to the store in one transaction with its offsets, on a thread of its own.
#pragma once

#include "collector/commit_jobs.hpp"
#include "collector/counts.hpp"
#include "collector/dead_letters.hpp"
#include "collector/growing_interval.hpp"
#include "collector/observer.hpp"
#include "collector/rows.hpp"
#include "collector/store/store.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::collector {

/// A sink that derived records are queued for. See Route in collector/pipeline.hpp.
struct OutboxSinks {
  std::vector<std::string> runs;
  std::vector<std::string> api_failures;
};

/// What one transaction will hold, closed: nothing is added any more, and it is tried until it is in the store or dropped.
struct SealedBatch {
  Batch rows;
  /// Become rows.log_chunks and rows.outbox on the writer's thread.
  std::vector<PendingLogs> pending_logs;
  /// Must be acknowledged before the transaction, or a poisonous record could be lost.
  std::vector<DeadLetter> dead_letters;
  Counts counts;
  bool prepared = false;
};

/// Compresses the log chunks and writes the outbox rows of each sink.
void prepare(SealedBatch& batch, const OutboxSinks& sinks);

/// When a batch is sealed.
///
/// Pure: time is an argument.
struct CommitTriggers {
  using Clock = std::chrono::steady_clock;

  std::chrono::milliseconds interval{200};
  std::size_t rows = 10'000;
  std::size_t bytes = 16 * 1024 * 1024;
  std::size_t dead_letters = 1'000;

  /// What the open batch holds so far.
  struct Open {
    /// When its first change was made; absent: it is empty.
    std::optional<Clock::time_point> since;
    std::size_t rows = 0;
    /// Log text, rows and dead letters.
    std::size_t bytes = 0;
    std::size_t dead_letters = 0;
  };
  /// The open batch must not grow further.
  [[nodiscard]] bool full(const Open& open) const noexcept {
    return open.rows >= rows || open.bytes >= bytes || open.dead_letters >= dead_letters;
  }
  [[nodiscard]] bool due(const Open& open, Clock::time_point now) const noexcept {
    return open.since && (full(open) || now - *open.since >= interval);
  }
};

/// Brings one sealed batch at a time into the store: dead letters first, then the transaction, again and again if need be.
///
/// Thread: the pipeline's; the work is done on the writer's.
class Committer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `outbox_grew` runs on the writer's thread. What is referred to must outlive the writer's thread.
  Committer(WriterJobs& writer, std::unique_ptr<DeadLetters> dead_letters, OutboxSinks sinks, Observer& observer,
            std::function<void()> outbox_grew);

  struct Committed {
    /// With the rows that are in the store now.
    std::unique_ptr<SealedBatch> batch;
    /// There was trouble before, for this long.
    std::optional<Clock::duration> after_trouble;
  };
  struct Failed {
    enum class Kind : std::uint8_t {
      kRetrying,  ///< The batch is kept and tried again.
      kFenced,    ///< Another collector has claimed a partition; the batch was dropped.
      kForGood,   ///< The store will never take it; the batch was dropped.
    };
    Kind kind = Kind::kRetrying;
    /// What is in trouble, as /readyz names it: "store" or "dead_letters".
    std::string_view component;
    std::string reason;
    /// It is time to mention it: at once, then at a growing interval.
    bool mention = false;
  };
  struct Outcome {
    std::optional<Committed> committed;
    /// Set when `committed` is not.
    std::optional<Failed> failed;
  };

  /// A batch is sealed and neither in the store nor dropped.
  [[nodiscard]] bool busy() const noexcept { return waiting_ || attempt_.valid(); }
  /// The batch has been tried in vain.
  [[nodiscard]] bool in_trouble() const noexcept { return backoff_.running(); }
  /// When advance() has something to do that the writer's thread does not wake it for.
  [[nodiscard]] std::optional<Clock::time_point> due_at() const noexcept { return retry_at_; }

  /// Precondition: not busy.
  void begin(std::unique_ptr<SealedBatch> batch);
  /// Takes what has come of the attempt under way, if it has ended, and starts the next one that is due. Never waits.
  [[nodiscard]] std::optional<Outcome> advance(Clock::time_point now);
  /// Waits for the attempt under way, or makes one, once. Absent: not done by the deadline; it goes on.
  [[nodiscard]] std::optional<Outcome> finish(Clock::time_point deadline);
  /// Drops the batch. An attempt under way ends by itself: in the store with its offsets, or fenced, or not at all.
  void abandon() noexcept;

 private:
  struct Attempt {
    std::unique_ptr<SealedBatch> batch;
    std::string_view component;
    std::optional<StoreError> error;
  };
  /// What the writer's thread works with, kept alive by its jobs.
  struct Workshop;

  void start();
  [[nodiscard]] Outcome take(Clock::time_point now);
  void calm() noexcept;

  WriterJobs& writer_;
  std::shared_ptr<Workshop> workshop_;
  std::unique_ptr<SealedBatch> waiting_;
  std::future<Attempt> attempt_;
  /// When `waiting_` is tried again.
  std::optional<Clock::time_point> retry_at_;
  GrowingInterval backoff_{std::chrono::milliseconds(100), std::chrono::seconds(5)};
  GrowingInterval mention_{std::chrono::seconds(1), std::chrono::minutes(5)};
};

}  // namespace runfold::collector

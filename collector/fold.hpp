// Records to aggregates: pure state machines, with no clock and no I/O.
#pragma once

#include "collector/counts.hpp"
#include "collector/decode_views.hpp"
#include "collector/fold_origin.hpp"
#include "collector/liveness.hpp"
#include "collector/rows.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Everything that changed since the last take().
struct FoldedBatch {
  std::vector<RunRow> runs;
  std::vector<RunLogsRow> run_logs;
  std::vector<PendingLogs> pending_logs;
  std::vector<ApiFailureRow> api_failures;
  std::vector<OperationRow> operations;
  Counts counts;
};

/// Folds records into aggregates.
///
/// Any order across topics, any batching, duplicates and replays give byte-equal rows. Each topic folds into rows of its
/// own. State of a run must be in memory before a record of it is folded: ask knows_*(), and if not, supply_*() what the
/// store has, or that it has nothing. Before logs are supplied for, a run that the store has as lost must be: a log record
/// calls it back, if its row is the owner's to write; who owns it does so when it next hears of it.
/// Thread: one at a time.
class Fold {
 public:
  /// Whether the rows of runs that were last heard of on this partition of the events topic are its owner's to write.
  using OwnsEvents = std::function<bool(std::int32_t partition)>;

  explicit Fold(
      LivenessLimits limits = {}, OwnsEvents owns_events = [](std::int32_t) { return true; });
  ~Fold();

  [[nodiscard]] bool knows_run(const RunKeyView& key) const noexcept;
  [[nodiscard]] bool knows_run_logs(const RunKeyView& key) const noexcept;
  /// Absent: the store has no such row. False: the stored state cannot be read (made by a later release, or damaged).
  [[nodiscard]] bool supply_run(const RunKeyView& key, const std::optional<RunRow>& stored);
  [[nodiscard]] bool supply_run_logs(const RunKeyView& key, const std::optional<RunLogsRow>& stored);

  /// Precondition: knows_run(key of the event).
  Folded event(const EventView& event, const Origin& origin);
  /// Precondition: knows_run_logs(key of the batch). kDuplicate when all its records were seen before. A batch with none is
  /// counted, and changes nothing.
  Folded logs(const LogBatchView& batch, const Origin& origin);
  Folded operation(const OperationView& operation, const Origin& origin);

  /// When a run's logs were last heard of; absent when they never were. Precondition: knows_run_logs(key).
  [[nodiscard]] std::optional<HeardAt> logs_heard(const RunKeyView& key) const;
  /// Judges a run whose row says that it is overdue, by the clock of the partition that the row names.
  /// `logs_silence_ns`: for how long its logs have been silent, by the clock of their own partition; absent: nobody here
  /// knows. A run that has been silent for too long ends as lost, one that takes too long as timed out: inferred, with the
  /// reason as its error, and with the next revision. One that has time left, or was heard on another partition since,
  /// changes only in its row's deadline.
  /// Precondition: knows_run(key) and knows_run_logs(key).
  Judged judge(const RunKeyView& key, const HeardAt& now, const std::optional<DurationNs>& logs_silence_ns);

  /// Rows that take() would give, and about how many bytes.
  [[nodiscard]] std::size_t dirty_rows() const noexcept;
  [[nodiscard]] std::size_t dirty_bytes() const noexcept;
  /// Of the states in memory, estimated from the size of their rows.
  [[nodiscard]] std::size_t held_bytes() const noexcept;

  /// Takes what changed; the state stays, so folding can go on while the batch is committed.
  [[nodiscard]] FoldedBatch take();

  /// Forgets what has finished, and of the rest the longest unheard-of until at most `keep` of at most `keep_bytes` are
  /// held, of runs and of runs' logs each. The logs of a finished run go once two batches brought nothing of them: they
  /// may come behind its end. What changed since the last take() stays, and so does a run that was called lost, as long as
  /// its logs do: they may call it back.
  /// Precondition: what take() gave so far is in the store.
  void evict(std::size_t keep, std::size_t keep_bytes);
  /// Forgets everything, changed or not: the partitions belong to another, or the batch could not be committed.
  void clear();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runfold::collector

// One run as its events tell it: the state machine that every event of the run goes through.
#pragma once

#include "collector/decode_views.hpp"
#include "collector/fold_origin.hpp"
#include "collector/fold_sources.hpp"
#include "collector/fold_tally.hpp"
#include "collector/liveness.hpp"
#include "collector/rows.hpp"

#include <boost/container/small_vector.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::collector {

/// What several events say and one of them decides; which, the stamps say, and for equal stamps the values.
template <class Value>
struct Told {
  Stamp stamp;
  Value value;
};

/// The state of one attempt of one run.
///
/// Every field is merged by a rule in which the order of arrival plays no part, so any order of the same events gives the
/// same row, byte for byte:
/// - connector, version, site, trace: of the earliest event that has one;
/// - what Started, Completed and a step's end say: of the earliest such event (of that step and attempt), so what has ended
///   stays as it first ended; but a Completed that declares a result goes before any that leaves it to be inferred;
/// - progress: the last that its source numbered, of the source that told of one at the latest time;
/// - the order of steps: a source's own is that of its numbers, whatever its clock says;
/// - counts that commits changed: the sum over all distinct StatsCommitted, each saturating;
/// - times first and last heard of: minimum and maximum.
/// "Earliest" is by Stamp, then by value.
///
/// The revision is the number of distinct events folded that are neither Heartbeat nor Progress, and of judgements and
/// revivals: without judgements it too is the same for any order and batching, and it rises with whatever is worth publishing.
///
/// A run ends by its Completed, or by a judgement of its silence or its length: `lost` or `timeout`, both inferred. A declared
/// end is never judged, and ends what was judged before it. What was called lost and is heard of again runs on; what was
/// called timed out needs a Completed. When it was heard of is kept until it is completed, by its partition's clock.
///
/// The offsets are those of the records folded, not of duplicates: a repeat at a new offset widens nothing.
class RunState {
 public:
  /// Steps told apart, a retried one counting for each try. Beyond it the first by name and attempt stay; the others still
  /// add to entities and relationships, but a repeat of them that is not numbered adds again.
  static constexpr std::size_t kMaxSteps = 1000;
  /// Longer text is cut, at a whole character.
  static constexpr std::size_t kMaxErrorBytes = 16 * 1024;
  static constexpr std::size_t kMaxStepTextBytes = 4 * 1024;
  static constexpr std::size_t kMaxLabelBytes = 1024;

  explicit RunState(const RunKeyView& key) : run_id_(key.run_id), attempt_(key.attempt) {}

  [[nodiscard]] RunKeyView key() const noexcept { return {run_id_, attempt_}; }
  [[nodiscard]] bool finished() const noexcept { return completed_ || inferred_; }
  /// Called lost, and nothing has come of it since.
  [[nodiscard]] bool lost() const noexcept;

  Folded fold(const EventView& event, const Origin& origin, Tally& tally);

  /// Calls it lost or timed out when its time is up; see Fold::judge().
  Judged judge(const HeardAt& now, const std::optional<DurationNs>& logs_silence_ns, const LivenessLimits& limits, Tally& tally);
  /// The partition that it was last heard on. Precondition: an event was folded.
  [[nodiscard]] std::int32_t heard_on() const noexcept { return heard().partition; }
  /// Its logs are heard of: it runs on. Precondition: it was called lost.
  void revive(Tally& tally);

  /// The row as it is now. `publish` is set when the revision rose since the last call or restore().
  [[nodiscard]] RunRow row(const LivenessLimits& limits);
  /// Takes up where the row was made. False when it cannot be read. Precondition: nothing was folded yet.
  [[nodiscard]] bool restore(const RunRow& row);

 private:
  struct StartedFacts {
    std::optional<DurationNs> heartbeat_interval_ns;
    std::optional<std::uint64_t> os_pid;
    std::string host;
    std::string account;
    auto operator<=>(const StartedFacts&) const = default;
  };
  struct CompletedFacts {
    std::int32_t result = 0;
    std::optional<std::int32_t> exit_code;
    std::optional<std::int32_t> signal;
    std::optional<DurationNs> duration_ns;
    std::string error;
    auto operator<=>(const CompletedFacts&) const = default;
  };
  struct ProgressFacts {
    std::string step_id;
    std::uint64_t done = 0;
    std::optional<std::uint64_t> total;
    std::string message;
    auto operator<=>(const ProgressFacts&) const = default;
  };
  struct StepEnd {
    bool failed = false;
    std::optional<std::uint64_t> entities;
    std::optional<std::uint64_t> relationships;
    std::optional<DurationNs> duration_ns;
    std::string error;
    auto operator<=>(const StepEnd&) const = default;
  };
  struct Step {
    std::string step_id;
    std::uint32_t attempt = 1;
    std::optional<Stamp> started;
    std::optional<Told<StepEnd>> ended;
  };
  /// Which records of one partition it was folded from, and when it was heard of there, by the partition's clock.
  struct Bounds {
    std::int32_t partition = 0;
    std::int64_t first = 0;
    std::int64_t last = 0;
    TimeNs first_heard_ns = 0;
    TimeNs last_heard_ns = 0;
  };
  using AllBounds = boost::container::small_vector<Bounds, 1>;
  /// Who decides how a run ended, and how.
  struct Verdict {
    std::int32_t result = 0;
    std::int32_t source = 0;
  };
  /// How the collector says that it ended, for want of a Completed.
  struct Inferred {
    std::int32_t result = 0;
    std::string why;
  };
  /// When it was heard of, by the clock of the partition that it was last heard on.
  struct Heard {
    std::int32_t partition = 0;
    TimeNs first_ns = 0;
    TimeNs last_ns = 0;
  };
  struct Deadlines {
    TimeNs lost_ns = 0;
    std::optional<TimeNs> timeout_ns;
  };
  using Name = Told<std::string>;

  void fold(const StartedView& event, const Stamp& stamp, ConnectorCounts& counts);
  void fold(const StepStartedView& event, const Stamp& stamp, ConnectorCounts& counts);
  void fold(const StepCompletedView& event, const Stamp& stamp, ConnectorCounts& counts);
  void fold(const StepFailedView& event, const Stamp& stamp, ConnectorCounts& counts);
  void fold(const CompletedView& event, const Stamp& stamp, ConnectorCounts& counts);
  void fold(const StatsCommittedView& event, const Stamp& stamp, ConnectorCounts& counts);
  void fold_progress(const ProgressView& event, const Stamp& stamp);
  void fold_identity(const EventView& event, const Stamp& stamp);
  void fold_name(Name& name, std::string_view value, const Stamp& stamp) const;
  void end_step(std::string_view step_id, std::uint32_t attempt, const Stamp& stamp, StepEnd end, ConnectorCounts& counts);
  void widen_bounds(const Origin& origin);
  void fold_skew(const EventView& event, const Origin& origin);
  void infer(std::int32_t result, std::string why, Tally& tally);

  template <class Value, class Make>
  void keep_earliest(std::optional<Told<Value>>& told, const Stamp& stamp, Make&& make) const;

  /// Finds a step or makes it known; null when it is beyond the bound.
  [[nodiscard]] Step* step(std::string_view step_id, std::uint32_t attempt);
  void add_beyond(const StepEnd& end) noexcept;

  [[nodiscard]] static Verdict verdict(const CompletedFacts& facts) noexcept;
  [[nodiscard]] static std::optional<DurationNs> duration(const Step& step) noexcept;
  [[nodiscard]] std::optional<DurationNs> duration() const noexcept;
  /// Precondition: an event was folded.
  [[nodiscard]] Heard heard() const noexcept;
  [[nodiscard]] Deadlines deadlines(const Heard& last, const LivenessLimits& limits) const;
  [[nodiscard]] std::optional<std::chrono::nanoseconds> promised_interval() const noexcept;

  void write_deadline(RunRow& row, const LivenessLimits& limits) const;
  void write_snapshot(std::string& out, const std::vector<const Step*>& steps) const;
  void write_fold_state(std::string& out, const std::vector<const Step*>& steps) const;
  [[nodiscard]] std::vector<const Step*> steps_in_order() const;
  /// Null: none was told of.
  [[nodiscard]] const Told<ProgressFacts>* latest_progress() const;
  [[nodiscard]] AllBounds sorted_bounds() const;
  [[nodiscard]] bool read_snapshot(const std::string& snapshot);
  [[nodiscard]] bool read_fold_state(std::string_view fold_state);

  // What every event touches stands together, first.
  std::string run_id_;
  std::uint32_t attempt_ = 1;
  /// An event was folded: there is a row to make.
  bool heard_ = false;
  std::uint64_t revision_ = 0;
  std::uint64_t taken_revision_ = 0;
  TimeNs first_seen_ns_ = 0;
  TimeNs last_seen_ns_ = 0;
  AllBounds bounds_;
  Sources sources_;
  /// The least that an event was written after it happened, as the two clocks have it.
  std::optional<DurationNs> skew_ns_;
  /// The last of each source, apart for events with and without a number; the stamp's time is the latest of them all.
  std::vector<Told<ProgressFacts>> progress_;
  /// By step_id and attempt.
  std::vector<Step> steps_;

  Name connector_id_;
  Name version_;
  Name site_;
  Name trace_id_;
  std::optional<Told<StartedFacts>> started_;
  std::optional<Told<CompletedFacts>> completed_;
  /// Never beside completed_.
  std::optional<Inferred> inferred_;
  StatsCommittedView stats_;
  /// Of steps beyond kMaxSteps.
  std::optional<std::uint64_t> beyond_entities_;
  std::optional<std::uint64_t> beyond_relationships_;
};

}  // namespace runfold::collector

// Whether a run is still alive: when it was heard of, and what is said of it when it no longer is.
#include "collector/fold_run.hpp"

#include "runfold/v1/event.pb.h"

#include <algorithm>
#include <limits>

namespace runfold::collector {
namespace {

/// A row's deadline is put off in steps of this part of the limit, so that most changes of a run leave it as it is, and the
/// index that finds the overdue need not be touched.
constexpr std::int64_t kStepsInLimit = 16;

TimeNs sum(TimeNs at_ns, std::chrono::nanoseconds span) noexcept {
  return at_ns > std::numeric_limits<TimeNs>::max() - span.count() ? std::numeric_limits<TimeNs>::max() : at_ns + span.count();
}

/// Not before `at_ns`.
TimeNs in_steps(TimeNs at_ns, std::chrono::nanoseconds limit) noexcept {
  const std::int64_t step = std::max<std::int64_t>(1, limit.count() / kStepsInLimit);
  const std::int64_t beyond = at_ns % step;
  return beyond == 0 ? at_ns : sum(at_ns, std::chrono::nanoseconds(step - beyond));
}

}  // namespace

bool RunState::lost() const noexcept {
  return inferred_ && inferred_->result == v1::RUN_RESULT_LOST;
}

RunState::Heard RunState::heard() const noexcept {
  // Mostly there is one partition. When partitions were added its records go to another, which has a clock of its own: the
  // later one holds (all began as times of day), and what the run took before is carried over.
  const auto last = std::max_element(bounds_.begin(), bounds_.end(), [](const Bounds& left, const Bounds& right) {
    return std::pair(left.last_heard_ns, left.partition) < std::pair(right.last_heard_ns, right.partition);
  });
  Heard found{last->partition, last->first_heard_ns, last->last_heard_ns};
  for (auto other = bounds_.begin(); other != bounds_.end(); ++other) {
    if (other != last) found.first_ns -= other->last_heard_ns - other->first_heard_ns;
  }
  return found;
}

void RunState::fold_skew(const EventView& event, const Origin& origin) {
  if (!event.occurred_at_ns || origin.record_time_ns <= 0) return;
  // What is written late makes it greater, so the least is the nearest to the truth. Both are times since 1970: no overflow.
  const DurationNs behind_ns = origin.record_time_ns - *event.occurred_at_ns;
  if (!skew_ns_ || behind_ns < *skew_ns_) skew_ns_ = behind_ns;
}

std::optional<std::chrono::nanoseconds> RunState::promised_interval() const noexcept {
  if (!started_ || !started_->value.heartbeat_interval_ns) return std::nullopt;
  return std::chrono::nanoseconds(*started_->value.heartbeat_interval_ns);
}

RunState::Deadlines RunState::deadlines(const Heard& last, const LivenessLimits& limits) const {
  Deadlines found;
  found.lost_ns = sum(last.last_ns, limits.silence_of(connector_id_.value, promised_interval()));
  if (const auto longest = limits.max_duration_of(connector_id_.value)) found.timeout_ns = sum(last.first_ns, *longest);
  return found;
}

Judged RunState::judge(const HeardAt& now, const std::optional<DurationNs>& logs_silence_ns, const LivenessLimits& limits, Tally& tally) {
  if (!heard_ || finished()) return Judged::kNothing;
  Heard last = heard();
  if (last.partition != now.partition) return Judged::kGranted;
  const TimeNs clock_ns = now.clock_ns;
  if (logs_silence_ns) {
    last.last_ns = std::max(last.last_ns, clock_ns - std::max<DurationNs>(0, *logs_silence_ns));
    const auto here = std::find_if(bounds_.begin(), bounds_.end(), [&](const Bounds& one) { return one.partition == last.partition; });
    here->last_heard_ns = last.last_ns;
  }
  const Deadlines until = deadlines(last, limits);
  const bool overdue = clock_ns >= until.lost_ns;
  if (until.timeout_ns && clock_ns >= *until.timeout_ns && (!overdue || *until.timeout_ns <= until.lost_ns)) {
    infer(v1::RUN_RESULT_TIMEOUT,
          "still running after " + span_text(std::chrono::nanoseconds(clock_ns - last.first_ns)) + "; it may take " +
              span_text(*limits.max_duration_of(connector_id_.value)),
          tally);
    return Judged::kTimeout;
  }
  if (!overdue) return Judged::kGranted;
  std::string why = "no record for " + span_text(std::chrono::nanoseconds(clock_ns - last.last_ns));
  if (const auto interval = promised_interval(); interval && interval->count() > 0) {
    why += "; a heartbeat was promised every " + span_text(*interval);
  }
  infer(v1::RUN_RESULT_LOST, std::move(why), tally);
  return Judged::kLost;
}

void RunState::infer(std::int32_t result, std::string why, Tally& tally) {
  inferred_ = {result, std::move(why)};
  ++revision_;
  ConnectorCounts& counts = tally.connector(connector_id_.value);
  ++counts.runs_finished[static_cast<std::size_t>(result)];
  --counts.runs_active;
}

void RunState::revive(Tally& tally) {
  inferred_.reset();
  ++revision_;
  ++tally.connector(connector_id_.value).runs_active;
}

void RunState::write_deadline(RunRow& row, const LivenessLimits& limits) const {
  if (!heard_ || finished()) return;
  const Heard last = heard();
  const Deadlines until = deadlines(last, limits);
  row.partition = last.partition;
  row.deadline_ns = in_steps(until.lost_ns, limits.silence_of(connector_id_.value, promised_interval()));
  if (until.timeout_ns) row.deadline_ns = std::min(*row.deadline_ns, *until.timeout_ns);
}

}  // namespace runfold::collector

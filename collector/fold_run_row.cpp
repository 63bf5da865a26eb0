// A run's state to its row and back: the snapshot that people read, and what the fold needs beside it.
#include "collector/decode_wire.hpp"
#include "collector/fold_run.hpp"
#include "collector/fold_sum.hpp"
#include "collector/fold_writer.hpp"
#include "runfold/v1/run.pb.h"

#include <algorithm>
#include <tuple>

namespace runfold::collector {
namespace {

/// The layout of fold_state. A row with another one was made by another release.
constexpr std::uint64_t kLayout = 1;
/// Fields of fold_state.
enum State : std::uint32_t {
  kVersion = 1,
  kFirstSeen,
  kConnector,
  kVersionName,
  kSite,
  kTrace,
  kStarted,
  kCompleted,
  kProgress,
  kStep,
  kBeyondEntities,
  kBeyondRelationships,
  kSources,  // and the two after it
  kHeard = kSources + 3,
  kSkew,
};

/// A source may have one with a number and one without.
constexpr std::size_t kMaxProgress = 2 * (Sources::kMaxSources + 1);

/// Below it, clocks count as right.
constexpr DurationNs kLeastSkew = 1'000'000'000;

constexpr std::uint64_t wide(std::int64_t value) noexcept {
  return static_cast<std::uint64_t>(value);
}

void write_present(WireWriter& out, std::uint32_t field, const std::optional<std::uint64_t>& value) {
  if (value) out.number(field, *value);
}
void write_present(WireWriter& out, std::uint32_t field, const std::optional<std::int32_t>& value) {
  if (value) out.number(field, wide(*value));
}
void write_time(WireWriter& out, std::uint32_t field, const std::optional<std::int64_t>& value) {
  if (value) out.time(field, *value);
}

static_assert(kDropReasons == v1::DropReason_ARRAYSIZE);

void write_completeness(WireWriter& out, v1::Topic topic, const Sources::Sum& sum, std::uint64_t received) {
  out.message(20, [&] {
    out.number(1, topic);
    write_present(out, 2, sum.expected);
    out.non_zero(3, received);
    for (std::uint32_t why = 0; why < sum.drops.size(); ++why) {
      if (sum.drops[why] == 0) continue;
      out.message(4, [&] {
        out.non_zero(1, why);
        out.number(2, sum.drops[why]);
      });
    }
  });
}

std::int64_t nanoseconds(const auto& time) noexcept {
  return time.seconds() * 1'000'000'000 + time.nanos();
}

}  // namespace

// A clock that jumps back between two steps of a source does not turn them round: a step stands at the latest time that the
// source had told by then. Steps whose start is unknown stand where they ended.
std::vector<const RunState::Step*> RunState::steps_in_order() const {
  struct Placed {
    TimeNs at_ns = 0;
    std::uint8_t source = 0;
    std::uint64_t sequence = 0;
    /// In steps_ they stand by name and attempt.
    const Step* step = nullptr;
  };
  const auto places = sources_.places();
  std::vector<Placed> placed;
  placed.reserve(steps_.size());
  for (const Step& step : steps_) {
    const Stamp& stamp = step.started ? *step.started : step.ended->stamp;
    placed.push_back({stamp.at_ns, places[stamp.source], stamp.sequence, &step});
  }
  const auto by_number = [](const Placed& one) { return std::tuple(one.source, one.sequence, one.step); };
  std::sort(placed.begin(), placed.end(), [&](const Placed& left, const Placed& right) { return by_number(left) < by_number(right); });
  for (std::size_t i = 1; i < placed.size(); ++i) {
    const bool follows =
        placed[i].source == placed[i - 1].source && placed[i].source != Sources::kMaxSources && placed[i - 1].sequence != 0;
    if (follows) placed[i].at_ns = std::max(placed[i].at_ns, placed[i - 1].at_ns);
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& left, const Placed& right) { return left.at_ns < right.at_ns; });
  std::vector<const Step*> steps;
  steps.reserve(placed.size());
  for (const Placed& one : placed) steps.push_back(one.step);
  return steps;
}

RunRow RunState::row(const LivenessLimits& limits) {
  const auto steps = steps_in_order();
  RunRow row;
  row.key = {run_id_, attempt_};
  row.connector_id = connector_id_.value;
  row.version = version_.value;
  row.site = site_.value;
  row.status = finished() ? v1::RUN_STATUS_FINISHED : v1::RUN_STATUS_RUNNING;
  row.result = completed_ ? verdict(completed_->value).result : inferred_ ? inferred_->result : v1::RUN_RESULT_UNSPECIFIED;
  row.sort_at_ns = started_ ? started_->stamp.at_ns : first_seen_ns_;
  write_deadline(row, limits);
  row.snapshot.reserve(256 + 96 * steps.size());
  write_snapshot(row.snapshot, steps);
  row.fold_state.reserve(128 + 24 * steps.size());
  write_fold_state(row.fold_state, steps);
  row.publish = revision_ > taken_revision_;
  taken_revision_ = revision_;
  return row;
}

RunState::AllBounds RunState::sorted_bounds() const {
  auto bounds = bounds_;
  std::sort(bounds.begin(), bounds.end(), [](const Bounds& left, const Bounds& right) { return left.partition < right.partition; });
  return bounds;
}

void RunState::write_snapshot(std::string& bytes, const std::vector<const Step*>& steps) const {
  WireWriter out(bytes);
  out.bytes(1, run_id_);
  out.number(2, attempt_);
  out.non_empty(3, connector_id_.value);
  out.non_empty(4, version_.value);
  out.non_empty(5, site_.value);
  out.number(6, finished() ? v1::RUN_STATUS_FINISHED : v1::RUN_STATUS_RUNNING);
  if (completed_) {
    const Verdict how = verdict(completed_->value);
    out.number(7, wide(how.result));
    out.number(8, wide(how.source));
    write_present(out, 9, completed_->value.exit_code);
    write_present(out, 10, completed_->value.signal);
    out.non_empty(11, completed_->value.error);
  } else if (inferred_) {
    out.number(7, wide(inferred_->result));
    out.number(8, v1::RESULT_SOURCE_INFERRED);
    out.non_empty(11, inferred_->why);
  }
  if (started_) out.time(12, started_->stamp.at_ns);
  if (completed_) out.time(13, completed_->stamp.at_ns);
  out.time(14, last_seen_ns_);
  write_time(out, 15, duration());

  std::optional<std::uint64_t> entities = beyond_entities_;
  std::optional<std::uint64_t> relationships = beyond_relationships_;
  for (const Step* step : steps) {
    if (!step->ended) continue;
    add(entities, step->ended->value.entities);
    add(relationships, step->ended->value.relationships);
  }
  write_present(out, 16, entities);
  write_present(out, 17, relationships);
  if (stats_.entities_created || stats_.entities_updated || stats_.entities_deleted || stats_.relationships_created ||
      stats_.relationships_updated || stats_.relationships_deleted) {
    out.message(18, [&] {
      write_present(out, 1, stats_.entities_created);
      write_present(out, 2, stats_.entities_updated);
      write_present(out, 3, stats_.entities_deleted);
      write_present(out, 4, stats_.relationships_created);
      write_present(out, 5, stats_.relationships_updated);
      write_present(out, 6, stats_.relationships_deleted);
    });
  }
  for (const Step* step : steps) {
    out.message(19, [&] {
      out.bytes(1, step->step_id);
      out.number(2, step->attempt);
      out.number(3, step->ended ? v1::RUN_STATUS_FINISHED : v1::RUN_STATUS_RUNNING);
      if (step->ended) out.number(4, step->ended->value.failed ? v1::RUN_RESULT_FAILURE : v1::RUN_RESULT_SUCCESS);
      if (step->started) out.time(5, step->started->at_ns);
      if (!step->ended) return;
      out.time(6, step->ended->stamp.at_ns);
      write_time(out, 7, duration(*step));
      write_present(out, 8, step->ended->value.entities);
      write_present(out, 9, step->ended->value.relationships);
      out.non_empty(10, step->ended->value.error);
    });
  }
  write_completeness(out, v1::TOPIC_EVENTS, sources_.sum(&Sources::Totals::events), sources_.received());
  if (const auto logs = sources_.sum(&Sources::Totals::logs); logs.any) write_completeness(out, v1::TOPIC_LOGS, logs, 0);
  out.non_empty(21, trace_id_.value);
  out.non_zero(22, revision_);
  if (started_) {
    write_time(out, 23, started_->value.heartbeat_interval_ns);
    write_present(out, 24, started_->value.os_pid);
    out.non_empty(25, started_->value.host);
    out.non_empty(26, started_->value.account);
  }
  for (const Bounds& one : sorted_bounds()) {
    out.message(27, [&] {
      out.non_zero(1, wide(one.partition));
      out.non_zero(2, wide(one.first));
      out.non_zero(3, wide(one.last));
    });
  }
  if (const auto* progress = latest_progress()) {
    out.message(28, [&] {
      out.non_empty(1, progress->value.step_id);
      out.non_zero(2, progress->value.done);
      write_present(out, 3, progress->value.total);
      out.non_empty(4, progress->value.message);
    });
  }
  if (skew_ns_ && (*skew_ns_ >= kLeastSkew || *skew_ns_ <= -kLeastSkew)) out.time(29, *skew_ns_);
}

void RunState::write_fold_state(std::string& bytes, const std::vector<const Step*>& steps) const {
  WireWriter out(bytes);
  const auto places = sources_.places();
  const auto write_stamp = [&](const Stamp& stamp) {
    out.non_zero(1, wide(stamp.at_ns));
    out.non_zero(2, stamp.sequence);
    out.non_zero(3, places[stamp.source]);
  };
  const auto write_name = [&](std::uint32_t field, const Name& name) {
    if (!name.value.empty()) out.message(field, [&] { write_stamp(name.stamp); });
  };
  out.number(kVersion, kLayout);
  out.non_zero(kFirstSeen, wide(first_seen_ns_));
  write_name(kConnector, connector_id_);
  write_name(kVersionName, version_);
  write_name(kSite, site_);
  write_name(kTrace, trace_id_);
  if (started_) out.message(kStarted, [&] { write_stamp(started_->stamp); });
  if (completed_) {
    out.message(kCompleted, [&] {
      write_stamp(completed_->stamp);
      out.non_zero(4, wide(completed_->value.result));
      if (completed_->value.duration_ns) out.number(5, wide(*completed_->value.duration_ns));
    });
  }
  std::vector<const Told<ProgressFacts>*> progress;
  for (const auto& one : progress_) progress.push_back(&one);
  const auto place = [&](const Told<ProgressFacts>* one) { return std::pair(places[one->stamp.source], one->stamp.sequence); };
  std::sort(progress.begin(), progress.end(), [&](const auto* left, const auto* right) { return place(left) < place(right); });
  for (const auto* latest = latest_progress(); const auto* one : progress) {
    out.message(kProgress, [&] {
      write_stamp(one->stamp);
      // The latest one's facts stand in the snapshot.
      if (one == latest) return;
      out.number(4, 1);
      out.non_empty(5, one->value.step_id);
      out.non_zero(6, one->value.done);
      write_present(out, 7, one->value.total);
      out.non_empty(8, one->value.message);
    });
  }
  // The times of these stamps stand in the snapshot's steps, which come in the same order.
  for (const Step* step : steps) {
    out.message(kStep, [&] {
      if (step->started) {
        out.non_zero(1, step->started->sequence);
        out.non_zero(2, places[step->started->source]);
      }
      if (!step->ended) return;
      out.non_zero(3, step->ended->stamp.sequence);
      out.non_zero(4, places[step->ended->stamp.source]);
      if (step->ended->value.duration_ns) out.number(5, 1);
    });
  }
  write_present(out, kBeyondEntities, beyond_entities_);
  write_present(out, kBeyondRelationships, beyond_relationships_);
  sources_.write(out, kSources);
  if (!completed_) {
    for (const Bounds& one : sorted_bounds()) {
      out.message(kHeard, [&] {
        out.non_zero(1, wide(one.first_heard_ns));
        out.non_zero(2, wide(one.last_heard_ns));
      });
    }
  }
  if (skew_ns_) out.number(kSkew, wide(*skew_ns_));
}

bool RunState::restore(const RunRow& row) {
  if (!read_snapshot(row.snapshot) || !read_fold_state(row.fold_state)) return false;
  std::sort(steps_.begin(), steps_.end(), [](const Step& left, const Step& right) {
    return std::tie(left.step_id, left.attempt) < std::tie(right.step_id, right.attempt);
  });
  heard_ = true;
  taken_revision_ = revision_;
  return true;
}

bool RunState::read_snapshot(const std::string& snapshot) {
  v1::Run run;
  if (!run.ParseFromString(snapshot) || run.run_id() != run_id_ || run.attempt() != attempt_) return false;
  last_seen_ns_ = nanoseconds(run.last_seen_at());
  revision_ = run.revision();
  connector_id_.value = run.connector_id();
  version_.value = run.version();
  site_.value = run.site();
  trace_id_.value = run.trace_id();
  const auto present = [](bool has, std::uint64_t value) { return has ? std::optional(value) : std::nullopt; };
  if (run.has_started_at()) {
    auto& facts = started_.emplace();
    facts.stamp.at_ns = nanoseconds(run.started_at());
    if (run.has_heartbeat_interval()) facts.value.heartbeat_interval_ns = nanoseconds(run.heartbeat_interval());
    facts.value.os_pid = present(run.has_os_pid(), run.os_pid());
    facts.value.host = run.host();
    facts.value.account = run.account();
  }
  if (run.has_finished_at()) {
    auto& facts = completed_.emplace();
    facts.stamp.at_ns = nanoseconds(run.finished_at());
    if (run.has_exit_code()) facts.value.exit_code = run.exit_code();
    if (run.has_signal()) facts.value.signal = run.signal();
    facts.value.error = run.error();
  } else if (run.status() == v1::RUN_STATUS_FINISHED) {
    // Only what was declared says when.
    inferred_ = {run.result(), run.error()};
  }
  if (run.has_progress()) {
    auto& facts = progress_.emplace_back();
    facts.value = {run.progress().step_id(), run.progress().done(), present(run.progress().has_total(), run.progress().total()),
                   run.progress().message()};
  }
  const v1::SyncStats& stats = run.stats();
  stats_ = {present(stats.has_entities_created(), stats.entities_created()),
            present(stats.has_entities_updated(), stats.entities_updated()),
            present(stats.has_entities_deleted(), stats.entities_deleted()),
            present(stats.has_relationships_created(), stats.relationships_created()),
            present(stats.has_relationships_updated(), stats.relationships_updated()),
            present(stats.has_relationships_deleted(), stats.relationships_deleted())};
  for (const v1::Step& from : run.steps()) {
    Step& step = steps_.emplace_back();
    step.step_id = from.step_id();
    step.attempt = from.attempt();
    if (from.has_started_at()) step.started.emplace().at_ns = nanoseconds(from.started_at());
    if (from.has_finished_at()) {
      auto& end = step.ended.emplace();
      end.stamp.at_ns = nanoseconds(from.finished_at());
      end.value = {from.result() == v1::RUN_RESULT_FAILURE, present(from.has_entities(), from.entities()),
                   present(from.has_relationships(), from.relationships()), std::nullopt, from.error()};
      if (from.has_duration()) end.value.duration_ns = nanoseconds(from.duration());
    } else if (!step.started) {
      return false;
    }
  }
  for (const v1::OffsetBounds& from : run.offsets()) bounds_.push_back({from.partition(), from.first_offset(), from.last_offset(), 0, 0});
  return true;
}

bool RunState::read_fold_state(std::string_view fold_state) {
  // Beside the steps there are the sources and a dozen others.
  wire::Trouble trouble(fold_state);
  wire::Fields fields(fold_state, trouble);
  bool known_layout = false;
  std::size_t steps = 0;
  const auto source = [](std::uint64_t place) { return static_cast<std::uint8_t>(std::min<std::uint64_t>(place, Sources::kMaxSources)); };
  const auto read_stamp = [&](Stamp& stamp, std::optional<std::uint64_t>* fourth = nullptr, std::optional<std::uint64_t>* fifth = nullptr) {
    wire::Fields parts(fields.bytes(), trouble);
    while (parts.next()) {
      if (parts.tag() == wire::varint_tag(1)) stamp.at_ns = static_cast<TimeNs>(parts.number());
      if (parts.tag() == wire::varint_tag(2)) stamp.sequence = parts.number();
      if (parts.tag() == wire::varint_tag(3)) stamp.source = source(parts.number());
      if (parts.tag() == wire::varint_tag(4) && fourth != nullptr) *fourth = parts.number();
      if (parts.tag() == wire::varint_tag(5) && fifth != nullptr) *fifth = parts.number();
    }
  };
  const auto read_step = [&](Step& step) {
    bool was_measured = false;
    wire::Fields parts(fields.bytes(), trouble);
    while (parts.next()) {
      if (parts.tag() == wire::varint_tag(1) && step.started) step.started->sequence = parts.number();
      if (parts.tag() == wire::varint_tag(2) && step.started) step.started->source = source(parts.number());
      if (parts.tag() == wire::varint_tag(3) && step.ended) step.ended->stamp.sequence = parts.number();
      if (parts.tag() == wire::varint_tag(4) && step.ended) step.ended->stamp.source = source(parts.number());
      if (parts.tag() == wire::varint_tag(5)) was_measured = true;
    }
    if (step.ended && !was_measured) step.ended->value.duration_ns.reset();
  };
  const auto read_progress = [&] {
    Told<ProgressFacts> told;
    bool latest = true;
    wire::Fields parts(fields.bytes(), trouble);
    while (parts.next()) {
      if (parts.tag() == wire::varint_tag(1)) told.stamp.at_ns = static_cast<TimeNs>(parts.number());
      if (parts.tag() == wire::varint_tag(2)) told.stamp.sequence = parts.number();
      if (parts.tag() == wire::varint_tag(3)) told.stamp.source = source(parts.number());
      if (parts.tag() == wire::varint_tag(4)) latest = false;
      if (parts.tag() == wire::bytes_tag(5)) told.value.step_id = parts.bytes();
      if (parts.tag() == wire::varint_tag(6)) told.value.done = parts.number();
      if (parts.tag() == wire::varint_tag(7)) told.value.total = parts.number();
      if (parts.tag() == wire::bytes_tag(8)) told.value.message = parts.bytes();
    }
    if (latest) {
      progress_.front().stamp = told.stamp;
    } else {
      progress_.push_back(std::move(told));
    }
  };
  const auto read_heard = [&](Bounds& bounds) {
    wire::Fields parts(fields.bytes(), trouble);
    while (parts.next()) {
      if (parts.tag() == wire::varint_tag(1)) bounds.first_heard_ns = static_cast<TimeNs>(parts.number());
      if (parts.tag() == wire::varint_tag(2)) bounds.last_heard_ns = static_cast<TimeNs>(parts.number());
    }
  };
  std::size_t heard_on = 0;
  while (fields.next()) {
    switch (const std::uint32_t field = fields.tag() >> 3) {
      case kVersion:
        known_layout = fields.number() == kLayout;
        break;
      case kFirstSeen:
        first_seen_ns_ = static_cast<TimeNs>(fields.number());
        break;
      case kConnector:
        read_stamp(connector_id_.stamp);
        break;
      case kVersionName:
        read_stamp(version_.stamp);
        break;
      case kSite:
        read_stamp(site_.stamp);
        break;
      case kTrace:
        read_stamp(trace_id_.stamp);
        break;
      case kStarted:
        if (!started_) return false;
        read_stamp(started_->stamp);
        break;
      case kCompleted: {
        if (!completed_) return false;
        std::optional<std::uint64_t> result;
        std::optional<std::uint64_t> duration;
        read_stamp(completed_->stamp, &result, &duration);
        completed_->value.result = static_cast<std::int32_t>(result.value_or(0));
        if (duration) completed_->value.duration_ns = static_cast<DurationNs>(*duration);
        break;
      }
      case kProgress:
        fields.uncounted();
        if (progress_.empty() || progress_.size() > kMaxProgress) return false;
        read_progress();
        break;
      case kStep:
        fields.uncounted();
        if (steps == steps_.size()) return false;
        read_step(steps_[steps++]);
        break;
      case kBeyondEntities:
        beyond_entities_ = fields.number();
        break;
      case kBeyondRelationships:
        beyond_relationships_ = fields.number();
        break;
      case kSources:
      case kSources + 1:
      case kSources + 2:
        if (!sources_.read(field - kSources, fields.number(), fields.bytes())) return false;
        break;
      case kHeard:
        fields.uncounted();
        if (heard_on == bounds_.size()) return false;
        read_heard(bounds_[heard_on++]);
        break;
      case kSkew:
        skew_ns_ = static_cast<DurationNs>(fields.number());
        break;
      default:
        break;
    }
  }
  return fields.ok() && known_layout && steps == steps_.size();
}

}  // namespace runfold::collector

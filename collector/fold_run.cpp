// What each event does to its run.
#include "collector/fold_run.hpp"

#include "collector/decode_wire.hpp"
#include "collector/fold_sum.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/run.pb.h"

#include <algorithm>
#include <tuple>

namespace runfold::collector {
namespace {

using wire::bounded;

/// A clock that went backwards measured nothing.
std::optional<DurationNs> measured(const std::optional<DurationNs>& duration_ns) noexcept {
  return duration_ns && *duration_ns >= 0 ? duration_ns : std::nullopt;
}

constexpr double seconds(std::int64_t nanoseconds) noexcept {
  return static_cast<double>(nanoseconds) / 1e9;
}

/// The trace-id of a W3C traceparent; empty when it is not one.
std::string_view trace_id(const std::optional<TraceView>& trace) noexcept {
  if (!trace || trace->traceparent.size() < 55) return {};
  const std::string_view text = trace->traceparent;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  const std::string_view id = text.substr(3, 32);
  const bool hexadecimal = std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hexadecimal && id.find_first_not_of('0') != std::string_view::npos ? id : std::string_view{};
}

}  // namespace

Folded RunState::fold(const EventView& event, const Origin& origin, Tally& tally) {
  const Stamp stamp{event.occurred_at_ns.value_or(std::max<TimeNs>(origin.record_time_ns, 0)), event.sequence,
                    sources_.index(event.identity.source_id)};
  if (!sources_.add(stamp.source, stamp.sequence)) return Folded::kDuplicate;

  const bool was_running = heard_ && !finished();
  if (!heard_) {
    heard_ = true;
    first_seen_ns_ = last_seen_ns_ = stamp.at_ns;
  }
  first_seen_ns_ = std::min(first_seen_ns_, stamp.at_ns);
  last_seen_ns_ = std::max(last_seen_ns_, stamp.at_ns);
  const std::string_view named = event.identity.connector_id;
  if (was_running && !named.empty() && named != connector_id_.value) {
    // It is counted as running for the connector that it is of, and that may be another from now on.
    --tally.connector(connector_id_.value).runs_active;
    fold_identity(event, stamp);
    ++tally.connector(connector_id_.value).runs_active;
  } else {
    fold_identity(event, stamp);
  }
  widen_bounds(origin);
  fold_skew(event, origin);
  if (lost()) {
    inferred_.reset();
    ++revision_;
  }

  if (std::holds_alternative<HeartbeatView>(event.event)) {
    // That it was heard of is all there is to it.
  } else if (const auto* progress = std::get_if<ProgressView>(&event.event)) {
    fold_progress(*progress, stamp);
  } else {
    ++revision_;
    ConnectorCounts& counts = tally.connector(event.identity.connector_id);
    std::visit(
        [&](const auto& view) {
          if constexpr (requires { fold(view, stamp, counts); }) fold(view, stamp, counts);
        },
        event.event);
  }
  const bool is_running = !finished();
  if (is_running != was_running) tally.connector(connector_id_.value).runs_active += is_running ? 1 : -1;
  return Folded::kFolded;
}

template <class Value, class Make>
void RunState::keep_earliest(std::optional<Told<Value>>& told, const Stamp& stamp, Make&& make) const {
  if (!told) {
    told.emplace(Told<Value>{stamp, make()});
    return;
  }
  const auto order = sources_.compare(stamp, told->stamp);
  if (order > 0) return;
  Value value = make();
  if (order < 0 || value < told->value) *told = {stamp, std::move(value)};
}

void RunState::fold_name(Name& name, std::string_view value, const Stamp& stamp) const {
  if (value.empty()) return;
  if (!name.value.empty()) {
    if (stamp.at_ns > name.stamp.at_ns) return;
    const auto order = sources_.compare(stamp, name.stamp);
    if (order > 0 || (order == 0 && value >= name.value)) return;
  }
  name.stamp = stamp;
  name.value = value;
}

void RunState::fold_identity(const EventView& event, const Stamp& stamp) {
  fold_name(connector_id_, event.identity.connector_id, stamp);
  fold_name(version_, event.identity.version, stamp);
  fold_name(site_, event.identity.site, stamp);
  if (event.trace && (trace_id_.value.empty() || stamp.at_ns <= trace_id_.stamp.at_ns)) fold_name(trace_id_, trace_id(event.trace), stamp);
}

void RunState::widen_bounds(const Origin& origin) {
  for (Bounds& bounds : bounds_) {
    if (bounds.partition != origin.partition) continue;
    bounds.first = std::min(bounds.first, origin.offset);
    bounds.last = std::max(bounds.last, origin.offset);
    bounds.first_heard_ns = std::min(bounds.first_heard_ns, origin.clock_ns);
    bounds.last_heard_ns = std::max(bounds.last_heard_ns, origin.clock_ns);
    return;
  }
  bounds_.push_back({origin.partition, origin.offset, origin.offset, origin.clock_ns, origin.clock_ns});
}

void RunState::fold(const StartedView& event, const Stamp& stamp, ConnectorCounts& counts) {
  if (!started_) ++counts.runs_started;
  keep_earliest(started_, stamp, [&] {
    return StartedFacts{measured(event.heartbeat_interval_ns), event.os_pid, std::string(bounded(event.host, kMaxLabelBytes)),
                        std::string(bounded(event.account, kMaxLabelBytes))};
  });
}

RunState::Step* RunState::step(std::string_view step_id, std::uint32_t attempt) {
  const auto key = [](const Step& step) { return std::pair(std::string_view(step.step_id), step.attempt); };
  const std::pair wanted(step_id, attempt);
  auto at = std::lower_bound(steps_.begin(), steps_.end(), wanted, [&](const Step& step, const auto& other) { return key(step) < other; });
  if (at != steps_.end() && key(*at) == wanted) return &*at;
  if (steps_.size() == kMaxSteps) {
    if (at == steps_.end()) return nullptr;
    if (steps_.back().ended) add_beyond(steps_.back().ended->value);
    steps_.pop_back();
  }
  if (steps_.size() == steps_.capacity()) {
    const auto index = at - steps_.begin();
    steps_.reserve(steps_.size() + std::max<std::size_t>(4, steps_.size() / 2));
    at = steps_.begin() + index;
  }
  Step step;
  step.step_id = step_id;
  step.attempt = attempt;
  return &*steps_.insert(at, std::move(step));
}

void RunState::add_beyond(const StepEnd& end) noexcept {
  add(beyond_entities_, end.entities);
  add(beyond_relationships_, end.relationships);
}

void RunState::fold(const StepStartedView& event, const Stamp& stamp, ConnectorCounts&) {
  Step* known = step(event.step_id, event.step_attempt);
  if (known == nullptr) return;
  if (!known->started || sources_.compare(stamp, *known->started) < 0) known->started = stamp;
}

void RunState::fold(const StepCompletedView& event, const Stamp& stamp, ConnectorCounts& counts) {
  end_step(event.step_id, event.step_attempt, stamp, {false, event.entities, event.relationships, measured(event.duration_ns), {}}, counts);
}

void RunState::fold(const StepFailedView& event, const Stamp& stamp, ConnectorCounts& counts) {
  end_step(event.step_id, event.step_attempt, stamp,
           {true, {}, {}, measured(event.duration_ns), std::string(bounded(event.error, kMaxStepTextBytes))}, counts);
}

void RunState::end_step(std::string_view step_id, std::uint32_t attempt, const Stamp& stamp, StepEnd end, ConnectorCounts& counts) {
  Step* known = step(step_id, attempt);
  if (known != nullptr && known->ended) {
    // It is counted as it ended when first heard of; which end holds, the stamps decide.
    keep_earliest(known->ended, stamp, [&] { return std::move(end); });
    return;
  }
  ++(end.failed ? counts.steps_failed : counts.steps_completed);
  counts.entities = saturating_sum(counts.entities, end.entities.value_or(0));
  counts.relationships = saturating_sum(counts.relationships, end.relationships.value_or(0));
  std::optional<DurationNs> took = end.duration_ns;
  if (known != nullptr) {
    known->ended = {stamp, std::move(end)};
    took = duration(*known);
  } else {
    add_beyond(end);
  }
  if (took) counts.step_durations_s.push_back(seconds(*took));
}

void RunState::fold(const CompletedView& event, const Stamp& stamp, ConnectorCounts& counts) {
  const bool first = !completed_;
  inferred_.reset();
  CompletedFacts facts{event.result, event.exit_code, event.signal, measured(event.duration_ns),
                       std::string(bounded(event.error, kMaxErrorBytes))};
  // An end that says how goes before one that leaves it to be inferred, whichever was earlier.
  const std::int32_t source = verdict(facts).source;
  if (first || source == verdict(completed_->value).source) {
    keep_earliest(completed_, stamp, [&] { return std::move(facts); });
  } else if (source == v1::RESULT_SOURCE_DECLARED) {
    completed_.emplace(Told<CompletedFacts>{stamp, std::move(facts)});
  }
  if (event.events_totals || event.logs_totals) {
    const auto accepted = sources_.totals(stamp, {event.events_totals, event.logs_totals});
    for (std::size_t why = 0; accepted.accepted && event.logs_totals && why < counts.log_records_dropped.size(); ++why) {
      const std::uint64_t now = event.logs_totals->drops[why];
      const std::uint64_t before = accepted.before.logs ? accepted.before.logs->drops[why] : 0;
      if (now > before) counts.log_records_dropped[why] = saturating_sum(counts.log_records_dropped[why], now - before);
    }
  }
  if (!first) return;
  const Verdict how = verdict(completed_->value);
  ++counts.runs_finished[static_cast<std::size_t>(how.result)];
  if (how.result == v1::RUN_RESULT_SUCCESS) counts.last_success_s = std::max(counts.last_success_s, seconds(stamp.at_ns));
  if (const auto took = duration()) counts.run_durations_s.push_back(seconds(*took));
}

void RunState::fold(const StatsCommittedView& event, const Stamp&, ConnectorCounts& counts) {
  const auto fold_one = [](std::optional<std::uint64_t>& sum, std::uint64_t& count, const std::optional<std::uint64_t>& part) {
    add(sum, part);
    count = saturating_sum(count, part.value_or(0));
  };
  fold_one(stats_.entities_created, counts.entities_created, event.entities_created);
  fold_one(stats_.entities_updated, counts.entities_updated, event.entities_updated);
  fold_one(stats_.entities_deleted, counts.entities_deleted, event.entities_deleted);
  fold_one(stats_.relationships_created, counts.relationships_created, event.relationships_created);
  fold_one(stats_.relationships_updated, counts.relationships_updated, event.relationships_updated);
  fold_one(stats_.relationships_deleted, counts.relationships_deleted, event.relationships_deleted);
}

void RunState::fold_progress(const ProgressView& event, const Stamp& stamp) {
  const auto numbered = [](const Stamp& one) { return one.sequence != 0 && one.source != Sources::kMaxSources; };
  auto held = std::find_if(progress_.begin(), progress_.end(), [&](const Told<ProgressFacts>& one) {
    return one.stamp.source == stamp.source && numbered(one.stamp) == numbered(stamp);
  });
  if (held == progress_.end()) {
    held = progress_.insert(held, Told<ProgressFacts>{stamp, {}});
  } else {
    const auto order = numbered(stamp) ? stamp.sequence <=> held->stamp.sequence : sources_.compare(stamp, held->stamp);
    const ProgressFacts& facts = held->value;
    const bool later =
        order > 0 ||
        (order == 0 && std::tuple(event.step_id, event.done, event.total, bounded(event.message, kMaxStepTextBytes)) >=
                           std::tuple(std::string_view(facts.step_id), facts.done, facts.total, std::string_view(facts.message)));
    const TimeNs latest_ns = std::max(held->stamp.at_ns, stamp.at_ns);
    if (later) held->stamp = stamp;
    held->stamp.at_ns = latest_ns;
    if (!later) return;
  }
  held->value.step_id = event.step_id;
  held->value.done = event.done;
  held->value.total = event.total;
  held->value.message = bounded(event.message, kMaxStepTextBytes);
}

const Told<RunState::ProgressFacts>* RunState::latest_progress() const {
  const auto latest = std::max_element(progress_.begin(), progress_.end(), [this](const auto& left, const auto& right) {
    return sources_.compare(left.stamp, right.stamp) < 0;
  });
  return latest == progress_.end() ? nullptr : &*latest;
}

RunState::Verdict RunState::verdict(const CompletedFacts& facts) noexcept {
  if (facts.result > v1::RUN_RESULT_UNSPECIFIED && facts.result <= v1::RUN_RESULT_LOST) return {facts.result, v1::RESULT_SOURCE_DECLARED};
  if (facts.signal.value_or(0) != 0) return {v1::RUN_RESULT_ERROR, v1::RESULT_SOURCE_DECLARED};
  if (facts.exit_code) return {*facts.exit_code == 0 ? v1::RUN_RESULT_SUCCESS : v1::RUN_RESULT_FAILURE, v1::RESULT_SOURCE_DECLARED};
  // A result that this release does not know is not taken for success.
  if (facts.result != v1::RUN_RESULT_UNSPECIFIED) return {v1::RUN_RESULT_ERROR, v1::RESULT_SOURCE_INFERRED};
  return {v1::RUN_RESULT_SUCCESS, v1::RESULT_SOURCE_INFERRED};
}

std::optional<DurationNs> RunState::duration(const Step& step) noexcept {
  if (!step.ended) return std::nullopt;
  if (step.ended->value.duration_ns) return step.ended->value.duration_ns;
  if (!step.started || step.ended->stamp.at_ns < step.started->at_ns) return std::nullopt;
  return step.ended->stamp.at_ns - step.started->at_ns;
}

std::optional<DurationNs> RunState::duration() const noexcept {
  if (!completed_) return std::nullopt;
  if (completed_->value.duration_ns) return completed_->value.duration_ns;
  if (!started_ || completed_->stamp.at_ns < started_->stamp.at_ns) return std::nullopt;
  return completed_->stamp.at_ns - started_->stamp.at_ns;
}

}  // namespace runfold::collector

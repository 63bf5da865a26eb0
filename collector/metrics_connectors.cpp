// Keeps the series of each connector, and adds a batch's counts to them.
#include "collector/metrics_connectors.hpp"

#include <initializer_list>
#include <utility>

namespace runfold::collector {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

constexpr std::string_view kOther = "other";
constexpr std::chrono::hours kIdle{24};

// The words of the wire's enums, by number; empty: never counted.
constexpr std::array<std::string_view, 7> kResults{"", "success", "failure", "error", "timeout", "cancelled", "lost"};
constexpr std::array<std::string_view, 8> kSeverities{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};
constexpr std::array<std::string_view, 5> kStreams{"application", "application", "stdout", "stderr", "container_api"};
constexpr std::array<std::string_view, kDropReasons> kReasons{"unknown",  "queue_full", "rate_limited", "delivery_timeout",
                                                              "rejected", "too_large",  "spool_full",   "not_needed"};
constexpr std::array<std::string_view, 6> kCodeClasses{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

const Histogram::BucketBoundaries kRunSeconds{1, 5, 15, 30, 60, 120, 300, 600, 1'800, 3'600, 7'200, 21'600, 86'400};
const Histogram::BucketBoundaries kStepSeconds{0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3'600, 14'400};

Family<Counter>& counter(prometheus::Registry& registry, const char* name, const char* what) {
  return prometheus::BuildCounter().Name(name).Help(what).Register(registry);
}
Family<Gauge>& gauge(prometheus::Registry& registry, const char* name, const char* what) {
  return prometheus::BuildGauge().Name(name).Help(what).Register(registry);
}
Family<Histogram>& histogram(prometheus::Registry& registry, const char* name, const char* what) {
  return prometheus::BuildHistogram().Name(name).Help(what).Register(registry);
}

double value(std::uint64_t count) {
  return static_cast<double>(count);
}

}  // namespace

ConnectorFamilies::ConnectorFamilies(prometheus::Registry& r)
    : runs_started(counter(r, "runfold_runs_started_total", "Runs that started.")),
      runs_finished(counter(r, "runfold_runs_finished_total", "Runs that ended, by result.")),
      runs_active(gauge(r, "runfold_runs_active", "Runs under way.")),
      run_duration(histogram(r, "runfold_run_duration_seconds", "How long runs took that ended.")),
      last_success(gauge(r, "runfold_run_last_success_timestamp_seconds", "When a run last ended with success, Unix time.")),
      steps_completed(counter(r, "runfold_steps_completed_total", "Steps that ended well.")),
      steps_failed(counter(r, "runfold_steps_failed_total", "Steps that ended badly.")),
      step_duration(histogram(r, "runfold_step_duration_seconds", "How long steps took that ended.")),
      entities_emitted(counter(r, "runfold_entities_emitted_total", "Entities that steps emitted.")),
      relationships_emitted(counter(r, "runfold_relationships_emitted_total", "Relationships that steps emitted.")),
      entities_created(counter(r, "runfold_entities_created_total", "Entities that commits created.")),
      entities_updated(counter(r, "runfold_entities_updated_total", "Entities that commits updated.")),
      entities_deleted(counter(r, "runfold_entities_deleted_total", "Entities that commits deleted.")),
      relationships_created(counter(r, "runfold_relationships_created_total", "Relationships that commits created.")),
      relationships_updated(counter(r, "runfold_relationships_updated_total", "Relationships that commits updated.")),
      relationships_deleted(counter(r, "runfold_relationships_deleted_total", "Relationships that commits deleted.")),
      log_records(counter(r, "runfold_log_records_total", "Log records, by severity and stream.")),
      log_records_dropped(counter(r, "runfold_log_records_dropped_total", "Log records that producers say they dropped, by reason.")),
      api_failures(counter(r, "runfold_api_failures_total", "Container API calls that failed, by class of the response code.")) {}

ConnectorSeries::ConnectorSeries(ConnectorFamilies& families, std::string connector)
    : families_(families), labels_{{"connector", std::move(connector)}} {
  add(ConnectorCounts{});
}

prometheus::Labels ConnectorSeries::with(std::string name, std::string value) const {
  prometheus::Labels labels = labels_;
  labels.emplace(std::move(name), std::move(value));
  return labels;
}

void ConnectorSeries::add(const ConnectorCounts& counts) {
  runs_started_.in(families_.runs_started, labels_).Increment(value(counts.runs_started));
  for (std::size_t i = 1; i < kResults.size(); ++i) {
    runs_finished_[i].in(families_.runs_finished, with("result", std::string(kResults[i]))).Increment(value(counts.runs_finished[i]));
  }
  active().Increment(static_cast<double>(counts.runs_active));
  auto& run_duration = run_duration_.in(families_.run_duration, labels_, kRunSeconds);
  for (const double seconds : counts.run_durations_s) run_duration.Observe(seconds);
  if (counts.last_success_s > 0) {
    auto& last = last_success_.in(families_.last_success, labels_);
    if (counts.last_success_s > last.Value()) last.Set(counts.last_success_s);
  }

  steps_completed_.in(families_.steps_completed, labels_).Increment(value(counts.steps_completed));
  steps_failed_.in(families_.steps_failed, labels_).Increment(value(counts.steps_failed));
  auto& step_duration = step_duration_.in(families_.step_duration, labels_, kStepSeconds);
  for (const double seconds : counts.step_durations_s) step_duration.Observe(seconds);

  entities_.in(families_.entities_emitted, labels_).Increment(value(counts.entities));
  relationships_.in(families_.relationships_emitted, labels_).Increment(value(counts.relationships));
  entities_created_.in(families_.entities_created, labels_).Increment(value(counts.entities_created));
  entities_updated_.in(families_.entities_updated, labels_).Increment(value(counts.entities_updated));
  entities_deleted_.in(families_.entities_deleted, labels_).Increment(value(counts.entities_deleted));
  relationships_created_.in(families_.relationships_created, labels_).Increment(value(counts.relationships_created));
  relationships_updated_.in(families_.relationships_updated, labels_).Increment(value(counts.relationships_updated));
  relationships_deleted_.in(families_.relationships_deleted, labels_).Increment(value(counts.relationships_deleted));

  // 58 combinations, few of which a connector ever uses: made when first counted.
  for (std::size_t severity = 0; severity < kSeverities.size(); ++severity) {
    // Unspecified is read as application: one series.
    std::array<std::uint64_t, 5> streams = counts.log_records[severity];
    streams[1] += std::exchange(streams[0], 0);
    for (std::size_t stream = 1; stream < kStreams.size(); ++stream) {
      if (streams[stream] == 0) continue;
      prometheus::Labels labels = with("severity", std::string(kSeverities[severity]));
      labels.emplace("stream", kStreams[stream]);
      log_records_[severity][stream].in(families_.log_records, labels).Increment(value(streams[stream]));
    }
  }
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (counts.log_records_dropped[i] == 0) continue;
    log_records_dropped_[i]
        .in(families_.log_records_dropped, with("reason", std::string(kReasons[i])))
        .Increment(value(counts.log_records_dropped[i]));
  }
  for (std::size_t i = 0; i < kCodeClasses.size(); ++i) {
    const bool usual = i == 0 || i >= 4;  // no response, 4xx, 5xx: alerts are made on these
    if (counts.api_failures[i] == 0 && !usual) continue;
    api_failures_[i].in(families_.api_failures, with("code_class", std::string(kCodeClasses[i]))).Increment(value(counts.api_failures[i]));
  }
}

ConnectorSeries& Connectors::of(std::string_view connector, Time now) {
  if (const auto known = own_.find(connector); known != own_.end()) {
    known->second.last_used = now;
    return *known->second.series;
  }
  // While some that share have runs under way, nobody leaves the shared series: the end of a run must be taken off the gauge
  // that its start was added to.
  const bool may_own = own_.size() < most_ && connector != kOther && (!other_ || other_->active_now() <= 0);
  if (may_own) {
    auto series = std::make_unique<ConnectorSeries>(families_, std::string(connector));
    return *own_.emplace(connector, Entry{std::move(series), now}).first->second.series;
  }
  if (!other_) other_ = std::make_unique<ConnectorSeries>(families_, std::string(kOther));
  return *other_;
}

void Connectors::expire(Time now) {
  std::erase_if(own_, [now](auto& entry) { return now - entry.second.last_used > kIdle && entry.second.series->active_now() <= 0; });
}

}  // namespace runfold::collector

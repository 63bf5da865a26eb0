// Makes the metrics page out of the producer's account.
#include "producer/agent/agent_metrics.hpp"

#include "transport/metrics/exposition.hpp"
#include "transport/metrics/process.hpp"

#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

using ::prometheus::ClientMetric;
using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

MetricFamily counter(const char* name, const char* what) {
  return {name, what, MetricType::Counter, {}};
}

void add(MetricFamily& family, std::vector<ClientMetric::Label> labels, std::uint64_t value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
  family.metric.push_back(std::move(metric));
}

MetricFamily counter(const char* name, const char* what, std::uint64_t value) {
  MetricFamily family = counter(name, what);
  add(family, {}, value);
  return family;
}

MetricFamily gauge(const char* name, const char* what, std::uint64_t value) {
  MetricFamily family{name, what, MetricType::Gauge, {}};
  add(family, {}, value);
  return family;
}

}  // namespace

std::string agent_metrics(const ProducerReport& report, const Jobs& jobs) {
  MetricFamily records =
      counter("runfold_producer_records_total", "Records that are settled: confirmed by Kafka, given up, or not needed.");
  for (const auto& [topic, settled] : report.topics) {
    add(records, {{"topic", topic}, {"outcome", "acknowledged"}}, settled.acknowledged);
    add(records, {{"topic", topic}, {"outcome", "dropped"}}, settled.dropped);
    add(records, {{"topic", topic}, {"outcome", "not_needed"}}, settled.not_needed);
  }
  MetricFamily dropped = counter("runfold_producer_dropped_total", "Records that were given up, by reason.");
  for (const auto reason : drop_reasons()) {
    const auto at = report.dropped.find(std::string(reason));
    add(dropped, {{"reason", std::string(reason)}}, at == report.dropped.end() ? 0 : at->second);
  }
  MetricFamily ends = counter("runfold_agent_job_ends_total", "Jobs that have left, by how.");
  add(ends, {{"end", "completed"}}, jobs.ends().completed);
  add(ends, {{"end", "cancelled"}}, jobs.ends().cancelled);
  add(ends, {{"end", "process_ended"}}, jobs.ends().process_ended);
  add(ends, {{"end", "expired"}}, jobs.ends().expired);
  add(ends, {{"end", "superseded"}}, jobs.ends().superseded);
  MetricFamily build{"runfold_build_info", "The version of this agent; always 1.", MetricType::Gauge, {}};
  add(build, {{"version", RUNFOLD_VERSION}}, 1);

  std::vector<MetricFamily> families{
      std::move(records),
      std::move(dropped),
      gauge("runfold_producer_pending_records", "Records that are neither confirmed nor given up yet.", report.pending),
      counter("runfold_producer_taken_over_total", "Records that earlier producers left in the spool, and Kafka has confirmed since.",
              report.taken_over),
      counter("runfold_producer_inherited_lost_total",
              "Records that earlier producers left in the spool, and that are lost: Kafka refused them.", report.inherited_lost),
      gauge("runfold_spool_bytes", "What this agent has on disk.", report.spool_bytes),
      gauge("runfold_agent_jobs", "Jobs that are registered.", jobs.size()),
      gauge("runfold_agent_jobs_max", "How many may be.", jobs.limits().jobs),
      std::move(ends),
      std::move(build)};
  auto process = metrics::ProcessMetrics().Collect();
  families.insert(families.end(), std::make_move_iterator(process.begin()), std::make_move_iterator(process.end()));
  return metrics::exposition(families);
}

}  // namespace runfold::agent

// Keeps the collector's metrics in a Prometheus registry of its own.
#include "collector/metrics.hpp"

#include "collector/decode.hpp"
#include "collector/metrics_connectors.hpp"
#include "transport/metrics/process.hpp"

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <tuple>

namespace runfold::collector {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries kCommitSeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
const Histogram::BucketBoundaries kFreshnessSeconds{0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1'800, 7'200, 43'200};
const Histogram::BucketBoundaries kDeliverySeconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};

std::string_view outcome_word(sinks::Outcome outcome) {
  switch (outcome) {
    case sinks::Outcome::kDelivered:
      return "delivered";
    case sinks::Outcome::kRetry:
      return "retry";
    case sinks::Outcome::kRejected:
      return "rejected";
  }
  return "unknown";
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

class Metrics::Impl {
 public:
  Impl(std::size_t max_connectors, std::function<Clock::time_point()> now)
      : now_(std::move(now)),
        connectors_(registry_, max_connectors),
        records_(
            counter("runfold_collector_records_total", "Records taken from a topic and committed, duplicates and dead letters included.")),
        bytes_(counter("runfold_collector_bytes_total", "Bytes of the values of those records.")),
        duplicates_(counter("runfold_collector_duplicates_total", "Records seen before, by their sequence number.")),
        lost_(counter("runfold_collector_lost_records_total",
                      "Records that Kafka deleted before they were read; of a topic made anew nobody knows.")),
        losses_(counter("runfold_collector_losses_total", "Times that records of a partition were lost, by reason.")),
        dead_letters_(counter("runfold_collector_dead_letters_total", "Records that could not be folded, by reason.")),
        lag_(gauge("runfold_collector_lag_records", "Records in a partition that are not committed yet.")),
        deliveries_(counter("runfold_sink_deliveries_total", "Records tried by a sink, by outcome.")),
        delivery_duration_(
            BuildHistogram().Name("runfold_sink_delivery_duration_seconds").Help("How long deliveries took.").Register(registry_)),
        outbox_records_(gauge("runfold_outbox_records", "Records that wait for a sink.")),
        outbox_age_(gauge("runfold_outbox_oldest_age_seconds", "Age of the oldest record that waits for a sink.")),
        store_bytes_(gauge("runfold_store_bytes",
                           "What stands in the store: runs and logs as retention counts them, the file, and what is free in it.")),
        removed_(counter("runfold_retention_removed_total", "What retention removed from the store.")),
        retention_failures_(counter("runfold_retention_failures_total", "Steps of retention that failed and are tried again.").Add({})),
        commit_failures_(
            counter("runfold_collector_commit_failures_total", "Commits that failed and were tried again or given up.").Add({})),
        stopped_(gauge("runfold_collector_partitions_stopped", "Partitions that are stopped until an operator decides.").Add({})),
        commit_duration_(BuildHistogram()
                             .Name("runfold_collector_commit_duration_seconds")
                             .Help("How long commits took.")
                             .Register(registry_)
                             .Add({}, kCommitSeconds)),
        freshness_(BuildHistogram()
                       .Name("runfold_collector_freshness_seconds")
                       .Help("From the emission of the oldest record of a batch to the batch being queryable.")
                       .Register(registry_)
                       .Add({}, kFreshnessSeconds)) {
    for (const char* kind : {"runs", "log_records", "api_failures", "api_failure_groups", "operations", "rejected"})
      removed_.Add({{"kind", kind}});
    gauge("runfold_build_info", "The version of this collector; always 1.").Add({{"version", RUNFOLD_VERSION}}).Set(1);
  }

  void set_running(std::span<const std::pair<std::string, std::uint64_t>> by_connector) {
    const std::scoped_lock lock(mutex_);
    for (const auto& [connector, runs] : by_connector) {
      connectors_.of(connector.empty() ? "unknown" : connector, now_()).add_active(static_cast<double>(runs));
    }
  }

  void expect(std::span<const std::string> topics, std::span<const std::string> sinks) {
    for (const std::string& topic : topics) {
      for (auto* family : {&records_, &bytes_, &duplicates_, &lost_}) family->Add({{"topic", topic}});
      for (const char* reason : {"retention", "recreated"}) losses_.Add({{"topic", topic}, {"reason", reason}});
      for (int code = 0; code <= static_cast<int>(DecodeErrc::kLimit); ++code) {
        dead_letters_.Add({{"topic", topic}, {"reason", std::string(reason(static_cast<DecodeErrc>(code)))}});
      }
      dead_letters_.Add({{"topic", topic}, {"reason", "too_large"}});
    }
    for (const std::string& sink : sinks) {
      for (const auto outcome : {sinks::Outcome::kDelivered, sinks::Outcome::kRetry, sinks::Outcome::kRejected}) {
        deliveries_.Add({{"sink", sink}, {"outcome", std::string(outcome_word(outcome))}});
      }
      delivery_duration_.Add({{"sink", sink}}, kDeliverySeconds);
    }
  }

  void committed(const Counts& counts, std::chrono::nanoseconds duration) {
    const std::scoped_lock lock(mutex_);
    const auto now = now_();
    for (const auto& [connector, found] : counts.connectors) connectors_.of(connector, now).add(found);
    connectors_.expire(now);
    for (const auto& [topic, found] : counts.topics) {
      records_.Add({{"topic", topic}}).Increment(static_cast<double>(found.records));
      bytes_.Add({{"topic", topic}}).Increment(static_cast<double>(found.bytes));
      duplicates_.Add({{"topic", topic}}).Increment(static_cast<double>(found.duplicates));
      lost_.Add({{"topic", topic}}).Increment(static_cast<double>(found.lost));
      losses_.Add({{"topic", topic}, {"reason", "retention"}}).Increment(static_cast<double>(found.retention_losses));
      losses_.Add({{"topic", topic}, {"reason", "recreated"}}).Increment(static_cast<double>(found.recreations));
    }
    commit_duration_.Observe(std::chrono::duration<double>(duration).count());
    if (counts.oldest_emitted_ns > 0) {
      const double age_s = unix_seconds() - static_cast<double>(counts.oldest_emitted_ns) / 1e9;
      freshness_.Observe(age_s > 0 ? age_s : 0);  // A producer's clock may be ahead of ours.
    }
  }

  void lag(std::string_view topic, std::int32_t partition, std::int64_t records) {
    const std::scoped_lock lock(mutex_);
    auto& series = lags_[{std::string(topic), partition}];
    series.in(lag_, {{"topic", std::string(topic)}, {"partition", std::to_string(partition)}}).Set(static_cast<double>(records));
  }

  void lag_gone(std::string_view topic, std::int32_t partition) {
    const std::scoped_lock lock(mutex_);
    lags_.erase({std::string(topic), partition});
  }

  void partitions_stopped(std::size_t partitions) { stopped_.Set(static_cast<double>(partitions)); }

  void dead_letter(std::string_view topic, std::string_view reason) {
    dead_letters_.Add({{"topic", std::string(topic)}, {"reason", std::string(reason)}}).Increment();
  }

  void removed(std::string_view kind, std::uint64_t count) {
    removed_.Add({{"kind", std::string(kind)}}).Increment(static_cast<double>(count));
  }

  void store_bytes(std::string_view kind, std::uint64_t bytes) {
    store_bytes_.Add({{"kind", std::string(kind)}}).Set(static_cast<double>(bytes));
  }

  void retention_failed() { retention_failures_.Increment(); }

  void commit_failed() { commit_failures_.Increment(); }

  void delivered(const std::string& sink, sinks::Outcome outcome, double seconds) {
    deliveries_.Add({{"sink", sink}, {"outcome", std::string(outcome_word(outcome))}}).Increment();
    delivery_duration_.Add({{"sink", sink}}, kDeliverySeconds).Observe(seconds);
  }

  void backlog(const std::string& sink, std::uint64_t records, std::chrono::milliseconds oldest_age) {
    outbox_records_.Add({{"sink", sink}}).Set(static_cast<double>(records));
    outbox_age_.Add({{"sink", sink}}).Set(std::chrono::duration<double>(oldest_age).count());
  }

  std::string text() {
    {
      const std::scoped_lock lock(mutex_);
      connectors_.expire(now_());  // also while nothing is committed
    }
    auto families = registry_.Collect();
    for (auto& family : process_.Collect()) families.push_back(std::move(family));
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, families);
    return std::move(out).str();
  }

 private:
  Family<Counter>& counter(const char* name, const char* what) { return BuildCounter().Name(name).Help(what).Register(registry_); }
  Family<Gauge>& gauge(const char* name, const char* what) { return BuildGauge().Name(name).Help(what).Register(registry_); }

  std::function<Clock::time_point()> now_;
  std::mutex mutex_;
  prometheus::Registry registry_;
  runfold::metrics::ProcessMetrics process_;
  Connectors connectors_;
  Family<Counter>&records_, &bytes_, &duplicates_, &lost_, &losses_, &dead_letters_;
  Family<Gauge>& lag_;
  Family<Counter>& deliveries_;
  Family<Histogram>& delivery_duration_;
  Family<Gauge>&outbox_records_, &outbox_age_;
  Family<Gauge>& store_bytes_;
  Family<Counter>& removed_;
  Counter& retention_failures_;
  Counter& commit_failures_;
  Gauge& stopped_;
  Histogram &commit_duration_, &freshness_;
  std::map<std::pair<std::string, std::int32_t>, Series<Gauge>> lags_;
};

Metrics::Metrics(std::size_t max_connectors, std::function<Clock::time_point()> now)
    : impl_(std::make_unique<Impl>(max_connectors, std::move(now))) {}
Metrics::~Metrics() = default;

void Metrics::set_running(std::span<const std::pair<std::string, std::uint64_t>> by_connector) {
  impl_->set_running(by_connector);
}
void Metrics::expect(std::span<const std::string> topics, std::span<const std::string> sinks) {
  impl_->expect(topics, sinks);
}
void Metrics::committed(const Counts& counts, std::chrono::nanoseconds duration) {
  impl_->committed(counts, duration);
}
void Metrics::commit_failed(std::string_view) {
  impl_->commit_failed();
}
void Metrics::dead_letter(std::string_view topic, std::string_view reason) {
  impl_->dead_letter(topic, reason);
}
void Metrics::lag(std::string_view topic, std::int32_t partition, std::int64_t records) {
  impl_->lag(topic, partition, records);
}
void Metrics::lag_gone(std::string_view topic, std::int32_t partition) {
  impl_->lag_gone(topic, partition);
}
void Metrics::removed(std::string_view kind, std::uint64_t count) {
  impl_->removed(kind, count);
}
void Metrics::store_bytes(std::string_view kind, std::uint64_t bytes) {
  impl_->store_bytes(kind, bytes);
}
void Metrics::retention_failed() {
  impl_->retention_failed();
}
void Metrics::partitions_stopped(std::size_t partitions) {
  impl_->partitions_stopped(partitions);
}
void Metrics::delivered(const std::string& sink, sinks::Outcome outcome, double seconds) {
  impl_->delivered(sink, outcome, seconds);
}
void Metrics::backlog(const std::string& sink, std::uint64_t records, std::chrono::milliseconds oldest_age) {
  impl_->backlog(sink, records, oldest_age);
}
std::string Metrics::text() {
  return impl_->text();
}

}  // namespace runfold::collector

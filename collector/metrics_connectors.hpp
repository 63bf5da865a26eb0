// The series that carry a connector label: resolved once a connector, bounded in number.
#pragma once

#include "collector/counts.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace runfold::collector {

/// All families with a connector label.
struct ConnectorFamilies {
  explicit ConnectorFamilies(prometheus::Registry& registry);

  prometheus::Family<prometheus::Counter>& runs_started;
  prometheus::Family<prometheus::Counter>& runs_finished;
  prometheus::Family<prometheus::Gauge>& runs_active;
  prometheus::Family<prometheus::Histogram>& run_duration;
  prometheus::Family<prometheus::Gauge>& last_success;
  prometheus::Family<prometheus::Counter>& steps_completed;
  prometheus::Family<prometheus::Counter>& steps_failed;
  prometheus::Family<prometheus::Histogram>& step_duration;
  prometheus::Family<prometheus::Counter>& entities_emitted;
  prometheus::Family<prometheus::Counter>& relationships_emitted;
  prometheus::Family<prometheus::Counter>& entities_created;
  prometheus::Family<prometheus::Counter>& entities_updated;
  prometheus::Family<prometheus::Counter>& entities_deleted;
  prometheus::Family<prometheus::Counter>& relationships_created;
  prometheus::Family<prometheus::Counter>& relationships_updated;
  prometheus::Family<prometheus::Counter>& relationships_deleted;
  prometheus::Family<prometheus::Counter>& log_records;
  prometheus::Family<prometheus::Counter>& log_records_dropped;
  prometheus::Family<prometheus::Counter>& api_failures;
};

/// One metric of a family, made when it is first needed and given back when its owner goes.
template <class Metric>
class Series {
 public:
  Series() = default;
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;
  ~Series() {
    if (metric_ != nullptr) family_->Remove(metric_);
  }

  template <class... Arguments>
  Metric& in(prometheus::Family<Metric>& family, const prometheus::Labels& labels, Arguments&&... arguments) {
    if (metric_ == nullptr) {
      family_ = &family;
      metric_ = &family.Add(labels, arguments...);
    }
    return *metric_;
  }

 private:
  prometheus::Family<Metric>* family_ = nullptr;
  Metric* metric_ = nullptr;
};

/// One connector's series. Those whose labels are known from the start exist at zero from the start.
class ConnectorSeries {
 public:
  ConnectorSeries(ConnectorFamilies& families, std::string connector);

  void add(const ConnectorCounts& counts);
  void add_active(double runs) { active().Increment(runs); }
  [[nodiscard]] double active_now() { return active().Value(); }

 private:
  [[nodiscard]] prometheus::Gauge& active() { return runs_active_.in(families_.runs_active, labels_); }
  [[nodiscard]] prometheus::Labels with(std::string name, std::string value) const;

  ConnectorFamilies& families_;
  prometheus::Labels labels_;
  Series<prometheus::Counter> runs_started_;
  std::array<Series<prometheus::Counter>, 7> runs_finished_;
  Series<prometheus::Gauge> runs_active_;
  Series<prometheus::Histogram> run_duration_;
  Series<prometheus::Gauge> last_success_;
  Series<prometheus::Counter> steps_completed_, steps_failed_;
  Series<prometheus::Histogram> step_duration_;
  Series<prometheus::Counter> entities_, relationships_;
  Series<prometheus::Counter> entities_created_, entities_updated_, entities_deleted_;
  Series<prometheus::Counter> relationships_created_, relationships_updated_, relationships_deleted_;
  std::array<std::array<Series<prometheus::Counter>, 5>, 8> log_records_;
  std::array<Series<prometheus::Counter>, kDropReasons> log_records_dropped_;
  std::array<Series<prometheus::Counter>, 6> api_failures_;
};

/// The series of all connectors, at most so many, and those that the rest share.
///
/// Not thread-safe: its owner locks.
class Connectors {
 public:
  using Time = std::chrono::steady_clock::time_point;
  Connectors(prometheus::Registry& registry, std::size_t most) : families_(registry), most_(most) {}

  /// The connector's own series, or the shared ones when there are too many.
  [[nodiscard]] ConnectorSeries& of(std::string_view connector, Time now);
  /// Gives up the series of connectors that were idle for a day and run nothing.
  void expire(Time now);

 private:
  struct Entry {
    std::unique_ptr<ConnectorSeries> series;
    Time last_used;
  };
  ConnectorFamilies families_;
  std::size_t most_;
  std::map<std::string, Entry, std::less<>> own_;
  std::unique_ptr<ConnectorSeries> other_;
};

}  // namespace runfold::collector

// The collector's metrics, as Prometheus scrapes them.
#pragma once

#include "collector/observer.hpp"
#include "sinks/observer.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::collector {

/// Counts what was committed and delivered, and renders it in Prometheus' text format.
///
/// Label values are bounded: at most `max_connectors` connectors have series of their own, the others share
/// connector="other"; a connector that nothing is heard of for a day, and that runs nothing, gives its series up. A run id is
/// never a label.
/// Thread: any.
class Metrics final : public Observer, public sinks::SinkObserver {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Metrics(std::size_t max_connectors, std::function<Clock::time_point()> now = Clock::now);
  ~Metrics() override;

  /// What the store knew to be running at start, by connector.
  void set_running(std::span<const std::pair<std::string, std::uint64_t>> by_connector);

  /// Shows what is counted by topic, dead-letter reason and sink from now on, at zero: a rate or an alert then sees the first one.
  void expect(std::span<const std::string> topics, std::span<const std::string> sinks);

  void committed(const Counts& counts, std::chrono::nanoseconds duration) override;
  void commit_failed(std::string_view reason) override;
  void dead_letter(std::string_view topic, std::string_view reason) override;
  void lag(std::string_view topic, std::int32_t partition, std::int64_t records) override;
  void lag_gone(std::string_view topic, std::int32_t partition) override;
  void removed(std::string_view kind, std::uint64_t count) override;
  void store_bytes(std::string_view kind, std::uint64_t bytes) override;
  void retention_failed() override;
  void partitions_stopped(std::size_t partitions) override;

  void delivered(const std::string& sink, sinks::Outcome outcome, double seconds) override;
  void backlog(const std::string& sink, std::uint64_t records, std::chrono::milliseconds oldest_age) override;

  /// Everything, for /metrics; content type "text/plain; version=0.0.4".
  [[nodiscard]] std::string text();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runfold::collector

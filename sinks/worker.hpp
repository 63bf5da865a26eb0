// Drains one sink's outbox: what is due is delivered and judged, what fails is tried again later.
#pragma once

#include "sinks/backoff.hpp"
#include "sinks/observer.hpp"
#include "sinks/sink.hpp"
#include "sinks/trouble.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>

namespace runfold::sinks {

struct WorkerOptions {
  /// Records handed to the sink at a time.
  std::size_t batch = 100;
  /// How long a record that failed waits. What the receiver asks for counts when it is longer, up to an hour.
  Backoff record;
  /// How long the sink rests after a delivery in which nothing got through, or whose rest was not tried.
  Backoff rest{std::chrono::milliseconds(1'000), std::chrono::milliseconds(30'000)};
  /// How long a verdict that cannot be written waits before it is written again. Nothing is delivered meanwhile.
  Backoff store{std::chrono::milliseconds(200), std::chrono::milliseconds(10'000)};
  /// How often the backlog is told again while records wait: its age grows by itself.
  std::chrono::milliseconds backlog_interval{15'000};
  /// How long stop() lets a delivery under way finish.
  std::chrono::milliseconds stop_limit{3'000};
};

/// One sink, its outbox, and the loop between them.
///
/// It sleeps until notify(), the next record is due, or stop(). The outbox is called on a thread of the worker's own, since
/// its calls wait for the disk. A record is delivered again only when it was judged kRetry, or when the process ended between
/// delivery and verdict.
/// Thread: the executor's, which runs one thing at a time.
class OutboxWorker {
 public:
  [[nodiscard]] static std::unique_ptr<OutboxWorker> create(boost::asio::any_io_executor executor, std::unique_ptr<Sink> sink,
                                                            std::unique_ptr<Outbox> outbox, WorkerOptions options, SinkObserver& observer,
                                                            Log log);
  /// Precondition: run() has completed, or was never called.
  virtual ~OutboxWorker() = default;

  /// Delivers until stop(), then completes. Call it once.
  [[nodiscard]] virtual boost::asio::awaitable<void> run() = 0;

  /// New records may be in the outbox. Thread: any.
  virtual void notify() noexcept = 0;

  /// Ends run(): a delivery under way may finish within the stop limit, is cancelled then, and what is known of it is judged
  /// once. What remains waits in the outbox for the next start. Thread: any.
  virtual void stop() noexcept = 0;
};

}  // namespace runfold::sinks

// The pipeline: consume > decode > fold > commit, one consumer, one strand, one store writer.
#pragma once

#include "collector/health.hpp"
#include "collector/liveness.hpp"
#include "collector/observer.hpp"
#include "collector/store/store.hpp"
#include "sinks/sink.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/topics.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// A sink that derived records are queued for.
struct Route {
  std::string sink;
  std::vector<sinks::Kind> kinds;
};

struct PipelineOptions {
  kafka::Properties kafka;
  kafka::TopicNames topics;
  std::string group = "runfold-collector";
  std::vector<Route> routes;

  /// A transaction is made when this much time has passed since the first change it holds, ...
  std::chrono::milliseconds commit_interval{200};
  /// ... when this many rows are dirty, ...
  std::size_t commit_rows = 10'000;
  /// ... or when it holds about this much: log text, rows and dead letters.
  std::size_t commit_bytes = 16 * 1024 * 1024;
  /// Bounds on the runs held in memory between transactions, and on the state of their logs each. Finished ones leave; of the
  /// others the longest unheard-of is dropped, and loaded again when it is heard of.
  std::size_t runs_in_memory = 20'000;
  std::size_t run_memory_bytes = 128 * 1024 * 1024;
  /// What the store keeps. The rest is removed beside the commits.
  Retention retention;
  /// How long retention rests when there was nothing to do, and at least between two steps.
  std::chrono::milliseconds retention_rest{10'000};
  std::chrono::milliseconds retention_pause{20};
  /// A larger record goes to the dead letters unread.
  std::size_t record_bytes = 4 * 1024 * 1024;
  /// Records that Kafka no longer has are recorded as lost and gone on behind; else their partition is stopped.
  bool continue_on_data_loss = false;
  /// A refusal by Kafka that is not told again for this long counts as over.
  std::chrono::milliseconds refusal_passes{60'000};

  /// When silence ends a run, and how often the overdue are looked for.
  LivenessLimits liveness;
  std::chrono::milliseconds silence_interval{1'000};
  /// The time of day; tests give their own.
  std::function<TimeNs()> wall_clock = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
};

/// How the Kafka clients of a pipeline are made; tests give their own.
struct KafkaClients {
  std::function<kafka::Result<std::unique_ptr<kafka::Consumer>>(boost::asio::any_io_executor, const kafka::Properties&, std::string group,
                                                                std::vector<std::string> topics, kafka::ConsumerEvents)>
      consumer = kafka::Consumer::create;
  /// For the dead letters.
  std::function<kafka::Result<std::unique_ptr<kafka::Producer>>(const kafka::Properties&, kafka::Producer::OnDelivery)> producer =
      [](const kafka::Properties& properties, kafka::Producer::OnDelivery on_delivery) {
        return kafka::Producer::create(properties, std::move(on_delivery));
      };
};

/// Takes records from Kafka until stopped, and leaves them folded in the store, each exactly once.
///
/// Thread: `context` is run by one thread, the pipeline's; commits are made, and rows loaded, by threads of their own.
class Pipeline {
 public:
  /// Log lines for an operator: severity is syslog's, 0 to 7.
  using Log = std::function<void(int severity, std::string_view message)>;

  [[nodiscard]] static std::unique_ptr<Pipeline> create(boost::asio::io_context& context, PipelineOptions options,
                                                        std::unique_ptr<Writer> writer, std::unique_ptr<RunReader> reader,
                                                        Observer& observer, Health& health, Log log,
                                                        /// Runs after each commit that wrote outbox rows, on the writer's thread.
                                                        std::function<void()> outbox_grew, KafkaClients clients = {});
  virtual ~Pipeline() = default;

  /// Completes when stop() has been called and everything folded so far is committed: true. False, after a log line that
  /// says why: going on makes no sense, or the last batch could not be committed in time (the next start folds it again).
  /// Call it once; end it by stop(), not by cancelling it.
  [[nodiscard]] virtual boost::asio::awaitable<bool> run() = 0;

  /// Stops fetching, commits, leaves the group. Thread: any.
  virtual void stop() = 0;
};

}  // namespace runfold::collector

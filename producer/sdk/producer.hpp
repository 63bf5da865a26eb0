// Producer: how a C++ connector speaks to Runfold.
#pragma once

#include "producer/sdk/run.hpp"
#include "producer/sdk/settings.hpp"
#include "transport/kafka/producer.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace runfold {

/// What became of everything a producer was handed.
/// emitted == acknowledged + pending + kept + the sum of dropped, at any moment; after close() nothing is pending.
struct ProducerReport {
  std::uint64_t emitted = 0;                     ///< records handed over for runs: events (heartbeats too) and log records
  std::uint64_t acknowledged = 0;                ///< of those, what Kafka has confirmed
  std::uint64_t pending = 0;                     ///< neither confirmed nor given up yet; debug records that are held back, too
  std::uint64_t kept = 0;                        ///< left in the spool when this producer closed: the next one sends it
  std::map<std::string, std::uint64_t> dropped;  ///< given up, by reason: queue_full, rate_limited, delivery_timeout, rejected, too_large,
                                                 ///< spool_full, late (handed over after the run or the producer had ended);
                                                 ///< and not_needed, which is no loss (see DebugRecords)

  /// What was settled of one topic.
  struct Topic {
    std::uint64_t acknowledged = 0;
    std::uint64_t dropped = 0;     ///< lost
    std::uint64_t not_needed = 0;  ///< no loss
  };
  std::map<std::string, Topic> topics;  ///< by name: the topics of events and of logs

  std::uint64_t taken_over = 0;      ///< no part of emitted: left in the spool by earlier producers, sent and confirmed
  std::uint64_t inherited_lost = 0;  ///< no part of emitted either: left there by earlier producers, and refused by Kafka
  std::uint64_t spool_bytes = 0;     ///< what this producer has on disk
};

/// How much did not reach Kafka and why: "3 of 240 SAID (delivery_timeout 3)", `said` being what is told of them, for example
/// "records did not reach Kafka". Absent: Kafka has confirmed all that was needed, or the spool keeps it.
[[nodiscard]] std::optional<std::string> what_was_lost(const ProducerReport& report, std::string_view said);

/// All that there is to say once a producer has closed, a sentence each: what the spool keeps, what of earlier producers' records in
/// it was lost, and what was lost of its own. `records` names those: "records of run R". Empty: all arrived.
[[nodiscard]] std::vector<std::string> what_did_not_arrive(const ProducerReport& report, const Settings& settings,
                                                           const std::string& records);

/// Every reason that a report may name, but not_needed.
[[nodiscard]] std::vector<std::string_view> drop_reasons();

/// Sends the events and logs of runs to Kafka, from a thread of its own.
///
/// No call here waits for Kafka, and none fails because of it: what cannot be sent is dropped in the order that Settings
/// states, counted, and reported in the run's Completed event. One producer serves any number of runs.
/// Destroy it before main() returns. A Kafka client that cannot be ended at once, as it looks up a name, say, keeps the process's end
/// waiting, 2 s at most.
/// Thread: any. Not fork-safe: fork before making one.
class Producer {
 public:
  /// Returns at once, whether Kafka answers or not.
  /// Errors: kInvalid, for settings that can never work.
  [[nodiscard]] static kafka::Result<std::unique_ptr<Producer>> create(Settings settings);

  /// Makes the Kafka client that records are handed to; called again when one broke. For tests, and for clients of one's own.
  using ClientFactory =
      std::function<kafka::Result<std::unique_ptr<kafka::Producer>>(kafka::Producer::OnDelivery, kafka::Producer::OnError)>;
  [[nodiscard]] static kafka::Result<std::unique_ptr<Producer>> create(Settings settings, ClientFactory make_client);

  /// Closes with a limit of 5 s.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Starts a run: emits Started. See RunOptions for what may be left out.
  [[nodiscard]] Run start_run(RunOptions options = {});

  /// Runs `body(Run&)` as a run, with the run as this thread's context, and returns what it returns. An exception fails the run
  /// with its text (see error_text) and passes on.
  template <class Body>
  std::invoke_result_t<Body, Run&> run(RunOptions options, Body&& body) {
    Run under_way = start_run(std::move(options));
    try {
      const Context::Scope inside(under_way.context());
      return std::forward<Body>(body)(under_way);
    } catch (...) {
      under_way.fail_as(std::current_exception());
      throw;
    }
  }

  /// Waits until all is accounted for, or the limit has passed; then leaves the rest in the spool, or drops it as
  /// delivery_timeout, and stops.
  /// A second call does nothing.
  ProducerReport close(std::chrono::milliseconds limit);
  /// Begins what close() does, with its limit, and does not wait for it: nothing more is taken in, and what is gathered leaves at
  /// once. For programs that have something else to wait for, or cannot say yet how long they will; close() ends it.
  void begin_close(std::chrono::milliseconds limit);

  [[nodiscard]] ProducerReport report() const;
  /// What it was made with.
  [[nodiscard]] const Settings& settings() const noexcept;

  /// Waits until `enough` says so of a report, looked at each time Kafka has answered for something or could not be reached;
  /// false when it did not within the limit. For programs that end soon after they began; a connector has no need of it.
  [[nodiscard]] bool wait(const std::function<bool(const ProducerReport&)>& enough, std::chrono::milliseconds limit);

 private:
  class Impl;
  explicit Producer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
  friend class Run;
};

}  // namespace runfold

// Run: one execution of a connector, from Started to Completed.
#pragma once

#include "producer/sdk/context.hpp"
#include "producer/sdk/logger.hpp"
#include "producer/sdk/step.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace runfold {

/// Told of a run's events. See RunOptions.
using EventSubscriber = std::function<void(const v1::SyncEvent&)>;

struct RunOptions {
  /// Empty: RUNFOLD_RUN_ID, or else a new random UUID.
  std::string run_id = {};
  /// 0: RUNFOLD_ATTEMPT, or else 1.
  std::uint32_t attempt = 0;
  /// Empty: the span that this thread is in (see Context), or else TRACEPARENT, or else a new trace.
  std::string traceparent = {};
  /// What runs, which release of it, and for which site. No connector_id: all three are the producer's (see Settings). For a
  /// producer that speaks for others.
  std::string connector_id = {};
  std::string version = {};
  std::string site = {};
  /// The connector's OS process; absent: this one; 0: unknown.
  std::optional<std::uint64_t> os_pid = {};
  /// The account the connector runs for.
  std::string account = {};
  /// How often Started promises to be heard of; absent: Settings::heartbeat_interval; 0: it promises nothing.
  std::optional<std::chrono::milliseconds> heartbeat_interval = {};
  /// False: whoever speaks for the run keeps that promise itself, and the producer sends no heartbeats of its own.
  bool sends_heartbeats = true;
  /// The run was started elsewhere, and is only spoken of here: no Started is emitted, and leaving scope does not end it.
  /// A Completed says no duration unless it is given one. Set heartbeat_interval to 0 with it.
  bool joined = false;
  /// Absent: it starts now. Else another producer started it then and has ended, and the run goes on here: `traceparent` is its own
  /// span, durations count from then, and Started is told once more, as of then (of several the collector counts one).
  std::optional<std::chrono::system_clock::time_point> started_at = {};
  /// Told of each event of the run once it has been handed over, whether there is a Kafka or not, and what became of it there.
  /// The event is as others will read it, but for what is known only later (sequence, totals) and but for heartbeats.
  /// Thread: the one that emits, which waits for it; several at once when several emit. It may log, but not emit for the same
  /// run. One that has much to do posts a copy to a queue of its own. Should it throw, one WARN line on stderr says what, and
  /// it is not called again.
  EventSubscriber on_event = {};
};

/// How a run ended.
struct RunEnd {
  v1::RunResult result = v1::RUN_RESULT_SUCCESS;
  std::optional<int> exit_code = {};
  std::optional<int> signal = {};
  std::string error = {};
  /// When that was; absent: now.
  std::optional<std::chrono::steady_clock::time_point> ended_at = {};
};

/// A run under way. Leaving scope without finish() ends it: as failed when an exception is in flight, as success otherwise;
/// unless it was joined. What that exception says, a destructor cannot ask ("unwound by an exception"); Producer::run() knows.
///
/// Thread: any; the object is a handle and moves, not copies. Steps and loggers keep what they need and may outlive it,
/// but what they emit after finish() is dropped and counted (as late). When the producer is off, emit() and log() do
/// nothing and return true, and the run's end is told to the agent alone that began the run, if there is one (emit() of a
/// Completed: false when that agent certainly did not take it). An agent that does not answer is waited for, 2 s, and 10 s when the
/// producer is off.
class Run {
 public:
  Run(Run&&) noexcept;
  Run& operator=(Run&&) noexcept;
  ~Run();

  [[nodiscard]] const std::string& run_id() const noexcept;
  [[nodiscard]] std::uint32_t attempt() const noexcept;
  /// As others read them: of a name that holds a secret or is too long they read another one.
  [[nodiscard]] const std::string& connector_id() const noexcept;
  [[nodiscard]] const std::string& version() const noexcept;
  [[nodiscard]] const std::string& site() const noexcept;
  /// The run's own span, to hand to what it calls: "00-<trace-id>-<span-id>-<flags>".
  [[nodiscard]] const std::string& traceparent() const noexcept;

  /// Starts a step: emits StepStarted. A name used before is a further attempt of that step.
  [[nodiscard]] Step step(std::string_view step_id);

  /// Runs `body(Step&)` as a step, with the step as this thread's context, and returns what it returns. An exception fails the
  /// step with its text (see error_text) and passes on.
  template <class Body>
  std::invoke_result_t<Body, Step&> step(std::string_view step_id, Body&& body) {
    Step under_way = step(step_id);
    try {
      const Context::Scope inside(under_way.context());
      return std::forward<Body>(body)(under_way);
    } catch (...) {
      under_way.fail_as(std::current_exception());
      throw;
    }
  }

  /// To be handed to threads that work for this run.
  [[nodiscard]] Context context() const;
  /// The run's logger. Prints to stderr in the fixed format as well.
  [[nodiscard]] Logger& logger() noexcept;

  void heartbeat();
  void progress(std::string_view step_id, std::uint64_t done, std::optional<std::uint64_t> total = {}, std::string_view message = {});
  void stats_committed(const v1::SyncStats& stats);

  /// Emits an event as it stands; identity and sequence are filled in, occurred_at and trace when absent. A Completed
  /// ends the run like finish(). Returns false when it was dropped.
  bool emit(const v1::SyncEvent& event);
  /// Sends a log record as it stands, without printing it; logged_at, and the step that this thread is in, are filled in when absent.
  /// Returns false when it was dropped.
  bool log(const v1::LogRecord& record);

  /// Ends the run: emits Completed with the producer's totals. A second call does nothing.
  void finish(const RunEnd& end);
  [[nodiscard]] bool finished() const noexcept;

  /// Lets go of a run whose end is not known here: it is not ended, neither now nor by leaving scope. The handle is empty then.
  void abandon() noexcept;

 private:
  class Impl;
  explicit Run(std::shared_ptr<Impl> impl);
  void fail_as(const std::exception_ptr& error);
  std::shared_ptr<Impl> impl_;
  int exceptions_at_start_ = 0;
  friend class Producer;
};

}  // namespace runfold

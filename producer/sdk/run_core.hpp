// What a run's handles share: Run, its Steps and its Loggers.
#pragma once

#include "producer/delivery/delivery.hpp"
#include "producer/sdk/place.hpp"
#include "producer/sdk/run.hpp"
#include "producer/sdk/site_limits.hpp"
#include "producer/sdk/surrounding_agent.hpp"
#include "producer/sdk/trace_context.hpp"
#include "runfold/v1/event.pb.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>

namespace runfold {

/// One run as its handles see it. Lives until the last of them goes; then delivery may forget the run.
///
/// Thread: any.
class RunCore {
 public:
  struct About {
    delivery::RunDescription description;
    Span span;
    /// Started elsewhere: see RunOptions.
    bool joined = false;
    /// How long ago it was started, when that was elsewhere.
    std::chrono::steady_clock::duration since_start{0};
    /// Whoever began the run and ends it, in whose process's child this is.
    std::optional<SurroundingAgent> agent = {};
    EventSubscriber on_event = {};
    SiteRate site_rate = {};
    /// Not null.
    std::shared_ptr<const redact::Redactor> redactor = {};
  };

  /// `delivery` is null when the producer is off.
  RunCore(std::shared_ptr<delivery::Delivery> delivery, About about);
  ~RunCore();
  RunCore(const RunCore&) = delete;
  RunCore& operator=(const RunCore&) = delete;

  [[nodiscard]] const delivery::RunDescription& description() const noexcept { return about_.description; }
  [[nodiscard]] const std::string& run_id() const noexcept { return about_.description.run_id; }
  [[nodiscard]] std::uint32_t attempt() const noexcept { return about_.description.attempt; }
  [[nodiscard]] const std::string& traceparent() const noexcept { return about_.description.traceparent; }
  [[nodiscard]] const Span& span() const noexcept { return about_.span; }
  [[nodiscard]] const std::string& tracestate() const noexcept { return about_.description.tracestate; }
  [[nodiscard]] const redact::Redactor& redactor() const noexcept { return *about_.redactor; }
  [[nodiscard]] bool joined() const noexcept { return about_.joined; }
  [[nodiscard]] std::chrono::steady_clock::time_point started() const noexcept { return started_; }
  [[nodiscard]] bool finished() const noexcept { return finished_.load(std::memory_order_acquire); }

  /// Which try of the step a new one is, from 1.
  [[nodiscard]] std::uint32_t next_attempt(const std::string& step_id);

  /// Tells of the beginning: Kafka too, unless an agent has done so.
  void start(v1::SyncEvent started);
  /// Hands the event over, to Kafka and then to the subscriber, with the time and the trace if it has none of its own
  /// (`traceparent` empty: the span that this thread is in, or else the run's own).
  bool emit(const v1::SyncEvent& event, std::string_view traceparent = {});
  /// With the step that this thread is in if it names none.
  bool log(const v1::LogRecord& record);
  bool log(delivery::LogView record);
  /// Whether a line of this call site goes to the log topic. Counts one that does not as rate_limited.
  [[nodiscard]] SiteLimits::Verdict judge(const std::source_location& site);
  [[nodiscard]] const SiteRate& site_rate() const noexcept { return about_.site_rate; }
  /// Emits Completed, with the run's duration unless it has one. False when the run had ended before, or nobody took it.
  bool finish(v1::SyncEvent completed);

 private:
  /// Who tells Kafka of the end: the agent, unless it certainly has not got it.
  [[nodiscard]] delivery::ToldBy tell_agent(const v1::SyncEvent& completed) const;
  void fill(v1::SyncEvent& event, std::string_view traceparent) const;
  /// Where this thread is, if in this run.
  [[nodiscard]] const Place* here() const noexcept;
  /// Of the step that this thread is in; empty: the run's own.
  [[nodiscard]] std::string_view span_here() const noexcept;
  /// By the system's clock. Unit: nanoseconds since the epoch.
  [[nodiscard]] std::int64_t now_ns() const noexcept;
  bool emit_any(const v1::SyncEvent& event, std::string_view traceparent);
  void tell(v1::SyncEvent event) noexcept;

  const About about_;
  const std::shared_ptr<delivery::Delivery> delivery_;
  delivery::RunAccount* const account_;
  /// There is a Kafka, and no subscriber.
  const bool straight_;
  /// At hand with the rest of this: a call by name would have to fetch the linker's two tables first, of which nothing else here is needed.
  int (*const read_clock_)(clockid_t, timespec*) = &::clock_gettime;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now() - about_.since_start;
  std::atomic<bool> finished_{false};
  SiteLimits site_limits_;
  /// The subscriber threw: it is not called again.
  std::atomic<bool> unsubscribed_{false};
  std::mutex mutex_;
  std::map<std::string, std::uint32_t> step_attempts_;
};

/// Behind Run. Its logger holds the core too, and may outlive it.
class Run::Impl {
 public:
  explicit Impl(std::shared_ptr<RunCore> run_core);
  const std::shared_ptr<RunCore> core;
  const std::shared_ptr<const Place> place;
  Logger logger;
};

/// What is said of a run or step that ended by an exception in its destructor, which cannot ask what the exception says.
inline constexpr std::string_view kUnwound = "unwound by an exception";

void set_duration(google::protobuf::Duration& out, std::chrono::steady_clock::duration duration);
void set_time(google::protobuf::Timestamp& out, std::chrono::system_clock::time_point at);
[[nodiscard]] std::int64_t since_epoch_ns(std::chrono::system_clock::time_point at) noexcept;

}  // namespace runfold

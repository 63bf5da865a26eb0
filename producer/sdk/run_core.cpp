// Filling in what the caller left out, and handing over.
#include "producer/sdk/run_core.hpp"

#include "producer/redact/records.hpp"
#include "producer/sdk/error_text.hpp"
#include "producer/sdk/line.hpp"

#include <ctime>
#include <exception>
#include <utility>

namespace runfold {
namespace {

/// Step names of one run whose attempts are counted.
constexpr std::size_t kMaxStepNames = 10'000;
/// How long an end waits for an agent that is being started again: where this process can tell it too, and where nobody else can.
constexpr std::chrono::seconds kAgentPatience{2};
constexpr std::chrono::seconds kLastPatience{10};

}  // namespace

std::int64_t since_epoch_ns(std::chrono::system_clock::time_point at) noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count();
}

void set_time(google::protobuf::Timestamp& out, std::chrono::system_clock::time_point at) {
  const auto ns = since_epoch_ns(at);
  out.set_seconds(ns / 1'000'000'000);
  out.set_nanos(static_cast<std::int32_t>(ns % 1'000'000'000));
}

void set_duration(google::protobuf::Duration& out, std::chrono::steady_clock::duration duration) {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  out.set_seconds(ns / 1'000'000'000);
  out.set_nanos(static_cast<std::int32_t>(ns % 1'000'000'000));
}

RunCore::RunCore(std::shared_ptr<delivery::Delivery> delivery, About about)
    : about_(std::move(about)),
      delivery_(std::move(delivery)),
      account_(delivery_ ? &delivery_->open_run(about_.description) : nullptr),
      straight_(account_ != nullptr && !about_.on_event),
      site_limits_(about_.site_rate) {}

RunCore::~RunCore() {
  if (account_ != nullptr) delivery_->release_run(*account_);
}

std::uint32_t RunCore::next_attempt(const std::string& step_id) {
  const std::lock_guard lock(mutex_);
  const auto at = step_attempts_.find(step_id);
  if (at != step_attempts_.end()) return ++at->second;
  // Names beyond the bound are not remembered: each use of such a name is a first attempt.
  if (step_attempts_.size() < kMaxStepNames) step_attempts_.emplace(step_id, 1);
  return 1;
}

void RunCore::fill(v1::SyncEvent& event, std::string_view traceparent) const {
  if (traceparent.empty()) traceparent = this->traceparent();
  event.clear_identity();
  event.clear_sequence();
  if (!event.has_occurred_at()) set_time(*event.mutable_occurred_at(), std::chrono::system_clock::now());
  if (!event.has_trace()) {
    event.mutable_trace()->set_traceparent(traceparent.data(), traceparent.size());
    event.mutable_trace()->set_tracestate(about_.description.tracestate);
  }
}

void RunCore::start(v1::SyncEvent started) {
  if (!about_.agent) return static_cast<void>(emit(started));
  fill(started, traceparent());
  tell(std::move(started));
}

// What the agent does not know of the end is what the connector says of it. One that may have got it would be contradicted by a
// second Completed, which knows no exit code; for one that has not got it nobody else would say how the run went.
delivery::ToldBy RunCore::tell_agent(const v1::SyncEvent& completed) const {
  const auto failure = about_.agent->take_end(redact::redacted(redactor(), completed).value_or(completed),
                                              account_ != nullptr ? kAgentPatience : kLastPatience);
  if (!failure) return delivery::ToldBy::kAnother;
  const char* what = " may not know how it ended; then what it sees of the process decides: ";
  if (failure->for_certain) {
    what = account_ != nullptr ? " did not take its end, so this process tells it: "
                               : " did not take its end, and without a Kafka this process cannot tell it: ";
  }
  print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING,
                         "Runfold: the agent of run " + about_.description.run_id + what + failure->why);
  return failure->for_certain ? delivery::ToldBy::kUs : delivery::ToldBy::kAnother;
}

// What is emitted by the thousand, in few lines of code: see delivery::queue_plain().
[[gnu::hot]] bool RunCore::emit(const v1::SyncEvent& event, std::string_view traceparent) {
  const bool is_simple = straight_ & event.has_progress() & !event.has_occurred_at() & !event.has_identity() & (event.sequence() == 0);
  if (!is_simple) return emit_any(event, traceparent);
  return delivery_->event(*account_, event, {.occurred_at_ns = now_ns(), .traceparent = traceparent.empty() ? span_here() : traceparent});
}

bool RunCore::emit_any(const v1::SyncEvent& event, std::string_view traceparent) {
  if (event.event_case() == v1::SyncEvent::kCompleted) return finish(event);
  if (account_ == nullptr && !about_.on_event) return true;
  // An event that says nothing could not be folded by anybody.
  if (event.event_case() == v1::SyncEvent::EVENT_NOT_SET) {
    return account_ == nullptr || delivery_->refuse(*account_, delivery::Channel::kEvents, delivery::Drop::kRejected);
  }
  if (traceparent.empty()) traceparent = span_here();
  if (!about_.on_event && !event.has_identity() && event.sequence() == 0) {
    return delivery_->event(*account_, event, {.occurred_at_ns = event.has_occurred_at() ? 0 : now_ns(), .traceparent = traceparent});
  }
  // Who speaks, and in which order, is not the caller's to say; and a subscriber is told what Kafka is told.
  v1::SyncEvent whole = event;
  fill(whole, traceparent);
  const bool ended_before = finished();
  const bool taken = account_ == nullptr || delivery_->event(*account_, whole, {});
  if (!ended_before) tell(std::move(whole));
  return taken;
}

void RunCore::tell(v1::SyncEvent event) noexcept {
  if (!about_.on_event || unsubscribed_.load(std::memory_order_relaxed)) return;
  try {
    *event.mutable_identity() = delivery::identity_of(about_.description);
    about_.on_event(event);
  } catch (...) {
    unsubscribed_.store(true, std::memory_order_relaxed);
    const std::string said = error_text(std::current_exception());
    print_line(std::chrono::system_clock::now(), v1::SEVERITY_WARNING,
               "Runfold: the subscriber to the events of run " + about_.description.run_id +
                   " threw and is not called again: " + redactor().replaced(said).value_or(said));
  }
}

[[gnu::hot]] const Place* RunCore::here() const noexcept {
  const Place* place = current_place();
  return place != nullptr && place->core.get() == this ? place : nullptr;
}

[[gnu::hot]] std::int64_t RunCore::now_ns() const noexcept {
  timespec now{};
  read_clock_(CLOCK_REALTIME, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

[[gnu::hot]] std::string_view RunCore::span_here() const noexcept {
  const Place* place = here();
  return place == nullptr || place->step_id.empty() ? std::string_view() : place->traceparent;
}

[[gnu::hot]] bool RunCore::log(const v1::LogRecord& record) {
  if (account_ == nullptr) return true;
  const Place* place = here();
  const auto logged_at_ns = record.has_logged_at() ? 0 : now_ns();
  if (place == nullptr || place->step_id.empty() || !record.step_id().empty()) return delivery_->log(*account_, record, logged_at_ns);
  v1::LogRecord in_step = record;
  in_step.set_step_id(place->step_id);
  return delivery_->log(*account_, in_step, logged_at_ns);
}

bool RunCore::log(delivery::LogView record) {
  if (account_ == nullptr) return true;
  if (const Place* place = here(); place != nullptr && record.step_id.empty()) record.step_id = place->step_id;
  return delivery_->log(*account_, record);
}

SiteLimits::Verdict RunCore::judge(const std::source_location& site) {
  // Late ones are not judged but dropped as such.
  if (finished()) return SiteLimits::Verdict::kPass;
  const auto verdict = site_limits_.judge(site, std::chrono::steady_clock::now());
  if (verdict != SiteLimits::Verdict::kPass && account_ != nullptr) {
    delivery_->refuse(*account_, delivery::Channel::kLogs, delivery::Drop::kRateLimited);
  }
  return verdict;
}

bool RunCore::finish(v1::SyncEvent completed) {
  // Not delivery's to decide: while the first one is told to the agent, a second one must not come before it.
  const bool ended_before = finished_.exchange(true, std::memory_order_acq_rel);
  if (ended_before) return account_ != nullptr && delivery_->refuse(*account_, delivery::Channel::kEvents, delivery::Drop::kLate);
  if (account_ == nullptr && !about_.on_event && !about_.agent) return true;
  if (!completed.completed().has_duration() && !about_.joined) {
    set_duration(*completed.mutable_completed()->mutable_duration(), std::chrono::steady_clock::now() - started_);
  }
  fill(completed, traceparent());
  v1::SyncEvent told;
  if (about_.on_event) told = completed;
  const auto told_by = about_.agent ? tell_agent(completed) : delivery::ToldBy::kUs;
  const bool lost = account_ == nullptr && about_.agent && told_by == delivery::ToldBy::kUs;
  const bool taken = account_ == nullptr ? !lost : delivery_->finish(*account_, std::move(completed), told_by);
  tell(std::move(told));
  return taken;
}

}  // namespace runfold

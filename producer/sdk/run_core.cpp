// Filling in what the caller left out, and handing over.
#include "producer/sdk/run_core.hpp"

#include <utility>

namespace runfold {
namespace {

/// Step names of one run whose attempts are counted.
constexpr std::size_t kMaxStepNames = 10'000;

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
    : about_(std::move(about)), delivery_(std::move(delivery)), account_(delivery_ ? &delivery_->open_run(about_.description) : nullptr) {}

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

bool RunCore::emit(const v1::SyncEvent& event, std::string_view traceparent) {
  if (event.event_case() == v1::SyncEvent::kCompleted) return finish(event);
  if (account_ == nullptr) return true;
  // An event that says nothing could not be folded by anybody.
  if (event.event_case() == v1::SyncEvent::EVENT_NOT_SET) {
    return delivery_->refuse(*account_, delivery::Channel::kEvents, delivery::Drop::kRejected);
  }
  const delivery::EventDefaults defaults{
      .occurred_at_ns = event.has_occurred_at() ? 0 : since_epoch_ns(std::chrono::system_clock::now()),
      .traceparent = traceparent.empty() ? std::string_view(about_.description.traceparent) : traceparent,
      .tracestate = about_.description.tracestate};
  if (!event.has_identity() && event.sequence() == 0) return delivery_->event(*account_, event, defaults);
  // Who speaks, and in which order, is not the caller's to say.
  v1::SyncEvent without = event;
  without.clear_identity();
  without.clear_sequence();
  return delivery_->event(*account_, without, defaults);
}

bool RunCore::log(const v1::LogRecord& record) {
  if (account_ == nullptr) return true;
  return delivery_->log(*account_, record, record.has_logged_at() ? 0 : since_epoch_ns(std::chrono::system_clock::now()));
}

bool RunCore::log(const delivery::LogView& record) {
  return account_ == nullptr || delivery_->log(*account_, record);
}

bool RunCore::finish(v1::SyncEvent completed) {
  const bool ended_before = finished_.exchange(true, std::memory_order_acq_rel);
  if (account_ == nullptr) return !ended_before;
  if (!completed.completed().has_duration() && !about_.joined) {
    set_duration(*completed.mutable_completed()->mutable_duration(), std::chrono::steady_clock::now() - started_);
  }
  completed.clear_identity();
  completed.clear_sequence();
  if (!completed.has_occurred_at()) set_time(*completed.mutable_occurred_at(), std::chrono::system_clock::now());
  if (!completed.has_trace()) {
    completed.mutable_trace()->set_traceparent(about_.description.traceparent);
    completed.mutable_trace()->set_tracestate(about_.description.tracestate);
  }
  return delivery_->finish(*account_, std::move(completed));
}

}  // namespace runfold

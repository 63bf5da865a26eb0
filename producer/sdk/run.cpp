// Run: a handle on the core, and the rule for leaving scope.
#include "producer/sdk/run.hpp"

#include "producer/sdk/error_text.hpp"
#include "producer/sdk/run_core.hpp"
#include "producer/sdk/step_impl.hpp"

#include <cassert>
#include <exception>
#include <utility>

namespace runfold {

Run::Impl::Impl(std::shared_ptr<RunCore> run_core)
    : core(std::move(run_core)),
      place(std::make_shared<const Place>(Place{.core = core, .step_id = {}, .traceparent = core->traceparent()})),
      logger(Logger(place)) {}

Run::Run(std::shared_ptr<Impl> impl) : impl_(std::move(impl)), exceptions_at_start_(std::uncaught_exceptions()) {}
Run::Run(Run&&) noexcept = default;

Run& Run::operator=(Run&& other) noexcept {
  if (this == &other) return *this;
  Run left(std::move(*this));  // ends the run that was here, as leaving scope does
  impl_ = std::move(other.impl_);
  exceptions_at_start_ = other.exceptions_at_start_;
  return *this;
}

Run::~Run() {
  if (!impl_ || finished() || impl_->core->joined()) return;
  if (std::uncaught_exceptions() > exceptions_at_start_) {
    finish({.result = v1::RUN_RESULT_FAILURE, .error = std::string(kUnwound)});
  } else {
    finish({});
  }
}

void Run::fail_as(const std::exception_ptr& error) {
  if (!impl_->core->joined()) finish({.result = v1::RUN_RESULT_FAILURE, .error = error_text(error)});
}

const std::string& Run::run_id() const noexcept {
  return impl_->core->run_id();
}
std::uint32_t Run::attempt() const noexcept {
  return impl_->core->attempt();
}
const std::string& Run::connector_id() const noexcept {
  return impl_->core->description().connector_id;
}
const std::string& Run::version() const noexcept {
  return impl_->core->description().version;
}
const std::string& Run::site() const noexcept {
  return impl_->core->description().site;
}
const std::string& Run::traceparent() const noexcept {
  return impl_->core->traceparent();
}
Context Run::context() const {
  return Context(impl_->place);
}
Logger& Run::logger() noexcept {
  return impl_->logger;
}
bool Run::finished() const noexcept {
  return impl_->core->finished();
}

void Run::abandon() noexcept {
  impl_.reset();
}

Step Run::step(std::string_view step_id) {
  return Step(std::make_unique<Step::Impl>(impl_->core, step_id));
}

void Run::heartbeat() {
  v1::SyncEvent event;
  event.mutable_heartbeat();
  impl_->core->emit(event);
}

void Run::progress(std::string_view step_id, std::uint64_t done, std::optional<std::uint64_t> total, std::string_view message) {
  v1::SyncEvent event;
  auto& progress = *event.mutable_progress();
  progress.set_step_id(step_id.data(), step_id.size());
  progress.set_done(done);
  if (total) progress.set_total(*total);
  progress.set_message(message.data(), message.size());
  impl_->core->emit(event);
}

void Run::stats_committed(const v1::SyncStats& stats) {
  v1::SyncEvent event;
  *event.mutable_stats_committed()->mutable_stats() = stats;
  impl_->core->emit(event);
}

[[gnu::hot]] bool Run::emit(const v1::SyncEvent& event) {
  return impl_->core->emit(event);
}
[[gnu::hot]] bool Run::log(const v1::LogRecord& record) {
  return impl_->core->log(record);
}

void Run::finish(const RunEnd& end) {
  if (finished()) return;
  v1::SyncEvent event;
  auto& completed = *event.mutable_completed();
  completed.set_result(end.result);
  if (end.exit_code) completed.set_exit_code(*end.exit_code);
  if (end.signal) completed.set_signal(*end.signal);
  completed.set_error(end.error);
  if (end.ended_at) {
    const auto since = std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::steady_clock::now() - *end.ended_at);
    set_time(*event.mutable_occurred_at(), std::chrono::system_clock::now() - since);
    if (!impl_->core->joined()) set_duration(*completed.mutable_duration(), *end.ended_at - impl_->core->started());
  }
  impl_->core->finish(std::move(event));
}

}  // namespace runfold

// Step: StepStarted on the way in, StepCompleted or StepFailed on the way out.
#include "producer/sdk/step.hpp"

#include "producer/delivery/fit.hpp"
#include "producer/delivery/text.hpp"
#include "producer/sdk/error_text.hpp"
#include "producer/sdk/step_impl.hpp"

#include <exception>
#include <utility>

namespace runfold {
namespace {

// The name as it will stand on the wire, so that attempts are counted by it.
std::string wire_name(std::string_view step_id) {
  if (step_id.empty()) return "unnamed";
  return std::string(delivery::cut(delivery::replace_invalid_utf8(step_id), delivery::kMaxNameBytes));
}

std::shared_ptr<const Place> place_of(std::shared_ptr<RunCore> core, std::string_view step_id) {
  std::string traceparent = child_of(core->span()).traceparent();
  return std::make_shared<const Place>(
      Place{.core = std::move(core), .step_id = wire_name(step_id), .traceparent = std::move(traceparent)});
}

}  // namespace

Step::Impl::Impl(std::shared_ptr<RunCore> run_core, std::string_view name)
    : place(place_of(std::move(run_core), name)),
      attempt(place->core->next_attempt(place->step_id)),
      exceptions_at_start_(std::uncaught_exceptions()) {
  v1::SyncEvent event;
  event.mutable_step_started()->set_step_id(place->step_id);
  event.mutable_step_started()->set_step_attempt(attempt);
  emit(event);
}

void Step::Impl::emit(const v1::SyncEvent& event) const {
  place->core->emit(event, place->traceparent);
}

template <class End>
void Step::Impl::name(End& end) const {
  end.set_step_id(place->step_id);
  end.set_step_attempt(attempt);
  set_duration(*end.mutable_duration(), std::chrono::steady_clock::now() - started_);
}

void Step::Impl::complete(std::optional<std::uint64_t> entities, std::optional<std::uint64_t> relationships) {
  if (std::exchange(ended_, true)) return;
  v1::SyncEvent event;
  auto& completed = *event.mutable_step_completed();
  name(completed);
  if (entities) completed.set_entities(*entities);
  if (relationships) completed.set_relationships(*relationships);
  emit(event);
}

void Step::Impl::fail(std::string_view what) {
  if (std::exchange(ended_, true)) return;
  error.emplace(what);
  v1::SyncEvent event;
  auto& failed = *event.mutable_step_failed();
  name(failed);
  failed.set_error(*error);
  emit(event);
}

void Step::Impl::leave() {
  if (ended_) return;
  if (std::uncaught_exceptions() > exceptions_at_start_) {
    fail(kUnwound);
  } else {
    complete({}, {});
  }
}

Step::Step(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Step::Step(Step&&) noexcept = default;

Step& Step::operator=(Step&& other) noexcept {
  if (this == &other) return *this;
  if (impl_) impl_->leave();
  impl_ = std::move(other.impl_);
  return *this;
}

Step::~Step() {
  if (impl_) impl_->leave();
}

const std::string& Step::step_id() const noexcept {
  return impl_->place->step_id;
}
std::uint32_t Step::attempt() const noexcept {
  return impl_->attempt;
}
const std::string& Step::traceparent() const noexcept {
  return impl_->place->traceparent;
}
const std::optional<std::string>& Step::error() const noexcept {
  return impl_->error;
}
Context Step::context() const {
  return Context(impl_->place);
}
Logger Step::logger() const {
  return Logger(impl_->place);
}

void Step::progress(std::uint64_t done, std::optional<std::uint64_t> total, std::string_view message) {
  v1::SyncEvent event;
  auto& progress = *event.mutable_progress();
  progress.set_step_id(impl_->place->step_id);
  progress.set_done(done);
  if (total) progress.set_total(*total);
  progress.set_message(message.data(), message.size());
  impl_->emit(event);
}

void Step::complete(std::optional<std::uint64_t> entities, std::optional<std::uint64_t> relationships) {
  impl_->complete(entities, relationships);
}
void Step::fail(std::string_view error) {
  impl_->fail(error);
}
void Step::fail_as(const std::exception_ptr& error) {
  impl_->fail(error_text(error));
}

}  // namespace runfold

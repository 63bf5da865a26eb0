// The current context of each thread.
#include "producer/sdk/context.hpp"

#include "producer/sdk/place.hpp"
#include "producer/sdk/run_core.hpp"

#include <utility>

namespace runfold {
namespace {

/// What the innermost Scope holds; null: there is none.
constinit thread_local const std::shared_ptr<const Place>* t_current = nullptr;

const std::string kNone;

}  // namespace

const Place* current_place() noexcept {
  return t_current == nullptr ? nullptr : t_current->get();
}

Context::Context(std::shared_ptr<const Place> place) noexcept : place_(std::move(place)) {}

Context Context::current() {
  return t_current == nullptr ? Context() : Context(*t_current);
}

const std::string& Context::run_id() const noexcept {
  return place_ ? place_->core->run_id() : kNone;
}
const std::string& Context::step_id() const noexcept {
  return place_ ? place_->step_id : kNone;
}
const std::string& Context::traceparent() const noexcept {
  return place_ ? place_->traceparent : kNone;
}
Logger Context::logger() const {
  return Logger(place_);
}

Context::Scope::Scope(Context context) noexcept : place_(std::move(context.place_)), outer_(std::exchange(t_current, &place_)) {}
Context::Scope::~Scope() {
  t_current = outer_;
}

}  // namespace runfold

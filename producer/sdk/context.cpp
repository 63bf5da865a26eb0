// The current context of each thread.
#include "producer/sdk/context.hpp"

#include "producer/sdk/place.hpp"
#include "producer/sdk/run_core.hpp"

#include <utility>

namespace runfold {
namespace {

const std::string kNone;

}  // namespace

constinit thread_local const std::shared_ptr<const Place>* t_current_place = nullptr;

Context::Context(std::shared_ptr<const Place> place) noexcept : place_(std::move(place)) {}

Context Context::current() {
  return t_current_place == nullptr ? Context() : Context(*t_current_place);
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

Context::Scope::Scope(Context context) noexcept : place_(std::move(context.place_)), outer_(std::exchange(t_current_place, &place_)) {}
Context::Scope::~Scope() {
  t_current_place = outer_;
}

}  // namespace runfold

// Behind Context, Logger, Run and Step: one place in a run.
#pragma once

#include <memory>
#include <string>

namespace runfold {

class RunCore;

/// A run, or a step of it.
struct Place {
  std::shared_ptr<RunCore> core;
  /// Empty: the run itself.
  std::string step_id = {};
  /// The step's span, or the run's.
  std::string traceparent = {};
};

/// What this thread's innermost Context::Scope holds; null: there is none.
extern constinit thread_local const std::shared_ptr<const Place>* t_current_place;

/// Where this thread is; null: in no run. Valid until the innermost Context::Scope of this thread ends.
[[nodiscard]] inline const Place* current_place() noexcept {
  return t_current_place == nullptr ? nullptr : t_current_place->get();
}

}  // namespace runfold

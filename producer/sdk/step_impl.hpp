// Behind Step.
#pragma once

#include "producer/sdk/run_core.hpp"
#include "producer/sdk/step.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace runfold {

class Step::Impl {
 public:
  /// Emits StepStarted.
  Impl(std::shared_ptr<RunCore> core, std::string_view step_id);

  /// Emits the event of the step's end, with step, attempt and duration; once.
  void complete(std::optional<std::uint64_t> entities, std::optional<std::uint64_t> relationships);
  void fail(std::string_view error);
  /// Ends the step as leaving scope does.
  void leave();

  const std::shared_ptr<RunCore> core;
  const std::string step_id;
  const std::uint32_t attempt;
  const std::string traceparent;

 private:
  template <class End>
  void name(End& end) const;

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  const int exceptions_at_start_;
  bool ended_ = false;
};

}  // namespace runfold

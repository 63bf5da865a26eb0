// Behind Step.
#pragma once

#include "producer/sdk/place.hpp"
#include "producer/sdk/run_core.hpp"
#include "producer/sdk/step.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace runfold {

class Step::Impl {
 public:
  /// Emits StepStarted.
  Impl(std::shared_ptr<RunCore> core, std::string_view step_id);

  /// Emits the event of the step's end, with step, attempt and duration; once.
  void complete(std::optional<std::uint64_t> entities, std::optional<std::uint64_t> relationships);
  void fail(std::string_view what);
  /// Ends the step as leaving scope does.
  void leave();

  const std::shared_ptr<const Place> place;
  const std::uint32_t attempt;
  /// What it failed with.
  std::optional<std::string> error;

  /// In the step's span.
  void emit(const v1::SyncEvent& event) const;

 private:
  template <class End>
  void name(End& end) const;

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  const int exceptions_at_start_;
  bool ended_ = false;
};

}  // namespace runfold

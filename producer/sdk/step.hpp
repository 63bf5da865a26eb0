// Step: a named part of a run.
#pragma once

#include "producer/sdk/context.hpp"

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace runfold {

/// A step under way. Leaving scope without complete() or fail() ends it: as failed when an exception is in flight, as
/// completed with no counts otherwise. What that exception says, a destructor cannot ask ("unwound by an exception");
/// Run::step() with a body knows. A failed step does not fail the run.
///
/// Thread: any, one at a time. Moves, not copies.
class Step {
 public:
  Step(Step&&) noexcept;
  Step& operator=(Step&&) noexcept;
  ~Step();

  [[nodiscard]] const std::string& step_id() const noexcept;
  [[nodiscard]] std::uint32_t attempt() const noexcept;
  /// The step's own span, to hand to what it calls.
  [[nodiscard]] const std::string& traceparent() const noexcept;
  /// What it failed with; absent: it has not.
  [[nodiscard]] const std::optional<std::string>& error() const noexcept;

  /// To be handed to threads that work for this step.
  [[nodiscard]] Context context() const;
  /// Logs for this step, on whatever thread.
  [[nodiscard]] Logger logger() const;

  void progress(std::uint64_t done, std::optional<std::uint64_t> total = {}, std::string_view message = {});

  /// Emits StepCompleted with the step's duration. Absent counts are unknown, not zero.
  void complete(std::optional<std::uint64_t> entities = {}, std::optional<std::uint64_t> relationships = {});
  /// Emits StepFailed with the step's duration. Only the first end of a step counts.
  void fail(std::string_view error);

 private:
  class Impl;
  void fail_as(const std::exception_ptr& error);
  explicit Step(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  friend class Run;
};

}  // namespace runfold

// Step: a named part of a run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace runfold {

/// A step under way. Leaving scope without complete() or fail() ends it: as failed when an exception is in flight ("unwound
/// by an exception"; Run::step() with a body knows its text), as completed with no counts otherwise. A failed step does not
/// fail the run.
///
/// Thread: any, one at a time. Moves, not copies.
class Step {
 public:
  Step(Step&&) noexcept;
  Step& operator=(Step&&) noexcept;
  ~Step();

  [[nodiscard]] const std::string& step_id() const noexcept;
  [[nodiscard]] std::uint32_t attempt() const noexcept;

  void progress(std::uint64_t done, std::optional<std::uint64_t> total = {}, std::string_view message = {});

  /// Emits StepCompleted with the step's duration. Absent counts are unknown, not zero.
  void complete(std::optional<std::uint64_t> entities = {}, std::optional<std::uint64_t> relationships = {});
  /// Emits StepFailed with the step's duration.
  void fail(std::string_view error);

 private:
  class Impl;
  explicit Step(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  friend class Run;
};

}  // namespace runfold

// Context: the run, and the step of it, that code works for.
#pragma once

#include "producer/sdk/logger.hpp"

#include <memory>
#include <string>

namespace runfold {

/// The run and step that code works for. A cheap value; it may outlive both.
///
/// Each thread has a current one, set by a Scope. Run::step() with a body, Producer::run() and run_connector() set it for
/// what they call. What is logged or emitted for a run by a thread that is in a step of that run carries the step and its
/// span, and a run started there is a child in its trace. Another thread begins with none: hand it a Context.
/// A coroutine may go on elsewhere after co_await: pass it a Context (or a Step's logger) instead of opening a Scope in it.
class Context {
 public:
  /// Of no run.
  Context() = default;
  /// This thread's: that of the innermost Scope, or of no run.
  [[nodiscard]] static Context current();

  /// False: of no run. All the names are empty then.
  [[nodiscard]] explicit operator bool() const noexcept { return place_ != nullptr; }
  [[nodiscard]] const std::string& run_id() const noexcept;
  [[nodiscard]] const std::string& step_id() const noexcept;
  /// The span to hand to what is called, the step's or else the run's: "00-<trace-id>-<span-id>-<flags>".
  [[nodiscard]] const std::string& traceparent() const noexcept;
  /// Logs for this run and step. Of no run: it prints to stderr alone.
  [[nodiscard]] Logger logger() const;

  /// Makes a context this thread's current one until it ends. Scopes end in the reverse order, on the same thread.
  class Scope {
   public:
    explicit Scope(Context context) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const std::shared_ptr<const Place> place_;
    const std::shared_ptr<const Place>* const outer_;
  };

 private:
  explicit Context(std::shared_ptr<const Place> place) noexcept;
  std::shared_ptr<const Place> place_;
  friend class Run;
  friend class Step;
};

}  // namespace runfold

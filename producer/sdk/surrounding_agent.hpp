// The agent around this process, where it began the run that is spoken of here.
#pragma once

#include "runfold/v1/event.pb.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold {

/// Why an agent did not say that it took an end.
struct NotTaken {
  /// One sentence.
  std::string why;
  /// It has not got it: it refused whose end it is, or nothing answers at its address. Else it may have.
  bool for_certain = false;
};

/// Who begins a run ends it: runfold exec tells Started, heartbeats and Completed of its command's run, because it alone knows
/// how the process ended, and runfold agent those of its jobs' runs. A producer in that process tells it what it knows of the end.
///
/// Thread: any.
class SurroundingAgent {
 public:
  /// The one of RUNFOLD_INTAKE_URL and RUNFOLD_INTAKE_TOKEN. Absent: there is none, or the run that it tells of (RUNFOLD_AGENT_RUN,
  /// RUNFOLD_ATTEMPT) is another one.
  [[nodiscard]] static std::optional<SurroundingAgent> of_run(std::string_view run_id, std::uint32_t attempt);

  /// Hands over a Completed without secrets. Waits for the answer, at most `limit`; an agent that is being started again (nothing
  /// answers, or 503) is asked again until then. Absent: it was taken.
  [[nodiscard]] std::optional<NotTaken> take_end(const v1::SyncEvent& completed, std::chrono::milliseconds limit) const noexcept;

 private:
  /// Why an attempt failed, and whether another one may not.
  struct Failure {
    NotTaken not_taken;
    bool may_pass = false;
  };
  [[nodiscard]] std::optional<NotTaken> hand_over(const v1::SyncEvent& completed, std::chrono::milliseconds limit) const;
  [[nodiscard]] std::optional<Failure> send(std::string body, std::chrono::milliseconds limit) const;

  std::string intake_url_;
  std::string token_;
};

}  // namespace runfold

// Says how a run ended, from what the process did and what the connector had declared.
#include "producer/agent/end.hpp"

#include <csignal>

namespace runfold::agent {
namespace {

std::string seconds_text(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + " s";
  return std::to_string(ms) + " ms";
}

}  // namespace

RunEnd merge_end(const std::optional<v1::Completed>& declared, const ProcessEnd& process) {
  RunEnd end;
  end.exit_code = process.status.exit_code;
  end.signal = process.status.signal;
  if (process.launch_failure) {
    end.result = v1::RUN_RESULT_FAILURE;
    end.error = process.launch_failure->message;
    return end;
  }
  if (process.timed_out_after) {
    end.result = v1::RUN_RESULT_TIMEOUT;
    end.error = "ended after its time limit of " + seconds_text(*process.timed_out_after);
  } else if (process.status.signal) {
    end.result = v1::RUN_RESULT_ERROR;
    end.error = "killed by signal " + std::to_string(*process.status.signal) + " (" + signal_name(*process.status.signal) + ")" +
                (process.status.core_dumped ? ", core dumped" : "");
    if (*process.status.signal == SIGKILL && process.out_of_memory) end.error += ": " + *process.out_of_memory;
  } else if (process.status.exit_code.value_or(0) != 0) {
    end.result = v1::RUN_RESULT_FAILURE;
    end.error = "exited with code " + std::to_string(*process.status.exit_code);
  }
  if (!declared) return end;

  // A process that went well by its exit code can still have declared a failure; one that went badly is not made better.
  const bool declared_bad = declared->result() != v1::RUN_RESULT_UNSPECIFIED && declared->result() != v1::RUN_RESULT_SUCCESS;
  const bool process_chose = end.result == v1::RUN_RESULT_SUCCESS || end.result == v1::RUN_RESULT_FAILURE;
  if (declared_bad && process_chose) end.result = declared->result();
  if (!declared->error().empty()) end.error = declared->error();
  return end;
}

}  // namespace runfold::agent

// Where the agent's parts put what they record: the run, or a test's list.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <functional>

namespace runfold::agent {

/// Both never wait, may be called from any thread, and return false when the record was dropped.
struct RunSink {
  std::function<bool(const v1::LogRecord&)> log;
  std::function<bool(v1::SyncEvent)> emit;
};

}  // namespace runfold::agent

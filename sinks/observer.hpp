// What a sink's worker tells of its work: implemented by the metrics.
#pragma once

#include "sinks/sink.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace runfold::sinks {

/// Thread: the worker's executor.
class SinkObserver {
 public:
  virtual ~SinkObserver() = default;
  /// One record was tried, in a delivery that took `seconds` with all that went in it.
  virtual void delivered(const std::string& sink, Outcome outcome, double seconds) = 0;
  /// What waits in the outbox now.
  virtual void backlog(const std::string& sink, std::uint64_t records, std::chrono::milliseconds oldest_age) = 0;
};

}  // namespace runfold::sinks

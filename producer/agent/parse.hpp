// Reads what connectors send to the intake: log records and events, as JSON.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::agent {

/// What is wrong with a body, and where.
struct BadInput {
  /// A JSON pointer to the member, for example "/3/level"; empty when it is the whole body.
  std::string member;
  /// One sentence that says what is wrong and what would be right.
  std::string message;
};

[[noreturn]] inline void throw_exception_from_error(const BadInput& error, const boost::source_location&) {
  throw std::runtime_error(error.member + ": " + error.message);
}

template <class T>
using Parsed = boost::system::result<T, BadInput>;

/// Reads {"level", "message", "step"?, "detail"?} or an array of such.
[[nodiscard]] Parsed<std::vector<v1::LogRecord>> parse_logs(std::string_view body);

/// Reads a SyncEvent, or an array of them, in protobuf's JSON mapping, or as the connector SDK's enum serialises itself:
/// {"StepCompleted": {"step_id": "read", "entities": 3, "relationships": 1, "duration": {"secs": 1, "nanos": 0}}}.
[[nodiscard]] Parsed<std::vector<v1::SyncEvent>> parse_events(std::string_view body);

/// Reads one SyncEvent in protobuf's binary form.
[[nodiscard]] Parsed<v1::SyncEvent> parse_binary_event(std::string_view body);

}  // namespace runfold::agent

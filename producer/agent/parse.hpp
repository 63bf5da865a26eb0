// Reads what connectors send to the intake: log records and events, as JSON.
#pragma once

#include "producer/agent/json_body.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <string_view>
#include <vector>

namespace runfold::agent {

/// Reads {"level", "message", "step"?, "detail"?} or an array of such.
[[nodiscard]] Parsed<std::vector<v1::LogRecord>> parse_logs(std::string_view body);

/// Reads a SyncEvent, or an array of them, in protobuf's JSON mapping, or as the connector SDK's enum serialises itself:
/// {"StepCompleted": {"step_id": "read", "entities": 3, "relationships": 1, "duration": {"secs": 1, "nanos": 0}}}.
[[nodiscard]] Parsed<std::vector<v1::SyncEvent>> parse_events(std::string_view body);

/// Reads one SyncEvent in protobuf's binary form.
[[nodiscard]] Parsed<v1::SyncEvent> parse_binary_event(std::string_view body);

}  // namespace runfold::agent

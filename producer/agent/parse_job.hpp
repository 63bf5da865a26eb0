// Reads what a job says when it registers.
#pragma once

#include "producer/agent/json_body.hpp"
#include "producer/sdk/run.hpp"

#include <string_view>

namespace runfold::agent {

/// Reads {"connector", "version"?, "site"?, "account"?, "run_id"?, "attempt"?, "traceparent"?, "os_pid"?, "heartbeat"?}.
///
/// The attempt is 1 where it says none, and os_pid 0. Of a job with an os_pid the agent can see that it lives, so the producer
/// sends its heartbeats, every `heartbeat` seconds or as its settings have it; one without sends them itself if it promised any.
[[nodiscard]] Parsed<RunOptions> parse_job(std::string_view body);

}  // namespace runfold::agent

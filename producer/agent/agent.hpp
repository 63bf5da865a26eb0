// runfold agent: the intake for many jobs, until a signal ends it.
#pragma once

#include "producer/agent/agent_server.hpp"
#include "producer/agent/error.hpp"
#include "producer/sdk/producer.hpp"
#include "producer/sdk/settings.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace runfold::agent {

struct AgentOptions {
  /// Its connector, version and site are not used: each job names its own.
  Settings settings;
  AgentServerOptions server;
  /// How long the records may take to reach Kafka after the last job.
  std::chrono::milliseconds flush_timeout{5'000};
  /// Called with the URL when it listens. Errors: end it.
  std::function<Result<void>(const std::string& url)> on_listening;
  /// Makes the Kafka client. For tests, and for clients of one's own; empty: the usual one.
  Producer::ClientFactory make_client;
};

/// Prints one line on stderr as the agent does, unless that would wait.
void say(std::string_view message);

/// Serves until SIGTERM or SIGINT. Then it takes nothing more, lets requests under way finish, gives what is on its way to
/// Kafka `flush_timeout`, and says on stderr what did not get there. A second signal shortens that to nothing. Runs that are
/// open then stay open: their end is not known here. With a spool, the next agent on this port goes on with them.
///
/// Errors: kInvalid for a setting that can never work, kSystem when the address is taken or the system refuses something.
/// Thread: one, which has these signals to itself.
[[nodiscard]] Result<void> serve(AgentOptions options);

}  // namespace runfold::agent

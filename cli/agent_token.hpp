// The token that registers jobs at an agent: given, or made and left in a file.
#pragma once

#include "cli/query.hpp"

#include <string>

namespace runfold::cli {

/// From the file, or without one from RUNFOLD_AGENT_TOKEN; empty when neither is given.
/// Errors: kConfiguration names the file or the variable, and what is wrong with its token, which it does not show.
[[nodiscard]] Outcome<std::string> given_agent_token(const std::string& file);

/// Where an agent that was given no token leaves its own: a file of this port, see kafka::state_file().
[[nodiscard]] std::string agent_token_file(const std::string& url);

/// Whether only this host can reach HOST:PORT.
[[nodiscard]] bool is_loopback(const std::string& listen);

}  // namespace runfold::cli

// What a connector's environment says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace runfold {

/// The variable's value; absent when it is not set or empty.
[[nodiscard]] std::optional<std::string> environment(const char* name);

/// RUNFOLD_ATTEMPT: a whole number from 1; absent when it is not set or not such a number.
[[nodiscard]] std::optional<std::uint32_t> environment_attempt();

}  // namespace runfold

// Kafka client properties in a file, for what must stand neither on a command line nor in an environment.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"

#include <string>

namespace runfold::kafka {

/// Sets what a file says, over what is there: name=value a line; blank lines and those that begin with # say nothing.
/// Errors: kInvalid names the file, the line and what is wrong with it (never a secret's value); lines before it are set.
[[nodiscard]] Result<void> read_properties_file(const std::string& path, Properties& properties);

}  // namespace runfold::kafka

// Registers secrets from where programs keep them: environment variables and files.
#pragma once

#include "producer/redact/redactor.hpp"

#include <string>

namespace runfold::redact {

/// Registers a variable's value. Errors name the variable: kNotSet, and those of Redactor::add().
[[nodiscard]] Result<> add_environment(Redactor& redactor, const std::string& name);

/// Registers each line of a file. Errors name the file: kUnreadable, kTooLong above 1 MiB, and those of Redactor::add().
[[nodiscard]] Result<> add_file(Redactor& redactor, const std::string& path);

}  // namespace runfold::redact

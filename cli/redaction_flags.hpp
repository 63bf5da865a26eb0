// The flags that say which secrets must not be recorded.
#pragma once

#include "cli/query.hpp"
#include "producer/redact/redactor.hpp"

#include <memory>
#include <string>
#include <vector>

namespace runfold::cli {

/// Shared by exec, emit and log.
struct RedactionFlags {
  std::vector<std::string> environment;
  std::vector<std::string> files;
  redact::Rules rules;
};
void add_redaction_flags(CLI::App& command, RedactionFlags& flags);

/// Errors: kConfiguration names the variable or the file, and what is wrong with the secret in it.
[[nodiscard]] Outcome<std::shared_ptr<redact::Redactor>> make_redactor(const RedactionFlags& flags);

}  // namespace runfold::cli

// The flags that say which secrets must not be recorded.
#include "cli/redaction_flags.hpp"

#include "cli/table.hpp"
#include "producer/redact/sources.hpp"

#include <CLI/CLI.hpp>

namespace runfold::cli {

void add_redaction_flags(CLI::App& command, RedactionFlags& flags) {
  const auto add = [&](const char* name, std::vector<std::string>& values, const char* about, const char* type) {
    command.add_option(name, values, about)->type_name(type)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  };
  add("--redact-env", flags.environment, "Never record the value of this variable; may be given more than once, as the next three", "NAME");
  add("--redact-file", flags.files, "Never record what stands in this file, one secret a line", "FILE");
  add("--redact-key", flags.rules.keys, "Never record the values of names that end so, as of token and password", "NAME");
  add("--keep-key", flags.rules.kept_keys, "Record the values of this name, though it ends so", "NAME");
}

Outcome<std::shared_ptr<redact::Redactor>> make_redactor(const RedactionFlags& flags) {
  auto redactor = std::make_shared<redact::Redactor>(flags.rules);
  for (const auto& name : flags.environment) {
    if (const auto added = redact::add_environment(*redactor, name); !added) {
      return Failure{kConfiguration, "--redact-env: " + printable(added.error().message)};
    }
  }
  for (const auto& path : flags.files) {
    if (const auto added = redact::add_file(*redactor, path); !added) {
      return Failure{kConfiguration, "--redact-file: " + printable(added.error().message)};
    }
  }
  return redactor;
}

}  // namespace runfold::cli

// runfold version: says which release this is.
#include "cli/command.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace runfold::cli {

void add_version(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("version", "Say which release this is");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON document");
  command->callback([json, &invocation] {
    invocation.action = [json, &invocation] {
      if (*json) {
        invocation.streams.out << "{\"version\":\"" RUNFOLD_VERSION "\"}\n";
      } else {
        invocation.streams.out << "runfold " RUNFOLD_VERSION "\n";
      }
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace runfold::cli

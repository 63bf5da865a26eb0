// The variables by which a connector finds its run.
#include "producer/agent/run_environment.hpp"

namespace runfold::agent {

Variables run_environment(const RunNames& run) {
  Variables variables{{"RUNFOLD_RUN_ID", run.run_id},
                      {"RUNFOLD_ATTEMPT", std::to_string(run.attempt)},
                      {"RUNFOLD_CONNECTOR", run.connector},
                      {"RUNFOLD_VERSION", run.version},
                      {"RUNFOLD_SITE", run.site},
                      {"TRACEPARENT", run.traceparent},
                      {"RUNFOLD_INTAKE_URL", run.intake_url},
                      {"RUNFOLD_INTAKE_TOKEN", run.intake_token}};
  std::erase_if(variables, [](const auto& variable) { return variable.second.empty(); });
  return variables;
}

std::string shell_exports(const Variables& variables) {
  std::string text;
  for (const auto& [name, value] : variables) {
    text.append("export ").append(name).append("='");
    for (const char c : value) {
      // A quote within quotes is written outside of them.
      if (c == '\'') {
        text.append("'\\''");
      } else if (c != '\0') {
        text.push_back(c);
      }
    }
    text.append("'\n");
  }
  return text;
}

}  // namespace runfold::agent

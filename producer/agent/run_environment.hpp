// The variables by which a connector finds its run.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace runfold::agent {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// A run as its connector is told of it. What is empty is left out.
struct RunNames {
  std::string run_id;
  std::uint32_t attempt = 1;
  std::string connector;
  std::string version;
  std::string site;
  std::string traceparent;
  std::string intake_url;
  std::string intake_token;
};

/// RUNFOLD_RUN_ID, RUNFOLD_INTAKE_URL, RUNFOLD_INTAKE_TOKEN, TRACEPARENT and so on.
[[nodiscard]] Variables run_environment(const RunNames& run);

/// The same for a POSIX shell to evaluate: "export NAME='value'", one a line.
[[nodiscard]] std::string shell_exports(const Variables& variables);

}  // namespace runfold::agent

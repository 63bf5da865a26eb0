// A change of an agent's jobs as a line of text.
#pragma once

#include "producer/agent/job_file.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace runfold::agent {

/// A job that has left, by its token's hash.
struct LeftJob {
  std::string token_sha256;
};

/// Checksum, JSON, newline.
[[nodiscard]] std::string job_line(const RememberedJob& job);
[[nodiscard]] std::string job_line(const LeftJob& job);

/// Reads one, without its newline. Nothing: it is damaged, or none.
[[nodiscard]] std::optional<std::variant<RememberedJob, LeftJob>> read_job_line(std::string_view line);

}  // namespace runfold::agent

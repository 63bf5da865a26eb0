// The jobs of an agent on disk, for the agent that comes after it.
#pragma once

#include "producer/agent/descriptor.hpp"
#include "producer/agent/process_mark.hpp"
#include "producer/sdk/run.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace runfold::agent {

/// A job as it is remembered.
struct RememberedJob {
  /// Its run_id and attempt, names, promise, traceparent (the run's own span) and started_at. No secrets are in it.
  RunOptions options;
  /// The token itself is a secret, and is nowhere on disk. See JobTokens::hash_of().
  std::string token_sha256;
  /// Absent: it named no process, or one that the system does not show.
  std::optional<ProcessMark> process = {};
};

/// A file of registered jobs, which this object holds: while it lives no other agent uses it, and the kernel lets go of it however
/// the process ends.
///
/// One line a change is appended, each with its checksum; when what has gone outweighs what is there, the file is written anew
/// beside and renamed over it. Writes are not synced: it outlasts the end of any process. What cannot be read in it is told, set
/// aside as PATH.damaged, and stops nothing; nor does a disk that refuses: then the next change tries to write all.
/// Thread: one.
class JobFile {
 public:
  /// Told of trouble: a sentence, seldom. Never empty.
  using Tell = std::function<void(const std::string&)>;
  JobFile(std::filesystem::path path, Tell tell);
  /// Lets go of the file, and removes it when no job is in it.
  ~JobFile();
  JobFile(const JobFile&) = delete;
  JobFile& operator=(const JobFile&) = delete;

  /// Takes hold of the file, and gives the jobs in it. Call it first, and once.
  [[nodiscard]] std::vector<RememberedJob> open();
  /// False: another agent has it, or it cannot be opened. Then remember() and forget() do nothing.
  [[nodiscard]] bool is_held() const noexcept { return static_cast<bool>(file_); }
  /// It is held, and the last change stands in it: no disk refused it.
  [[nodiscard]] bool is_current() const noexcept { return is_held() && !failing_; }
  void remember(const RememberedJob& job);
  void forget(const std::string& token_sha256);

 private:
  bool hold();
  bool read(std::vector<RememberedJob>& jobs);
  bool read_line(std::string_view line, std::vector<RememberedJob>& jobs);
  void append(std::string line);
  bool write_anew();
  void fail(const std::string& what, int error);

  const std::filesystem::path path_;
  const Tell tell_;
  /// Closed: this agent's jobs are not remembered.
  Descriptor file_;
  std::size_t bytes_ = 0;
  /// What stands in the file of each job, by its token's hash; and how much that is.
  std::map<std::string, std::string> lines_;
  std::size_t live_bytes_ = 0;
  /// The last change is not in the file.
  bool failing_ = false;
};

}  // namespace runfold::agent

// runfold exec: runs a command as a run, and changes nothing about it.
#pragma once

#include "producer/agent/error.hpp"
#include "producer/sdk/producer.hpp"
#include "producer/sdk/settings.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace runfold::agent {

struct ExecOptions {
  std::vector<std::string> command;
  Settings settings;
  RunOptions run;
  /// The Container API to proxy. Empty: none.
  std::string container_api;
  /// True: one that cannot be proxied is an error. False: it is warned about, and the command calls it directly.
  bool container_api_required = true;
  /// A PEM file of further certificate authorities for it.
  std::string container_api_ca_file;
  /// The command and all that it started get SIGTERM when it has run this long, and what is left of them SIGKILL `kill_grace`
  /// later. Absent: no limit.
  std::optional<std::chrono::milliseconds> timeout;
  std::chrono::milliseconds kill_grace{10'000};
  /// How long after the command's end something it started may keep its output open. What is in the pipe then is still
  /// passed on; what comes later is not.
  std::chrono::milliseconds output_grace{1'000};
  /// How long the records may take to reach Kafka after the command's end.
  std::chrono::milliseconds flush_timeout{5'000};
  /// The same, when Kafka has not acknowledged a single record of this run until then: it is then probably not there.
  std::chrono::milliseconds first_flush_timeout{2'000};
  /// The same, when moreover Kafka is known to refuse connections. With a spool there is no such wait.
  std::chrono::milliseconds unreachable_flush_timeout{250};
  /// False: the command writes to the descriptor below itself, and nothing of it is recorded. So it is without Kafka, too.
  bool record_stdout = true;
  bool record_stderr = true;
  /// Of more stdout than this its beginning is recorded, and its end (a quarter as much, at most 256 KiB) when it has ended.
  std::size_t stdout_bytes = 16 * 1024 * 1024;
  /// Where the command's output goes on to.
  int stdout_fd = 1;
  int stderr_fd = 2;
  /// True: the process has nothing else to do. Once all is acknowledged or given up it ends in here (_exit), waiting for no thread
  /// of the Kafka client's. With a spool it returns.
  bool ends_process = false;
  /// Makes the Kafka client. For tests, and for clients of one's own; empty: the usual one.
  Producer::ClientFactory make_client;
};

/// Runs the command and returns its exit code, or 128 + the signal that killed it; 127 and 126 as a shell for a command
/// that is not there or cannot be run.
///
/// The command's output, exit code and timing do not depend on Kafka. After the command's end this returns as soon as all
/// is acknowledged, and in any case within output_grace plus one of the three flush timeouts; unless a reader of our own
/// stdout or stderr holds up output that the command has written. SIGINT, SIGTERM, SIGHUP or SIGQUIT, then or before, and the
/// time limit bound that wait too, by twice output_grace; the process then ends in here (_exit), as a write still blocks.
///
/// Errors, all before the command runs: kInvalid for a setting that can never work, kSystem when there is no process to be had.
/// Thread: one, and no other thread of this process should exist (it forks).
[[nodiscard]] Result<int> exec(ExecOptions options);

}  // namespace runfold::agent

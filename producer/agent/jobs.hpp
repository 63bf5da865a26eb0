// The jobs that one agent serves: who is registered, by which token, and until when.
#pragma once

#include "producer/agent/intake_run.hpp"
#include "producer/agent/job_file.hpp"
#include "producer/agent/job_tokens.hpp"
#include "producer/sdk/producer.hpp"
#include "transport/http/message.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace runfold::agent {

struct JobLimits {
  /// How many may be registered at a time.
  std::size_t jobs = 1'000;
  /// A job without an os_pid that says nothing for this long is let go.
  std::chrono::milliseconds idle{std::chrono::hours(24)};
  /// How long after its process has ended what a job has sent may still come.
  std::chrono::milliseconds end_grace{1'000};
};

/// How jobs came to leave, counted.
struct JobEnds {
  std::uint64_t completed = 0;      ///< by a Completed
  std::uint64_t cancelled = 0;      ///< by somebody's wish
  std::uint64_t process_ended = 0;  ///< their process ended without a Completed
  std::uint64_t expired = 0;        ///< nothing was heard of them
  std::uint64_t superseded = 0;     ///< a higher attempt of the same run came
};

/// Holds a run for each job, from its registration to its end, and finds it by the job's token. With a file of jobs it remembers
/// them for the agent after it.
///
/// A run ends here by a Completed, by cancel(), or as an error when the job's process, whose os_pid it gave, ends without
/// one. No other end is known here: a job that expires, is superseded or is left is only let go of, and its run stays open
/// for the collector to judge.
/// Thread: the executor's.
class Jobs {
 public:
  /// `producer` outlives it. Throws when the kernel has no random bytes.
  Jobs(boost::asio::any_io_executor executor, Producer& producer, JobLimits limits);
  /// As leave().
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  /// What a job gets: the names under which it speaks.
  struct Registered {
    std::string run_id;
    std::uint32_t attempt = 1;
    std::string token;
    std::string traceparent;
  };
  /// Starts the job's run (see parse_job). Refused: with too many jobs (503), a run that is registered in this attempt or a
  /// later one (409), a process that is not there (400).
  [[nodiscard]] std::variant<Registered, http::Problem> add(RunOptions job);

  /// Remembers jobs in that file from now on, and goes on with those that an agent before this one has left there: the same
  /// tokens speak for the same runs, each from a source of its own. One whose process has ended since then ends as one whose
  /// process ends here. Call it before add(), at most once. Gives how many they are.
  std::size_t take_up(std::unique_ptr<JobFile> file);

  /// By the request's token. Refused: 401, or 410 for that of a job that has left.
  [[nodiscard]] FoundRun find(const http::Request& request);
  /// Whether it is the token of that run's job.
  [[nodiscard]] bool speaks_for(std::string_view token, std::string_view run_id) const;

  /// Ends the run as cancelled. False: no such job.
  bool cancel(std::string_view run_id);
  /// Lets go of the file, as it is now, for the next agent. A process that ends after this is seen by that one too: of two ends of
  /// its run the collector keeps the earlier.
  void hand_over() noexcept;
  /// Lets all of them go, and says how many they were. What is remembered of them stays.
  std::size_t leave();
  /// They have been handed over, and all of them stand in the file: the agent after this one will know them.
  [[nodiscard]] bool handed_over() const noexcept { return handed_over_; }

  [[nodiscard]] std::size_t size() const noexcept { return by_token_.size(); }
  [[nodiscard]] bool full() const noexcept { return size() >= limits_.jobs; }
  [[nodiscard]] const JobLimits& limits() const noexcept { return limits_; }
  [[nodiscard]] const JobEnds& ends() const noexcept { return ends_; }

 private:
  struct Job;
  using Shared = std::shared_ptr<Job>;
  /// A pidfd: ready when the process has ended.
  using Process = boost::asio::posix::stream_descriptor;

  /// Refused: the process is not there, or cannot be watched.
  [[nodiscard]] std::variant<Process, http::Problem> process_of(const RunOptions& job) const;
  /// The run begins, or goes on. `process` is not open when it cannot be watched.
  Shared begin(RunOptions job, std::string token_sha256, Process process);
  void take_up(RememberedJob job);
  void remember(const Job& job, RunOptions options);
  boost::asio::awaitable<void> watch(Shared job);
  boost::asio::awaitable<void> end_without_word(Shared job, const char* why);
  bool complete(Job& job, const v1::SyncEvent& event);
  void expire(const std::weak_ptr<Job>& expired);
  /// False: it had left before. Whoever calls holds a reference.
  bool remove(Job& job);

  boost::asio::any_io_executor executor_;
  Producer& producer_;
  const JobLimits limits_;
  const JobTokens tokens_;
  std::unique_ptr<JobFile> file_;
  bool handed_over_ = false;
  /// By its hash: the tokens themselves are the jobs' alone.
  std::map<std::string, Shared, std::less<>> by_token_;
  std::map<std::string, Shared, std::less<>> by_run_;
  JobEnds ends_;
};

}  // namespace runfold::agent

// Registers jobs, watches their processes, lets them go, and takes up what an agent before has left.
#include "producer/agent/jobs.hpp"

#include "producer/agent/authorization.hpp"
#include "producer/agent/descriptor.hpp"
#include "producer/agent/process_mark.hpp"
#include "producer/delivery/fit.hpp"
#include "producer/delivery/text.hpp"
#include "producer/redact/redactor.hpp"
#include "producer/sdk/line.hpp"
#include "producer/sdk/random_id.hpp"
#include "producer/sdk/trace_context.hpp"
#include "transport/http/deadline.hpp"

#include <boost/asio.hpp>

#include <cerrno>
#include <functional>
#include <optional>
#include <utility>

namespace runfold::agent {
namespace {

namespace asio = boost::asio;

http::Problem no_such_process(std::uint64_t os_pid, int error) {
  if (!is_no_process(error)) {
    return {503, "Cannot watch the process", system_error("The agent cannot watch the job's process", error).message, {}};
  }
  return {400,
          "No such process",
          "The agent sees no process " + std::to_string(os_pid) + "; leave os_pid out when the job runs in another container or host.",
          {{"member", "/os_pid"}}};
}

/// Has the process watched by this descriptor of it. Gives what the system says against it.
int watch_with(asio::posix::stream_descriptor& process, Descriptor pidfd) {
  if (!pidfd) return errno;
  boost::system::error_code error;
  process.assign(pidfd.get(), error);
  if (!error) static_cast<void>(pidfd.release());
  return error.value();
}

}  // namespace

struct Jobs::Job {
  Job(Jobs& jobs, std::string hash_of_token, Run started, Process watched)
      : token_sha256(std::move(hash_of_token)),
        run(std::move(started)),
        run_id(run.run_id()),
        attempt(run.attempt()),
        intake(run_id,
               {[this](const v1::LogRecord& record) { return run.log(record); }, [this](v1::SyncEvent event) { return run.emit(event); }},
               [this, &jobs](v1::SyncEvent event) { return jobs.complete(*this, event); }),
        process(std::move(watched)),
        grace(jobs.executor_) {}

  const std::string token_sha256;
  Run run;
  /// Of the run, and still known when that was let go.
  const std::string run_id;
  const std::uint32_t attempt;
  IntakeRun intake;
  /// Not open: the job named none, or one that cannot be seen.
  Process process;
  asio::steady_timer grace;
  /// Of a job whose process is not watched.
  std::optional<http::Deadline> idle;
  bool left = false;
};

Jobs::Jobs(asio::any_io_executor executor, Producer& producer, JobLimits limits)
    : executor_(std::move(executor)), producer_(producer), limits_(limits) {}

Jobs::~Jobs() {
  leave();
}

std::variant<Jobs::Registered, http::Problem> Jobs::add(RunOptions job) {
  const auto before = by_run_.find(job.run_id);
  if (before != by_run_.end() && before->second->attempt >= job.attempt) {
    return http::Problem{409,
                         "Run is registered",
                         "A job speaks for run " + job.run_id + " already, in attempt " + std::to_string(before->second->attempt) +
                             "; give this one a run_id of its own or a higher attempt, or cancel that job.",
                         {{"member", "/run_id"}}};
  }
  if (before == by_run_.end() && full()) {
    return http::Problem{503,
                         "Too many jobs",
                         std::to_string(limits_.jobs) + " jobs are registered, and no more are taken; try again when one has ended, " +
                             "or start the agent with a higher --max-jobs.",
                         {}};
  }
  auto process = process_of(job);
  if (auto* refused = std::get_if<http::Problem>(&process)) return std::move(*refused);
  if (before != by_run_.end()) {
    const Shared superseded = before->second;
    if (remove(*superseded)) ++ends_.superseded;
    superseded->run.abandon();
  }

  // What the agent's own environment says is not the job's.
  if (job.run_id.empty()) job.run_id = random_uuid();
  if (job.traceparent.empty()) job.traceparent = new_trace().traceparent();
  std::string token = tokens_.make();
  RunOptions registered = job;
  const Shared added = begin(std::move(job), JobTokens::hash_of(token), std::get<Process>(std::move(process)));
  remember(*added, std::move(registered));
  return Registered{added->run_id, added->attempt, std::move(token), added->run.traceparent()};
}

std::variant<Jobs::Process, http::Problem> Jobs::process_of(const RunOptions& job) const {
  Process process(executor_);
  const std::uint64_t os_pid = job.os_pid.value_or(0);
  if (os_pid == 0) return process;
  const int error = watch_with(process, open_process(static_cast<pid_t>(os_pid)));
  if (error != 0) return no_such_process(os_pid, error);
  return process;
}

Jobs::Shared Jobs::begin(RunOptions job, std::string token_sha256, Process process) {
  const auto added = std::make_shared<Job>(*this, std::move(token_sha256), producer_.start_run(std::move(job)), std::move(process));
  by_token_.emplace(added->token_sha256, added);
  by_run_.insert_or_assign(added->run_id, added);
  if (added->process.is_open()) {
    asio::co_spawn(executor_, watch(added), asio::detached);
  } else {
    const auto on_passed = [this, expired = std::weak_ptr<Job>(added)] {
      // Not from within the deadline, which goes with the job.
      asio::post(executor_, [this, expired] { expire(expired); });
    };
    added->idle.emplace(executor_, on_passed);
    added->idle->set(limits_.idle);
  }
  return added;
}

// Names as they are told: one that holds a secret is another there, so no secret comes to the disk, and the next agent takes all of them.
void Jobs::remember(const Job& job, RunOptions options) {
  if (!file_) return;
  if (const auto clean = producer_.settings().redactor->replaced(options.account)) {
    options.account = delivery::cut(*clean, delivery::kMaxNameBytes);
  }
  options.connector_id = job.run.connector_id();
  options.version = job.run.version();
  options.site = job.run.site();
  options.run_id = job.run_id;
  options.traceparent = job.run.traceparent();
  options.started_at = std::chrono::system_clock::now();
  const auto os_pid = static_cast<pid_t>(options.os_pid.value_or(0));
  auto process = os_pid == 0 ? std::nullopt : mark_of(os_pid);
  file_->remember({.options = std::move(options), .token_sha256 = job.token_sha256, .process = std::move(process)});
}

std::size_t Jobs::take_up(std::unique_ptr<JobFile> file) {
  file_ = std::move(file);
  auto left = file_->open();
  for (RememberedJob& job : left) {
    if (!by_run_.contains(job.options.run_id)) take_up(std::move(job));
  }
  return size();
}

void Jobs::take_up(RememberedJob job) {
  FoundProcess found = job.process ? find_process(*job.process) : FoundProcess{};
  Process process(executor_);
  // One that cannot be watched here was promised heartbeats all the same, and gets them as long as its token lives.
  if (found.state == FoundProcess::State::kThere) static_cast<void>(watch_with(process, std::move(found.pidfd)));
  if (found.state == FoundProcess::State::kGone) job.options.sends_heartbeats = false;
  const Shared taken = begin(std::move(job.options), std::move(job.token_sha256), std::move(process));
  if (found.state != FoundProcess::State::kGone) return;
  taken->idle.reset();
  asio::co_spawn(executor_, end_without_word(taken, "the job's process ended without a Completed event while the agent was away"),
                 asio::detached);
}

FoundRun Jobs::find(const http::Request& request) {
  const std::string_view token = bearer_token(request);
  const auto at = by_token_.find(JobTokens::hash_of(token));
  if (at == by_token_.end()) {
    // One of an agent before this one is known by its hash, or not at all.
    if (!tokens_.made(token)) return not_authorised("the token that the job got when it registered (RUNFOLD_INTAKE_TOKEN)");
    return http::Problem{
        410, "Run has ended", "The run of this token has ended or was let go; register another one with POST /v1/jobs.", {}}
        .to_response();
  }
  const Shared& job = at->second;
  if (job->idle) job->idle->set(limits_.idle);
  return std::shared_ptr<IntakeRun>(job, &job->intake);
}

bool Jobs::speaks_for(std::string_view token, std::string_view run_id) const {
  const auto at = by_token_.find(JobTokens::hash_of(token));
  return at != by_token_.end() && at->second->run_id == run_id;
}

bool Jobs::complete(Job& job, const v1::SyncEvent& event) {
  if (!remove(job)) return false;
  ++ends_.completed;
  return job.run.emit(event);
}

bool Jobs::cancel(std::string_view run_id) {
  const auto at = by_run_.find(run_id);
  if (at == by_run_.end()) return false;
  const Shared job = at->second;
  if (!remove(*job)) return false;
  ++ends_.cancelled;
  job->run.finish({.result = v1::RUN_RESULT_CANCELLED, .error = "cancelled at the agent"});
  return true;
}

void Jobs::hand_over() noexcept {
  if (!file_) return;
  handed_over_ = file_->is_current();
  file_.reset();
}

std::size_t Jobs::leave() {
  const std::size_t left = size();
  hand_over();
  while (!by_token_.empty()) {
    const Shared job = by_token_.begin()->second;
    remove(*job);
    job->run.abandon();
  }
  return left;
}

asio::awaitable<void> Jobs::watch(Shared job) {
  boost::system::error_code error;
  co_await job->process.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
  if (error || job->left) co_return;
  co_await end_without_word(job, "the job's process ended without a Completed event");
}

asio::awaitable<void> Jobs::end_without_word(Shared job, const char* why) {
  const auto ended_at = std::chrono::steady_clock::now();
  boost::system::error_code error;
  job->grace.expires_after(limits_.end_grace);
  co_await job->grace.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (job->left || !remove(*job)) co_return;
  ++ends_.process_ended;
  RunEnd end;
  end.result = v1::RUN_RESULT_ERROR;
  end.error = why;
  end.ended_at = ended_at;
  job->run.finish(end);
}

void Jobs::expire(const std::weak_ptr<Job>& expired) {
  const Shared job = expired.lock();
  if (!job || !job->idle || !job->idle->passed() || !remove(*job)) return;
  ++ends_.expired;
  job->run.abandon();
  print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING,
                         "Runfold: the job of run " + job->run_id + " has said nothing for too long (--job-idle) and is let go");
}

bool Jobs::remove(Job& job) {
  if (std::exchange(job.left, true)) return false;
  by_run_.erase(job.run_id);
  by_token_.erase(job.token_sha256);
  if (file_) file_->forget(job.token_sha256);
  boost::system::error_code ignored;
  job.process.close(ignored);
  job.grace.cancel();
  return true;
}

}  // namespace runfold::agent

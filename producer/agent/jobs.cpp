// Registers jobs, watches their processes, and lets them go.
#include "producer/agent/jobs.hpp"

#include "producer/agent/authorization.hpp"
#include "producer/agent/descriptor.hpp"
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
  if (error != ESRCH && error != EINVAL) {
    return {503, "Cannot watch the process", system_error("The agent cannot watch the job's process", error).message, {}};
  }
  return {400,
          "No such process",
          "The agent sees no process " + std::to_string(os_pid) + "; leave os_pid out when the job runs in another container or host.",
          {{"member", "/os_pid"}}};
}

}  // namespace

struct Jobs::Job {
  Job(Jobs& jobs, Run started, asio::posix::stream_descriptor watched)
      : token(jobs.tokens_.make()),
        run(std::move(started)),
        run_id(run.run_id()),
        attempt(run.attempt()),
        intake(run_id,
               {[this](const v1::LogRecord& record) { return run.log(record); }, [this](v1::SyncEvent event) { return run.emit(event); }},
               [this, &jobs](v1::SyncEvent event) { return jobs.complete(*this, event); }),
        process(std::move(watched)),
        grace(jobs.executor_) {}

  const std::string token;
  Run run;
  /// Of the run, and still known when that was let go.
  const std::string run_id;
  const std::uint32_t attempt;
  IntakeRun intake;
  /// Ready when the process has ended; not open: the job named none.
  asio::posix::stream_descriptor process;
  asio::steady_timer grace;
  /// Of a job that named no process.
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
  asio::posix::stream_descriptor process(executor_);
  if (const std::uint64_t os_pid = job.os_pid.value_or(0); os_pid != 0) {
    Descriptor opened = open_process(static_cast<pid_t>(os_pid));
    if (!opened) return no_such_process(os_pid, errno);
    boost::system::error_code error;
    process.assign(opened.get(), error);
    if (error) return no_such_process(os_pid, error.value());
    static_cast<void>(opened.release());
  }
  if (before != by_run_.end()) {
    const Shared superseded = before->second;
    if (remove(*superseded)) ++ends_.superseded;
    superseded->run.abandon();
  }

  // What the agent's own environment says is not the job's.
  if (job.run_id.empty()) job.run_id = random_uuid();
  if (job.traceparent.empty()) job.traceparent = new_trace().traceparent();
  const auto added = std::make_shared<Job>(*this, producer_.start_run(std::move(job)), std::move(process));
  by_token_.emplace(added->token, added);
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
  return Registered{added->run_id, added->attempt, added->token, added->run.traceparent()};
}

FoundRun Jobs::find(const http::Request& request) {
  const std::string_view token = bearer_token(request);
  if (!tokens_.made(token)) return not_authorised("the token that the job got when it registered (RUNFOLD_INTAKE_TOKEN)");
  const auto at = by_token_.find(token);
  if (at == by_token_.end()) {
    return http::Problem{
        410, "Run has ended", "The run of this token has ended or was let go; register another one with POST /v1/jobs.", {}}
        .to_response();
  }
  const Shared& job = at->second;
  if (job->idle) job->idle->set(limits_.idle);
  return std::shared_ptr<IntakeRun>(job, &job->intake);
}

bool Jobs::speaks_for(std::string_view token, std::string_view run_id) const {
  if (!tokens_.made(token)) return false;
  const auto at = by_token_.find(token);
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

std::size_t Jobs::leave() {
  const std::size_t left = size();
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
  const auto ended_at = std::chrono::steady_clock::now();
  job->grace.expires_after(limits_.end_grace);
  co_await job->grace.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (job->left || !remove(*job)) co_return;
  ++ends_.process_ended;
  RunEnd end;
  end.result = v1::RUN_RESULT_ERROR;
  end.error = "the job's process ended without a Completed event";
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
  by_token_.erase(job.token);
  boost::system::error_code ignored;
  job.process.close(ignored);
  job.grace.cancel();
  return true;
}

}  // namespace runfold::agent

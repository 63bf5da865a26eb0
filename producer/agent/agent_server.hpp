// The HTTP side of runfold agent: registration, the intake, and how others watch the agent.
#pragma once

#include "producer/agent/error.hpp"
#include "producer/agent/jobs.hpp"
#include "producer/sdk/producer.hpp"
#include "transport/http/server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace runfold::agent {

struct AgentServerOptions {
  /// HOST:PORT
  std::string listen = "127.0.0.1:8731";
  /// What registers and cancels jobs. Not empty.
  std::string token;
  JobLimits jobs;
  std::size_t body_bytes = 1024 * 1024;
};

/// Serves
/// - POST /v1/jobs (the agent's token): registers a job, see parse_job; 201 with its run_id, token, traceparent, and the
///   environment to give it; with "Accept: text/plain" that environment alone, for a shell to evaluate
/// - DELETE /v1/jobs/{run_id} (the agent's token, or the job's own): cancels it
/// - POST /v1/job/log and POST /v1/events (the job's token): see IntakeRun. A Completed ends the run.
/// - GET /metrics, /livez, /readyz: 503 when no more jobs are taken
///
/// Thread: the executor's.
class AgentServer {
 public:
  /// `producer` outlives it. With a spool, and on a port that is not 0, it remembers its jobs there, and goes on with those that an
  /// agent of the same port has left (see Jobs::take_up).
  /// Errors: kInvalid for an address that cannot be listened on, kSystem for one that is taken.
  [[nodiscard]] static Result<std::unique_ptr<AgentServer>> listen(boost::asio::any_io_executor executor, Producer& producer,
                                                                   AgentServerOptions options);

  /// http://HOST:PORT
  [[nodiscard]] std::string url() const { return "http://" + server_->address(); }

  /// Serves until stop(). Then lets go of the jobs that are under way, and says how many they were.
  [[nodiscard]] boost::asio::awaitable<std::size_t> run();
  /// Whether the next agent will know the jobs that run() lets go of.
  [[nodiscard]] bool remembers_jobs() const noexcept { return jobs_.handed_over(); }
  /// Takes no more jobs and connections; requests under way may finish within `grace`. Those of jobs that the next agent will know are
  /// answered 503, to be sent to that one.
  void stop(std::chrono::milliseconds grace);

 private:
  AgentServer(boost::asio::any_io_executor executor, Producer& producer, AgentServerOptions options);
  void take_up_jobs();
  [[nodiscard]] http::Router router();
  // What refuses a request before its body is read.
  [[nodiscard]] std::optional<http::Response> may_register(const http::Request& head) const;
  [[nodiscard]] std::optional<http::Response> may_cancel(const http::Request& head) const;
  [[nodiscard]] http::Response register_job(const http::Request& request);
  [[nodiscard]] http::Response cancel_job(const http::Request& request);
  [[nodiscard]] http::Response metrics() const;
  [[nodiscard]] http::Response readiness() const;
  /// How the one who asks reaches this server.
  [[nodiscard]] std::string url_for(const http::Request& request) const;

  const AgentServerOptions options_;
  Producer& producer_;
  Jobs jobs_;
  bool stopping_ = false;
  std::unique_ptr<http::Server> server_;
};

}  // namespace runfold::agent

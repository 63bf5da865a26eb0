// Routes requests to the jobs.
#include "producer/agent/agent_server.hpp"

#include "producer/agent/agent_metrics.hpp"
#include "producer/agent/authorization.hpp"
#include "producer/agent/intake_run.hpp"
#include "producer/agent/parse_job.hpp"
#include "producer/agent/run_environment.hpp"
#include "producer/sdk/line.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string_view>
#include <utility>
#include <variant>

namespace runfold::agent {
namespace {

namespace json = boost::json;

constexpr std::string_view kAgentToken =
    "the agent's token: its --token-file, RUNFOLD_AGENT_TOKEN, or the file that it named when it started";

bool is_loopback(std::string_view peer) {
  return peer.starts_with("127.") || peer.starts_with("[::1]") || peer.starts_with("[::ffff:127.");
}

/// HOST or HOST:PORT with nothing in it that would mean something elsewhere.
bool is_plain_host(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

/// A gate for those who need no token: a body of theirs would only take memory.
std::optional<http::Response> has_no_body(const http::Request& head) {
  if (head.fields.get("content-length").value_or("0") == "0" && !head.fields.get("transfer-encoding")) return std::nullopt;
  return http::Problem{413, "Content Too Large", "This takes no body.", {}}.to_response();
}

void print(v1::Severity severity, const std::string& message) {
  print_line_if_writable(std::chrono::system_clock::now(), severity, "Runfold: " + message);
}

// A job that has been handed over would not learn here that it ended, and a new one would be forgotten.
http::Response ask_the_next_agent() {
  return http::Problem{503, "Agent stops", "The agent is stopping and takes nothing more; try again, and the next one answers.", {}}
      .to_response();
}

http::Response registered(const RunNames& names, bool for_shell) {
  Variables environment = run_environment(names);
  // What speaks for this run in the job leaves its beginning and end to us.
  environment.emplace_back("RUNFOLD_AGENT_RUN", names.run_id);
  http::Response response;
  if (for_shell) {
    response = http::Response::text(shell_exports(environment), 201);
  } else {
    json::object variables;
    for (const auto& [name, value] : environment) variables[name] = value;
    const json::object job{{"run_id", names.run_id},         {"attempt", names.attempt},         {"token", names.intake_token},
                           {"intake_url", names.intake_url}, {"traceparent", names.traceparent}, {"environment", std::move(variables)}};
    response = http::Response::json(json::serialize(job), 201);
  }
  response.fields.set("Cache-Control", "no-store");
  return response;
}

}  // namespace

AgentServer::AgentServer(boost::asio::any_io_executor executor, Producer& producer, AgentServerOptions options)
    : options_(std::move(options)), producer_(producer), jobs_(std::move(executor), producer, options_.jobs) {}

Result<std::unique_ptr<AgentServer>> AgentServer::listen(boost::asio::any_io_executor executor, Producer& producer,
                                                         AgentServerOptions options) {
  std::unique_ptr<AgentServer> agent(new AgentServer(executor, producer, std::move(options)));
  http::ServerLimits limits;
  limits.body_bytes = agent->options_.body_bytes;
  const auto on_error = [](const std::string& message) { print(v1::SEVERITY_ERROR, message); };
  auto server = http::Server::listen(std::move(executor), agent->options_.listen, agent->router(), limits, on_error);
  if (!server) return Error{server.error().code == http::Errc::kAddressInUse ? Errc::kSystem : Errc::kInvalid, server.error().message};
  agent->server_ = std::move(*server);
  agent->take_up_jobs();
  return agent;
}

// By the port: where its jobs look for it. One that any free port was picked for, no job finds again.
void AgentServer::take_up_jobs() {
  const std::filesystem::path spool = producer_.settings().spool_folder;
  if (spool.empty() || options_.listen.ends_with(":0")) return;
  const std::string address = server_->address();
  auto file = std::make_unique<JobFile>(spool / ("agent-" + address.substr(address.rfind(':') + 1) + ".jobs"),
                                        [](const std::string& message) { print(v1::SEVERITY_WARNING, message); });
  if (const std::size_t taken = jobs_.take_up(std::move(file)); taken > 0) {
    print(v1::SEVERITY_INFO, "jobs of an earlier agent that go on here: " + std::to_string(taken));
  }
}

boost::asio::awaitable<std::size_t> AgentServer::run() {
  co_await server_->run();
  co_return jobs_.leave();
}

void AgentServer::stop(std::chrono::milliseconds grace) {
  stopping_ = true;
  jobs_.hand_over();  // before the port is free: who gets that gets the jobs
  server_->stop(grace);
}

http::Router AgentServer::router() {
  http::Router router;
  const auto add = [&](std::string_view method, std::string_view path, http::Gate gate,
                       std::function<http::Response(const http::Request&)> answer) {
    auto handler = [answer = std::move(answer)](const http::Request& request) -> boost::asio::awaitable<http::Response> {
      co_return answer(request);
    };
    router.add(method, path, {}, std::move(handler), std::move(gate));
  };
  const auto own = [this](auto member) { return std::bind_front(member, this); };
  add("POST", "/v1/jobs", own(&AgentServer::may_register), own(&AgentServer::register_job));
  add("DELETE", "/v1/jobs/{run_id}", own(&AgentServer::may_cancel), own(&AgentServer::cancel_job));
  add_intake_routes(router, [this](const http::Request& request) -> FoundRun {
    auto found = jobs_.find(request);
    if (std::holds_alternative<std::shared_ptr<IntakeRun>>(found) && jobs_.handed_over()) return ask_the_next_agent();
    return found;
  });
  add("GET", "/livez", has_no_body, [](const http::Request&) { return http::Response::text("ok\n"); });
  add("GET", "/readyz", has_no_body, [this](const http::Request&) { return readiness(); });
  add("GET", "/metrics", has_no_body, [this](const http::Request&) { return metrics(); });
  return router;
}

std::optional<http::Response> AgentServer::may_register(const http::Request& head) const {
  if (same_token(bearer_token(head), options_.token)) return std::nullopt;
  return not_authorised(kAgentToken);
}

std::optional<http::Response> AgentServer::may_cancel(const http::Request& head) const {
  const std::string_view token = bearer_token(head);
  if (same_token(token, options_.token) || jobs_.speaks_for(token, head.path_parameter("run_id"))) return std::nullopt;
  return not_authorised(std::string(kAgentToken) + "; or the job's own");
}

http::Response AgentServer::register_job(const http::Request& request) {
  if (stopping_) return ask_the_next_agent();
  auto job = parse_job(request.body);
  if (!job) return bad_request(job.error());
  if (*job->os_pid != 0 && !is_loopback(request.peer)) {
    return bad_request({"/os_pid", "The member os_pid names a process of the agent's host; leave it out from elsewhere."});
  }
  RunNames names;
  names.connector = job->connector_id;
  names.version = job->version;
  names.site = job->site;
  auto added = jobs_.add(std::move(*job));
  if (const auto* refused = std::get_if<http::Problem>(&added)) return refused->to_response();
  auto& run = std::get<Jobs::Registered>(added);
  names.run_id = std::move(run.run_id);
  names.attempt = run.attempt;
  names.traceparent = std::move(run.traceparent);
  names.intake_url = url_for(request);
  names.intake_token = std::move(run.token);
  return registered(names, request.fields.get("accept").value_or("").starts_with("text/plain"));
}

http::Response AgentServer::cancel_job(const http::Request& request) {
  if (jobs_.handed_over()) return ask_the_next_agent();
  const std::string run_id(request.path_parameter("run_id"));
  if (!jobs_.cancel(run_id)) {
    return http::Problem{404, "No such job", "No job of run " + run_id + " is registered; it has ended, or never was.", {}}.to_response();
  }
  return http::Response::json(json::serialize(json::object{{"run_id", run_id}, {"result", "cancelled"}}));
}

http::Response AgentServer::metrics() const {
  http::Response response = http::Response::text(agent_metrics(producer_.report(), jobs_));
  response.fields.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  return response;
}

http::Response AgentServer::readiness() const {
  json::object document{{"ready", !stopping_ && !jobs_.full()}};
  if (stopping_) document["reasons"] = {{"agent", "it is stopping"}};
  if (jobs_.full()) document["reasons"] = {{"jobs", "as many are registered as --max-jobs allows"}};
  return http::Response::json(json::serialize(document), document["ready"].as_bool() ? 200 : 503);
}

std::string AgentServer::url_for(const http::Request& request) const {
  const std::string_view host = request.fields.get("host").value_or("");
  return is_plain_host(host) ? "http://" + std::string(host) : url();
}

}  // namespace runfold::agent

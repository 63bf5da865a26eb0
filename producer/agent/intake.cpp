// Serves the loopback intake: checks the token, reads the body, hands records to the run.
#include "producer/agent/intake.hpp"

#include "producer/agent/descriptor.hpp"
#include "producer/agent/parse.hpp"

#include <openssl/crypto.h>

#include <sys/random.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace runfold::agent {
namespace {

constexpr std::string_view kBearer = "Bearer ";

bool is_type(const http::Request& request, std::string_view wanted) {
  const std::string_view type = request.fields.get("content-type").value_or("");
  return type.substr(0, type.find(';')) == wanted;
}

http::Response bad_request(const BadInput& bad) {
  http::Problem problem{400, "Invalid body", bad.message, {}};
  if (!bad.member.empty()) problem.members.emplace_back("member", bad.member);
  return problem.to_response();
}

http::Response accepted(std::size_t count) {
  return http::Response::json("{\"accepted\":" + std::to_string(count) + "}", 202);
}

}  // namespace

Result<std::string> random_token() {
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) return system_error("cannot get random bytes", errno);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : bytes) {
    token.push_back(kHex[byte >> 4]);
    token.push_back(kHex[byte & 15]);
  }
  return token;
}

Intake::Intake(RunSink sink, IntakeOptions options) : sink_(std::move(sink)), options_(std::move(options)) {}

Result<std::unique_ptr<Intake>> Intake::listen(boost::asio::any_io_executor executor, RunSink sink, IntakeOptions options) {
  if (options.token.empty()) {
    auto token = random_token();
    if (!token) return token.error();
    options.token = std::move(*token);
  }
  http::ServerLimits limits;
  limits.body_bytes = options.body_bytes;
  std::unique_ptr<Intake> intake(new Intake(std::move(sink), std::move(options)));
  auto server = http::Server::listen(std::move(executor), "127.0.0.1:0", intake->router(), limits);
  if (!server) return Error{Errc::kSystem, "cannot open the intake: " + server.error().message};
  intake->server_ = std::move(*server);
  return intake;
}

std::string Intake::url() const {
  return "http://" + server_->address();
}

http::Router Intake::router() {
  http::Router router;
  router.add("POST", "/v1/job/log", {}, [this](const http::Request& request) -> boost::asio::awaitable<http::Response> {
    if (auto refusal = refuse(request)) co_return std::move(*refusal);
    co_return take_logs(request);
  });
  router.add("POST", "/v1/events", {}, [this](const http::Request& request) -> boost::asio::awaitable<http::Response> {
    if (auto refusal = refuse(request)) co_return std::move(*refusal);
    co_return take_events(request);
  });
  return router;
}

std::optional<http::Response> Intake::refuse(const http::Request& request) const {
  const std::string_view given = request.fields.get("authorization").value_or("");
  const std::string& token = options_.token;
  const bool bearer = given.size() == kBearer.size() + token.size() && given.starts_with(kBearer);
  if (bearer && CRYPTO_memcmp(given.data() + kBearer.size(), token.data(), token.size()) == 0) return std::nullopt;
  http::Response response = http::Problem{
      401,
      "Not authorised",
      "Send the header \"Authorization: Bearer TOKEN\" with the token in RUNFOLD_INTAKE_TOKEN.",
      {}}.to_response();
  response.fields.set("WWW-Authenticate", "Bearer");
  return response;
}

http::Response Intake::take_logs(const http::Request& request) {
  auto records = parse_logs(request.body);
  if (!records) return bad_request(records.error());
  std::size_t count = 0;
  for (v1::LogRecord& record : *records) count += sink_.log(std::move(record)) ? 1 : 0;
  return accepted(count);
}

http::Response Intake::take_events(const http::Request& request) {
  Parsed<std::vector<v1::SyncEvent>> events = std::vector<v1::SyncEvent>{};
  if (is_type(request, "application/protobuf") || is_type(request, "application/x-protobuf")) {
    auto event = parse_binary_event(request.body);
    if (!event) return bad_request(event.error());
    events->push_back(std::move(*event));
  } else {
    events = parse_events(request.body);
    if (!events) return bad_request(events.error());
  }
  for (std::size_t i = 0; i < events->size(); ++i) {
    const std::string& run_id = (*events)[i].identity().run_id();
    if (run_id.empty() || run_id == options_.run_id) continue;
    return bad_request({std::string("/").append(std::to_string(i)).append("/identity/runId"),
                        "The event is of another run than this intake's, " + options_.run_id + "; leave identity out, it is filled in."});
  }
  std::size_t count = 0;
  for (v1::SyncEvent& event : *events) count += take(std::move(event)) ? 1 : 0;
  return accepted(count);
}

bool Intake::take(v1::SyncEvent event) {
  switch (event.event_case()) {
    case v1::SyncEvent::kStarted:
      return true;
    case v1::SyncEvent::kCompleted:
      declared_end_ = std::move(*event.mutable_completed());
      return true;
    case v1::SyncEvent::kStepStarted:
      if (open_steps_.size() < 1000) open_steps_.insert(event.step_started().step_id());
      break;
    case v1::SyncEvent::kStepCompleted:
      open_steps_.erase(event.step_completed().step_id());
      break;
    case v1::SyncEvent::kStepFailed:
      open_steps_.erase(event.step_failed().step_id());
      break;
    default:
      break;
  }
  return sink_.emit(std::move(event));
}

}  // namespace runfold::agent

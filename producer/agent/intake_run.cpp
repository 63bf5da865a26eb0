// Reads the bodies, and hands records to the run.
#include "producer/agent/intake_run.hpp"

#include "producer/agent/parse.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

constexpr std::size_t kMaxOpenSteps = 1'000;

bool is_type(const http::Request& request, std::string_view wanted) {
  const std::string_view type = request.fields.get("content-type").value_or("");
  return type.substr(0, type.find(';')) == wanted;
}

http::Response accepted(std::size_t count) {
  return http::Response::json("{\"accepted\":" + std::to_string(count) + "}", 202);
}

Parsed<std::vector<v1::SyncEvent>> read_events(const http::Request& request) {
  if (!is_type(request, "application/protobuf") && !is_type(request, "application/x-protobuf")) return parse_events(request.body);
  auto event = parse_binary_event(request.body);
  if (!event) return event.error();
  return std::vector<v1::SyncEvent>{std::move(*event)};
}

}  // namespace

http::Response bad_request(const BadInput& bad) {
  http::Problem problem{400, "Invalid body", bad.message, {}};
  if (!bad.member.empty()) problem.members.emplace_back("member", bad.member);
  return problem.to_response();
}

IntakeRun::IntakeRun(std::string run_id, RunSink sink, Complete complete)
    : run_id_(std::move(run_id)), sink_(std::move(sink)), complete_(std::move(complete)) {}

http::Response IntakeRun::take_logs(const http::Request& request) {
  auto records = parse_logs(request.body);
  if (!records) return bad_request(records.error());
  std::size_t count = 0;
  for (const v1::LogRecord& record : *records) count += sink_.log(record) ? 1 : 0;
  return accepted(count);
}

http::Response IntakeRun::take_events(const http::Request& request) {
  auto events = read_events(request);
  if (!events) return bad_request(events.error());
  for (std::size_t i = 0; i < events->size(); ++i) {
    const std::string& run_id = (*events)[i].identity().run_id();
    if (run_id.empty() || run_id == run_id_) continue;
    return bad_request({std::string("/").append(std::to_string(i)).append("/identity/runId"),
                        "The event is of another run than this token's, " + run_id_ + "; leave identity out, it is filled in."});
  }
  std::size_t count = 0;
  std::optional<v1::SyncEvent> end;
  for (v1::SyncEvent& event : *events) {
    if (!event.has_completed()) {
      count += take(std::move(event)) ? 1 : 0;
    } else {
      if (end) ++count;  // the one before, in whose place this one comes
      end = std::move(event);
    }
  }
  if (end) count += complete_(std::move(*end)) ? 1 : 0;
  return accepted(count);
}

bool IntakeRun::take(v1::SyncEvent event) {
  switch (event.event_case()) {
    case v1::SyncEvent::kStarted:
      return true;
    case v1::SyncEvent::kStepStarted:
      if (open_steps_.size() < kMaxOpenSteps) open_steps_.insert(event.step_started().step_id());
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

void add_intake_routes(http::Router& router, const FindRun& find) {
  using Take = http::Response (IntakeRun::*)(const http::Request&);
  const auto add = [&](std::string_view path, Take take) {
    auto handler = [find, take](const http::Request& request) -> boost::asio::awaitable<http::Response> {
      auto found = find(request);
      if (auto* refusal = std::get_if<http::Response>(&found)) co_return std::move(*refusal);
      co_return ((*std::get<std::shared_ptr<IntakeRun>>(found)).*take)(request);
    };
    const auto gate = [find](const http::Request& head) -> std::optional<http::Response> {
      auto found = find(head);
      auto* refusal = std::get_if<http::Response>(&found);
      return refusal == nullptr ? std::nullopt : std::optional(std::move(*refusal));
    };
    router.add("POST", path, {}, std::move(handler), gate);
  };
  add("/v1/job/log", &IntakeRun::take_logs);
  add("/v1/events", &IntakeRun::take_events);
}

}  // namespace runfold::agent

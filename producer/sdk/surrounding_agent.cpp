// Found by the environment, spoken to through its intake.
#include "producer/sdk/surrounding_agent.hpp"

#include "producer/redact/redactor.hpp"
#include "producer/sdk/environment.hpp"
#include "producer/sdk/error_text.hpp"
#include "transport/http/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace runfold {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Between two attempts: at first, and at most.
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{320};
constexpr unsigned kUnavailable = 503;

/// An agent that started again, or whose job has left: it will never tell this end.
bool knows_no_such_job(unsigned status) noexcept {
  return status == 401 || status == 403 || status == 404 || status == 410;
}

}  // namespace

std::optional<SurroundingAgent> SurroundingAgent::of_run(std::string_view run_id, std::uint32_t attempt) {
  auto url = environment("RUNFOLD_INTAKE_URL");
  auto token = environment("RUNFOLD_INTAKE_TOKEN");
  if (!url || !token || environment("RUNFOLD_AGENT_RUN") != run_id || environment_attempt().value_or(1) != attempt) return std::nullopt;
  SurroundingAgent out;
  out.intake_url_ = std::move(*url);
  out.token_ = std::move(*token);
  return out;
}

// A run may end in a destructor: where an event loop cannot be made (no descriptor is left), that is an answer too.
std::optional<NotTaken> SurroundingAgent::take_end(const v1::SyncEvent& completed, milliseconds limit) const noexcept {
  try {
    return hand_over(completed, limit);
  } catch (...) {
    return NotTaken{.why = error_text(std::current_exception())};
  }
}

std::optional<NotTaken> SurroundingAgent::hand_over(const v1::SyncEvent& completed, milliseconds limit) const {
  v1::SyncEvent bare = completed;
  bare.clear_identity();
  const std::string body = bare.SerializeAsString();
  const auto until = steady_clock::now() + limit;
  milliseconds left = limit;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    auto failure = send(body, left);
    if (!failure) return std::nullopt;
    left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now()) - pause;
    if (!failure->may_pass || left <= milliseconds(0)) return std::move(failure->not_taken);
    boost::asio::io_context loop;
    boost::asio::steady_timer(loop, pause).wait();
  }
}

std::optional<SurroundingAgent::Failure> SurroundingAgent::send(std::string body, milliseconds limit) const {
  http::ClientRequest request("POST", intake_url_ + "/v1/events");
  request.fields.set("Authorization", "Bearer " + token_);
  request.fields.set("Content-Type", "application/protobuf");
  request.body = std::move(body);
  const auto response = http::send_blocking(std::move(request), limit);
  if (!response) {
    const bool unreached = response.error().code == http::Errc::kConnect;
    return Failure{{.why = response.error().message, .for_certain = unreached}, unreached};
  }
  if (response->status < 300) return std::nullopt;
  return Failure{{.why = redact::without_credentials(intake_url_) + " answered " + std::to_string(response->status),
                  .for_certain = knows_no_such_job(response->status)},
                 response->status == kUnavailable};
}

}  // namespace runfold

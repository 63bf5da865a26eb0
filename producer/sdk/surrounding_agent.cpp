// Found by the environment, spoken to through its intake.
#include "producer/sdk/surrounding_agent.hpp"

#include "producer/redact/redactor.hpp"
#include "producer/sdk/environment.hpp"
#include "producer/sdk/error_text.hpp"
#include "transport/http/client.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace runfold {
namespace {

constexpr std::chrono::seconds kPatience{2};

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
std::optional<NotTaken> SurroundingAgent::take_end(const v1::SyncEvent& completed) const noexcept {
  try {
    return hand_over(completed);
  } catch (...) {
    return NotTaken{.why = error_text(std::current_exception())};
  }
}

std::optional<NotTaken> SurroundingAgent::hand_over(const v1::SyncEvent& completed) const {
  v1::SyncEvent bare = completed;
  bare.clear_identity();
  http::ClientRequest request("POST", intake_url_ + "/v1/events");
  request.fields.set("Authorization", "Bearer " + token_);
  request.fields.set("Content-Type", "application/protobuf");
  request.body = bare.SerializeAsString();
  const auto response = http::send_blocking(std::move(request), kPatience);
  if (!response) return NotTaken{.why = response.error().message, .for_certain = response.error().code == http::Errc::kConnect};
  if (response->status < 300) return std::nullopt;
  return NotTaken{.why = redact::without_credentials(intake_url_) + " answered " + std::to_string(response->status),
                  .for_certain = knows_no_such_job(response->status)};
}

}  // namespace runfold

// Logger: one line to stderr, one record to delivery.
#include "producer/sdk/logger.hpp"

#include "producer/sdk/line.hpp"
#include "producer/sdk/place.hpp"
#include "producer/sdk/run_core.hpp"

#include <boost/json/serialize.hpp>

#include <optional>
#include <string>
#include <utility>

namespace runfold {
namespace {

// Errors and warnings always pass.
bool is_limited(v1::Severity severity) noexcept {
  return severity == v1::SEVERITY_UNSPECIFIED || severity >= v1::SEVERITY_NOTICE;
}

}  // namespace

Logger::Logger(std::shared_ptr<const Place> place) noexcept : place_(std::move(place)) {}

void Logger::log(v1::Severity severity, std::string_view message, LogFields fields, std::source_location site) {
  const auto now = std::chrono::system_clock::now();
  // stderr may be recorded by a runfold exec around us, which does not know what was registered here.
  const auto clean = place_ ? place_->core->redactor().replaced(message) : std::nullopt;
  if (clean) message = *clean;
  print_line(now, severity, message);
  if (!place_) return;
  switch (is_limited(severity) ? place_->core->judge(site) : SiteLimits::Verdict::kPass) {
    case SiteLimits::Verdict::kPass:
      break;
    case SiteLimits::Verdict::kHoldFirst:
      return warn_of_storm(fields, site);
    case SiteLimits::Verdict::kHold:
      return;
  }
  std::string detail;
  if (!fields.detail.is_null()) detail = boost::json::serialize(fields.detail);
  place_->core->log(delivery::LogView{.logged_at_ns = since_epoch_ns(now),
                                      .severity = severity,
                                      .stream = v1::LOG_STREAM_APPLICATION,
                                      .message = message,
                                      .step_id = fields.step.empty() ? std::string_view(place_->step_id) : fields.step,
                                      .detail_json = detail});
}

void Logger::warn_of_storm(const LogFields& fields, const std::source_location& site) {
  const std::string_view path = site.file_name();
  const auto& rate = place_->core->site_rate();
  log(v1::SEVERITY_WARNING,
      "Runfold: " + std::string(path.substr(path.rfind('/') + 1)) + ":" + std::to_string(site.line()) +
          " seems to log a line for each record: more than " + std::to_string(rate.burst) + " at once or " +
          std::to_string(rate.per_second) +
          " a second. What is beyond goes to stderr alone and is counted as rate_limited. Better log a count at the start and the end, "
          "and a warning for each record that failed.",
      {.step = fields.step, .detail = {{"file", path}, {"line", site.line()}, {"function", site.function_name()}}}, site);
}

void Logger::debug(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_DEBUG, message, std::move(fields), site);
}
void Logger::info(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_INFO, message, std::move(fields), site);
}
void Logger::notice(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_NOTICE, message, std::move(fields), site);
}
void Logger::warn(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_WARNING, message, std::move(fields), site);
}
void Logger::error(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_ERROR, message, std::move(fields), site);
}
void Logger::critical(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_CRITICAL, message, std::move(fields), site);
}
void Logger::alert(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_ALERT, message, std::move(fields), site);
}
void Logger::emergency(std::string_view message, LogFields fields, std::source_location site) {
  log(v1::SEVERITY_EMERGENCY, message, std::move(fields), site);
}

}  // namespace runfold

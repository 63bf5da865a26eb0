// Logger: one line to stderr, one record to delivery.
#include "producer/sdk/logger.hpp"

#include "producer/sdk/line.hpp"
#include "producer/sdk/place.hpp"
#include "producer/sdk/run_core.hpp"

#include <boost/json/serialize.hpp>

#include <utility>

namespace runfold {

Logger::Logger(std::shared_ptr<const Place> place) noexcept : place_(std::move(place)) {}

void Logger::log(v1::Severity severity, std::string_view message, LogFields fields) {
  const auto now = std::chrono::system_clock::now();
  print_line(now, severity, message);
  if (!place_) return;
  std::string detail;
  if (!fields.detail.is_null()) detail = boost::json::serialize(fields.detail);
  place_->core->log(delivery::LogView{.logged_at_ns = since_epoch_ns(now),
                                      .severity = severity,
                                      .stream = v1::LOG_STREAM_APPLICATION,
                                      .message = message,
                                      .step_id = fields.step.empty() ? std::string_view(place_->step_id) : fields.step,
                                      .detail_json = detail});
}

void Logger::debug(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_DEBUG, message, std::move(fields));
}
void Logger::info(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_INFO, message, std::move(fields));
}
void Logger::notice(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_NOTICE, message, std::move(fields));
}
void Logger::warn(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_WARNING, message, std::move(fields));
}
void Logger::error(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_ERROR, message, std::move(fields));
}
void Logger::critical(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_CRITICAL, message, std::move(fields));
}
void Logger::alert(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_ALERT, message, std::move(fields));
}
void Logger::emergency(std::string_view message, LogFields fields) {
  log(v1::SEVERITY_EMERGENCY, message, std::move(fields));
}

}  // namespace runfold

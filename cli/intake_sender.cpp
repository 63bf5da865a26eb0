// Sends records through the loopback intake of the runfold exec around us.
#include "cli/sender.hpp"
#include "cli/table.hpp"
#include "producer/redact/records.hpp"
#include "transport/http/client.hpp"

#include <boost/json.hpp>

#include <google/protobuf/util/json_util.h>

#include <utility>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kBodyBytes = 256 * 1024;

class IntakeSender final : public Sender {
 public:
  IntakeSender(std::string url, std::string token, std::string run_id, std::shared_ptr<const redact::Redactor> redactor,
               std::chrono::milliseconds limit)
      : url_(std::move(url)), token_(std::move(token)), run_id_(std::move(run_id)), redactor_(std::move(redactor)), limit_(limit) {}

  // The runfold exec around us does not know what was registered here.
  Outcome<> event(v1::SyncEvent event) override {
    if (auto clean = redact::redacted(*redactor_, event)) event = std::move(*clean);
    std::string text;
    const auto status = google::protobuf::util::MessageToJsonString(event, &text);
    if (!status.ok()) return Failure{kUsage, "the event cannot be written as JSON: " + std::string(status.message())};
    return add("/v1/events", text);
  }

  Outcome<> log(v1::LogRecord record) override {
    if (auto clean = redact::redacted(*redactor_, record)) record = std::move(*clean);
    json::object object{{"level", static_cast<int>(record.severity()) - 1}, {"message", record.message()}};
    if (!record.step_id().empty()) object["step"] = record.step_id();
    if (!record.detail_json().empty()) {
      json::error_code error;
      object["detail"] = json::parse(record.detail_json(), error);
      if (error) return Failure{kUsage, "the detail is not valid JSON: " + error.message()};
    }
    return add("/v1/job/log", json::serialize(object));
  }

  Outcome<> flush() override {
    if (body_.empty()) return {};
    http::ClientRequest request;
    request.method = "POST";
    request.url = url_ + path_;
    request.fields.set("Authorization", "Bearer " + token_);
    request.fields.set("Content-Type", "application/json");
    request.body.append("[").append(std::exchange(body_, {})).append("]");
    const std::size_t sent = std::exchange(elements_, 0);
    const auto response = http::send_blocking(std::move(request), limit_);
    if (!response)
      return Failure{kNotReachable, "the intake at " + shown() + " (RUNFOLD_INTAKE_URL) takes nothing: " + response.error().message};
    json::error_code error;
    const json::value problem = json::parse(response->body, error);
    if (response->status < 300) {
      const json::value* accepted = !error && problem.is_object() ? problem.get_object().if_contains("accepted") : nullptr;
      json::error_code no_number;
      const auto taken = accepted == nullptr ? 0 : accepted->to_number<std::size_t>(no_number);
      if (accepted != nullptr && !no_number && taken >= sent) return {};
      return Failure{kNotReachable, "the intake at " + shown() + " took " + std::to_string(taken) + " of " + std::to_string(sent) +
                                        " records; the others were dropped because Kafka takes them too slowly or the run has ended"};
    }
    std::string words = !error && problem.is_object() ? text_of(problem.get_object(), "detail") : std::string();
    if (words.empty()) words = "it answered " + std::to_string(response->status);
    const bool wrong = response->status == 400 || response->status == 413;
    return Failure{wrong ? kUsage : kNotReachable, "the intake at " + shown() + " refuses this: " + printable(words)};
  }

  Outcome<> finish() override { return flush(); }
  [[nodiscard]] const std::string& run_id() const noexcept override { return run_id_; }
  [[nodiscard]] const redact::Redactor& redactor() const noexcept override { return *redactor_; }

 private:
  Outcome<> add(const char* path, const std::string& element) {
    if (!body_.empty() && (path != path_ || body_.size() + element.size() > kBodyBytes)) {
      if (auto flushed = flush(); !flushed) return flushed;
    }
    path_ = path;
    if (!body_.empty()) body_.push_back(',');
    body_.append(element);
    ++elements_;
    return {};
  }

  [[nodiscard]] std::string shown() const { return printable(redact::without_credentials(url_)); }

  std::string url_;
  std::string token_;
  std::string run_id_;
  std::shared_ptr<const redact::Redactor> redactor_;
  std::chrono::milliseconds limit_;
  std::string path_;
  std::string body_;
  /// How many records the body holds.
  std::size_t elements_ = 0;
};

}  // namespace

std::unique_ptr<Sender> make_intake_sender(std::string url, std::string token, std::string run_id,
                                           std::shared_ptr<const redact::Redactor> redactor, std::chrono::milliseconds limit) {
  while (url.ends_with('/')) url.pop_back();
  return std::make_unique<IntakeSender>(std::move(url), std::move(token), std::move(run_id), std::move(redactor), limit);
}

}  // namespace runfold::cli

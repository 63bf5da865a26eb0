// The webhook sink: one request a record, and what its answer means.
#include "sinks/webhook.hpp"

#include "sinks/payload.hpp"
#include "sinks/retry_after.hpp"
#include "sinks/run_order.hpp"
#include "transport/http/client.hpp"

#include <google/protobuf/util/json_util.h>
#include <boost/asio/error.hpp>
#include <boost/json.hpp>
#include <boost/system/system_error.hpp>
#include <boost/url.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace runfold::sinks {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kShortestTimeout{100};
constexpr milliseconds kLongestTimeout{300'000};
constexpr milliseconds kLongestBatch{3'600'000};
/// Answers are read for their status only.
constexpr std::size_t kResponseBytes = 256 * 1024;

/// scheme://host:port, which is all that may be shown of a URL.
std::string origin_of(const boost::urls::url_view& url) {
  std::string origin = std::string(url.scheme()) + "://" + std::string(url.encoded_host());
  if (url.has_port()) origin += ":" + std::string(url.port());
  return origin;
}

std::string body_of(const Item& item, const google::protobuf::Message& message, std::string& problem) {
  google::protobuf::util::JsonPrintOptions print;
  print.preserve_proto_field_names = true;
  std::string data;
  if (const auto status = google::protobuf::util::MessageToJsonString(message, &data, print); !status.ok()) {
    problem = "it cannot be written as JSON: " + status.ToString();
    return {};
  }
  const auto quoted = [](std::string_view text) { return boost::json::serialize(boost::json::string(text)); };
  return "{\"kind\":" + quoted(kind_name(item.kind)) + ",\"id\":" + quoted(item.idempotency_key) + ",\"run_id\":" + quoted(item.run_id) +
         ",\"data\":" + data + "}";
}

bool is_try_again(unsigned status) {
  return status == 408 || status == 425 || status == 429 || status >= 500 || (status >= 300 && status < 400);
}

class Webhook final : public Sink {
 public:
  Webhook(asio::any_io_executor executor, WebhookOptions options, std::string origin)
      : options_(std::move(options)), origin_(std::move(origin)), client_(http::Client::create(std::move(executor), client_options())) {}

  const std::string& name() const noexcept override { return options_.name; }
  bool accepts(Kind kind) const noexcept override { return options_.kinds.contains(kind); }

  asio::awaitable<std::vector<Verdict>> deliver(std::span<const Item> items) override {
    const auto deadline = steady_clock::now() + options_.batch_timeout;
    std::vector<Verdict> verdicts;
    verdicts.reserve(items.size());
    RunOrder order;
    std::optional<Verdict> given_up;
    try {
      for (const Item& item : items) {
        if (given_up) {
          verdicts.push_back(*given_up);
        } else if (order.waits(item)) {
          verdicts.push_back(not_tried("an earlier record of the run waits"));
        } else if (const auto left = std::chrono::floor<milliseconds>(deadline - steady_clock::now()); left < kShortestTimeout) {
          given_up = not_tried("there was no time left for it");
          verdicts.push_back(*given_up);
        } else {
          verdicts.push_back(co_await deliver_one(item, std::min(left, options_.timeout), given_up));
        }
        order.note(item, verdicts.back());
      }
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) throw;
      // Cancelled: what is known so far counts, the rest was cut short.
      verdicts.resize(items.size(), not_tried("the delivery was cut short"));
    }
    co_return verdicts;
  }

 private:
  [[nodiscard]] http::ClientOptions client_options() const {
    http::ClientOptions client;
    client.response_bytes = kResponseBytes;
    client.ca_file = options_.ca_file;
    client.user_agent = "runfold/" RUNFOLD_VERSION;
    return client;
  }

  /// `given_up` is set when the receiver, not the record, is in trouble.
  asio::awaitable<Verdict> deliver_one(const Item& item, milliseconds limit, std::optional<Verdict>& given_up) {
    const Payload payload = read_payload(item);
    if (!payload.message) co_return unreadable(item);
    std::string problem;
    http::ClientRequest request;
    request.method = "POST";
    request.url = options_.url;
    request.body = body_of(item, *payload.message, problem);
    if (!problem.empty()) co_return Verdict{Outcome::kRejected, problem, {}};
    request.fields.set("Content-Type", "application/json");
    request.fields.set("Idempotency-Key", item.idempotency_key);
    const auto response = co_await client_->send(std::move(request), limit);
    if (!response) {
      given_up = not_tried("a request before it got no answer");
      co_return Verdict{Outcome::kRetry, response.error().message, {}};
    }
    Verdict verdict = judge(*response);
    if (response->status == 429) given_up = not_tried("the receiver asks for fewer requests", verdict.retry_after);
    co_return verdict;
  }

  [[nodiscard]] Verdict judge(const http::Response& response) const {
    const unsigned status = response.status;
    if (status >= 200 && status < 300) return {Outcome::kDelivered, {}, {}};
    const std::string answer = origin_ + " answered " + std::to_string(status);
    if (status >= 300 && status < 400)
      return {Outcome::kRetry, answer + ", a redirect, which is not followed: set url to where it leads", {}};
    if (!is_try_again(status)) return {Outcome::kRejected, answer, {}};
    Verdict verdict{Outcome::kRetry, answer, {}};
    if (const auto wish = response.fields.get("Retry-After")) {
      verdict.retry_after = read_retry_after(*wish, std::chrono::system_clock::now()).value_or(milliseconds(0));
    }
    return verdict;
  }

  WebhookOptions options_;
  std::string origin_;
  std::unique_ptr<http::Client> client_;
};

OptionProblem out_of(std::string key, milliseconds least, milliseconds most) {
  return {std::move(key), "must be " + std::to_string(least.count()) + " ms to " + std::to_string(most.count()) + " ms"};
}

}  // namespace

OptionResult<std::unique_ptr<Sink>> make_webhook(asio::any_io_executor executor, WebhookOptions options) {
  if (options.name.empty()) return OptionProblem{"name", "is empty"};
  if (options.kinds.empty()) return OptionProblem{"kinds", "is empty: name run, api_failure or both"};
  if (options.url.empty()) return OptionProblem{"url", "is missing; say where to post to, for example https://example.org/hook"};
  const auto url = boost::urls::parse_uri(options.url);
  if (!url || (url->scheme() != "http" && url->scheme() != "https") || url->encoded_host().empty()) {
    return OptionProblem{"url", "is not an http:// or https:// URL with a host"};
  }
  if (options.timeout < kShortestTimeout || options.timeout > kLongestTimeout) return out_of("timeout", kShortestTimeout, kLongestTimeout);
  if (options.batch_timeout < options.timeout || options.batch_timeout > kLongestBatch) {
    return out_of("batch_timeout", options.timeout, kLongestBatch);
  }
  auto origin = origin_of(*url);
  return std::unique_ptr<Sink>(std::make_unique<Webhook>(std::move(executor), std::move(options), std::move(origin)));
}

}  // namespace runfold::sinks

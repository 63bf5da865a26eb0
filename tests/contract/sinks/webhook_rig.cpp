// The webhook sink with a receiver on loopback.
#include "sinks/webhook.hpp"
#include "tests/contract/sinks/sample_items.hpp"
#include "tests/contract/sinks/sink_under_test.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/support/wait_until.hpp"

#include <boost/json.hpp>

#include <mutex>

namespace runfold::sinks::contract {
namespace {

class WebhookRig final : public SinkRig {
 public:
  explicit WebhookRig(boost::asio::io_context& context) : server_(router()) {
    sink_ = make_webhook(context.get_executor(), {.url = server_.url("/hook")}).value();
  }
  Sink& sink() override { return *sink_; }
  std::vector<Arrival> arrivals(std::size_t count) override {
    const auto enough = [this, count] {
      const std::scoped_lock lock(mutex_);
      return arrivals_.size() >= count;
    };
    if (!test::wait_until(enough, kPatience)) throw std::runtime_error("too few requests came");
    const std::scoped_lock lock(mutex_);
    return arrivals_;
  }
  Item good(std::int64_t id, const std::string& run_id) override {
    return sample_item(id % 2 ? Kind::kRun : Kind::kApiFailure, id, run_id);
  }
  Item refused(std::int64_t id, const std::string& run_id) override { return sample_item(Kind::kRun, id, run_id, "answer 422"); }
  Item failing(std::int64_t id, const std::string& run_id) override { return sample_item(Kind::kRun, id, run_id, "answer 503"); }

 private:
  http::Router router() {
    http::Router router;
    router.add("POST", "/hook", {}, [this](const http::Request& request) { return answer(request); });
    return router;
  }
  boost::asio::awaitable<http::Response> answer(const http::Request& request) {
    const auto body = boost::json::parse(request.body);
    const auto* error = body.at("data").as_object().if_contains("error");
    if (error != nullptr && *error == "answer 422") co_return http::Response::text("no", 422);
    if (error != nullptr && *error == "answer 503") co_return http::Response::text("later", 503);
    const std::scoped_lock lock(mutex_);
    arrivals_.push_back({std::string(request.fields.get("Idempotency-Key").value_or("")), std::string(body.at("run_id").as_string())});
    co_return http::Response::text("ok");
  }

  std::mutex mutex_;
  std::vector<Arrival> arrivals_;
  test::HttpServer server_;
  std::unique_ptr<Sink> sink_;
};

class DeadWebhookRig final : public SinkRig {
 public:
  DeadWebhookRig(boost::asio::io_context& context, std::chrono::milliseconds timeout) {
    sink_ = make_webhook(context.get_executor(), {.url = "http://" + nobody_.text() + "/", .timeout = timeout, .batch_timeout = timeout})
                .value();
  }
  Sink& sink() override { return *sink_; }
  std::vector<Arrival> arrivals(std::size_t) override { return {}; }
  Item good(std::int64_t id, const std::string& run_id) override { return sample_item(Kind::kRun, id, run_id); }
  Item refused(std::int64_t id, const std::string& run_id) override { return good(id, run_id); }
  Item failing(std::int64_t id, const std::string& run_id) override { return good(id, run_id); }

 private:
  test::UnansweredAddress nobody_{test::UnansweredAddress::Kind::kSilent};
  std::unique_ptr<Sink> sink_;
};

}  // namespace

SinkUnderTest webhook_under_test() {
  return {"Webhook", [](boost::asio::io_context& context) { return std::make_unique<WebhookRig>(context); },
          [](boost::asio::io_context& context, std::chrono::milliseconds timeout) {
            return std::make_unique<DeadWebhookRig>(context, timeout);
          }};
}

}  // namespace runfold::sinks::contract

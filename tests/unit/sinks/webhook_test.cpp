// The webhook sink: what it sends, what each answer means, what it never shows.
#include "sinks/webhook.hpp"

#include "tests/contract/sinks/sample_items.hpp"
#include "tests/contract/sinks/sink_under_test.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/unanswered_address.hpp"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

namespace runfold::sinks {
namespace {

using namespace std::chrono_literals;
using contract::run;
using contract::sample_item;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class WebhookSink : public testing::Test {
 protected:
  http::Router router() {
    http::Router router;
    router.add("POST", "/hook/{secret}", {"token"}, [this](const http::Request& request) { return answer(request); });
    return router;
  }
  boost::asio::awaitable<http::Response> answer(const http::Request& request) {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(request);
    http::Response response = http::Response::text("body", status_);
    if (!retry_after_.empty()) response.fields.set("Retry-After", retry_after_);
    co_return response;
  }
  void will_answer(unsigned status, std::string retry_after = {}) {
    const std::scoped_lock lock(mutex_);
    status_ = status;
    retry_after_ = std::move(retry_after);
  }
  std::vector<Verdict> deliver(const std::vector<Item>& items) {
    if (!sink_) sink_ = make_webhook(context_.get_executor(), {.url = server_.url("/hook/s3cret?token=t0ken")}).value();
    return run(context_, sink_->deliver(items));
  }
  std::size_t requests() {
    const std::scoped_lock lock(mutex_);
    return requests_.size();
  }

  boost::asio::io_context context_{1};
  std::mutex mutex_;
  unsigned status_ = 200;
  std::string retry_after_;
  std::vector<http::Request> requests_;
  test::HttpServer server_{router()};
  std::unique_ptr<Sink> sink_;
};

TEST_F(WebhookSink, PostsTheRecordAsJsonWithItsKey) {
  ASSERT_EQ(deliver({sample_item(Kind::kRun, 7, "run-\"1\"")}).at(0).outcome, Outcome::kDelivered);
  const auto& request = requests_.at(0);
  EXPECT_EQ(request.fields.get("content-type"), "application/json");
  EXPECT_EQ(request.fields.get("idempotency-key"), "run-\"1\":7");
  EXPECT_EQ(request.fields.get("user-agent"), "runfold/" RUNFOLD_VERSION);
  const auto body = boost::json::parse(request.body);
  EXPECT_EQ(body.at("kind"), "run");
  EXPECT_EQ(body.at("id"), "run-\"1\":7");
  EXPECT_EQ(body.at("run_id"), "run-\"1\"");
  EXPECT_EQ(body.at("data").at("connector_id"), "invoices");
  EXPECT_EQ(body.at("data").at("entities"), "12") << "protobuf-JSON writes 64-bit numbers as text";
  EXPECT_EQ(body.at("data").at("last_seen_at"), "2026-05-16T14:32:11Z");
  EXPECT_FALSE(body.at("data").as_object().contains("relationships")) << "absent stays absent";
}

TEST_F(WebhookSink, AnApiFailureSaysItsKind) {
  ASSERT_EQ(deliver({sample_item(Kind::kApiFailure, 1, "r")}).at(0).outcome, Outcome::kDelivered);
  const auto body = boost::json::parse(requests_.at(0).body);
  EXPECT_EQ(body.at("kind"), "api_failure");
  EXPECT_EQ(body.at("data").at("call").at("method"), "GET");
}

TEST_F(WebhookSink, EveryAnswerHasItsMeaning) {
  const std::vector<std::pair<unsigned, Outcome>> meanings{
      {200, Outcome::kDelivered}, {201, Outcome::kDelivered}, {202, Outcome::kDelivered}, {204, Outcome::kDelivered},
      {301, Outcome::kRetry},     {307, Outcome::kRetry},     {400, Outcome::kRejected},  {401, Outcome::kRejected},
      {404, Outcome::kRejected},  {408, Outcome::kRetry},     {409, Outcome::kRejected},  {410, Outcome::kRejected},
      {413, Outcome::kRejected},  {422, Outcome::kRejected},  {425, Outcome::kRetry},     {429, Outcome::kRetry},
      {500, Outcome::kRetry},     {502, Outcome::kRetry},     {503, Outcome::kRetry},     {504, Outcome::kRetry}};
  for (const auto& [status, outcome] : meanings) {
    will_answer(status);
    const auto verdict = deliver({sample_item(Kind::kRun, 1, "r")}).at(0);
    EXPECT_EQ(verdict.outcome, outcome) << status;
    if (outcome == Outcome::kDelivered) {
      EXPECT_EQ(verdict.reason, "");
    } else {
      EXPECT_THAT(verdict.reason, HasSubstr(std::to_string(status)));
    }
  }
}

TEST_F(WebhookSink, RetryAfterIsPassedOn) {
  will_answer(503, "17");
  EXPECT_EQ(deliver({sample_item(Kind::kRun, 1, "r")}).at(0).retry_after, 17s);
  will_answer(503, "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_GT(deliver({sample_item(Kind::kRun, 1, "r")}).at(0).retry_after, 1h);
  will_answer(503, "when I am ready");
  EXPECT_EQ(deliver({sample_item(Kind::kRun, 1, "r")}).at(0).retry_after, 0s);
  will_answer(422, "17");
  EXPECT_EQ(deliver({sample_item(Kind::kRun, 1, "r")}).at(0).outcome, Outcome::kRejected);
}

TEST_F(WebhookSink, AReceiverThatAsksForFewerRequestsGetsNoMoreOfThem) {
  will_answer(429, "5");
  const auto verdicts = deliver({sample_item(Kind::kRun, 1, "a"), sample_item(Kind::kRun, 2, "b"), sample_item(Kind::kRun, 3, "c")});
  EXPECT_EQ(requests(), 1U);
  EXPECT_TRUE(verdicts[0].tried);
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(verdicts[i].outcome, Outcome::kRetry);
    EXPECT_FALSE(verdicts[i].tried);
    EXPECT_EQ(verdicts[i].retry_after, 5s);
  }
}

TEST_F(WebhookSink, AfterAFailureTheRestOfTheRunIsNotSentAndOtherRunsAre) {
  will_answer(500);
  const auto verdicts = deliver({sample_item(Kind::kRun, 1, "a"), sample_item(Kind::kRun, 2, "a"), sample_item(Kind::kRun, 3, "b")});
  EXPECT_EQ(requests(), 2U);
  EXPECT_FALSE(verdicts[1].tried);
  EXPECT_TRUE(verdicts[2].tried);
}

TEST_F(WebhookSink, ADeadReceiverIsAskedOnce) {
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  const auto sink = make_webhook(context_.get_executor(), {.url = "http://" + nobody.text() + "/"}).value();
  const std::vector<Item> items{sample_item(Kind::kRun, 1, "a"), sample_item(Kind::kRun, 2, "b")};
  const auto verdicts = run(context_, sink->deliver(items));
  EXPECT_TRUE(verdicts[0].tried);
  EXPECT_THAT(verdicts[0].reason, HasSubstr(nobody.text()));
  EXPECT_FALSE(verdicts[1].tried);
}

TEST_F(WebhookSink, NoReasonShowsMoreOfTheUrlThanItsOrigin) {
  const auto origin_only = AllOf(HasSubstr(server_.address()), Not(HasSubstr("s3cret")), Not(HasSubstr("t0ken")));
  for (const unsigned status : {301U, 404U, 429U, 500U}) {
    will_answer(status);
    EXPECT_THAT(deliver({sample_item(Kind::kRun, 1, "r")}).at(0).reason, origin_only) << status;
  }
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  const auto sink = make_webhook(context_.get_executor(), {.url = "http://us3r:passw0rd@" + nobody.text() + "/s3cret?t0ken"}).value();
  const std::vector<Item> items{sample_item(Kind::kRun, 1, "a")};
  EXPECT_THAT(run(context_, sink->deliver(items)).at(0).reason,
              AllOf(HasSubstr(nobody.text()), Not(HasSubstr("s3cret")), Not(HasSubstr("t0ken")), Not(HasSubstr("passw0rd"))));
}

TEST_F(WebhookSink, BadOptionsAreNamed) {
  const auto problem = [this](const WebhookOptions& options) {
    const auto made = make_webhook(context_.get_executor(), options);
    return made ? OptionProblem{"none", ""} : made.error();
  };
  EXPECT_EQ(problem({.url = ""}).key, "url");
  EXPECT_EQ(problem({.url = "ftp://host/"}).key, "url");
  EXPECT_EQ(problem({.url = "http://"}).key, "url");
  EXPECT_EQ(problem({.url = "not a url s3cret"}).key, "url");
  EXPECT_THAT(problem({.url = "not a url s3cret"}).what, Not(HasSubstr("s3cret")));
  EXPECT_EQ(problem({.name = "", .url = "http://host/"}).key, "name");
  EXPECT_EQ(problem({.kinds = {}, .url = "http://host/"}).key, "kinds");
  EXPECT_EQ(problem({.url = "http://host/", .timeout = 0ms}).key, "timeout");
  EXPECT_EQ(problem({.url = "http://host/", .timeout = 24h}).key, "timeout");
  EXPECT_EQ(problem({.url = "http://host/", .timeout = 10s, .batch_timeout = 5s}).key, "batch_timeout");
  EXPECT_EQ(problem({.url = "https://user:pass@host:8443/x?y=z"}).key, "none");
}

}  // namespace
}  // namespace runfold::sinks

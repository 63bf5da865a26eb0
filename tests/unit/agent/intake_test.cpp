// The intake over HTTP: who may, what is taken, and what becomes of it.
#include "producer/agent/intake.hpp"

#include "tests/unit/agent/recorded.hpp"
#include "transport/http/client.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace runfold::agent {
namespace {

class IntakeTest : public ::testing::Test {
 protected:
  IntakeTest() : intake_(Intake::listen(io_.get_executor(), recorded_.sink(), {"run-1", "", 64 * 1024}).value()), running_(*intake_, io_) {}

  http::Response post(const std::string& path, const std::string& body, const std::string& type = "application/json") {
    return post_as("Bearer " + intake_->token(), path, body, type);
  }
  http::Response post_as(const std::string& authorization, const std::string& path, const std::string& body,
                         const std::string& type = "application/json") {
    http::ClientRequest request;
    request.method = "POST";
    request.url = intake_->url() + path;
    if (!authorization.empty()) request.fields.set("Authorization", authorization);
    request.fields.set("Content-Type", type);
    request.body = body;
    return http::send_blocking(std::move(request), std::chrono::seconds(60)).value();
  }
  static std::string member_of(const http::Response& response) {
    EXPECT_EQ(response.fields.get("content-type"), "application/problem+json");
    const auto problem = boost::json::parse(response.body).as_object();
    const auto* member = problem.if_contains("member");
    return member == nullptr ? "" : std::string(member->as_string());
  }

  boost::asio::io_context io_{1};
  test::Recorded recorded_;
  std::unique_ptr<Intake> intake_;
  test::Running<Intake> running_;
};

TEST_F(IntakeTest, ListensOnLoopbackWithATokenNobodyCanGuess) {
  EXPECT_TRUE(intake_->url().starts_with("http://127.0.0.1:"));
  EXPECT_EQ(intake_->token().size(), 64U);
  EXPECT_NE(intake_->token(), random_token().value());
}

TEST_F(IntakeTest, RefusesWhoeverHasNotTheToken) {
  const std::string token = intake_->token();
  std::string other = token;
  other.back() = other.back() == '0' ? '1' : '0';
  const std::vector<std::string> wrong{"", "Bearer ", "Bearer " + other, "Bearer " + token + "0", "Basic " + token, token};
  for (const std::string& given : wrong) {
    for (const char* path : {"/v1/job/log", "/v1/events"}) {
      EXPECT_EQ(post_as(given, path, R"({"level":"info","message":"m"})").status, 401U) << given;
    }
  }
  EXPECT_TRUE(recorded_.logs().empty());
  EXPECT_TRUE(recorded_.events().empty());
}

TEST_F(IntakeTest, TakesALogRecord) {
  const auto response = post("/v1/job/log", R"({"level":"error","message":"ERP returned 500","step":"read","detail":{"id":"r-1"}})");
  EXPECT_EQ(response.status, 202U);
  EXPECT_EQ(response.body, R"({"accepted":1})");
  ASSERT_EQ(recorded_.logs().size(), 1U);
  EXPECT_EQ(recorded_.logs().front().message(), "ERP returned 500");
}

TEST_F(IntakeTest, TakesAnArrayWholeOrNotAtAll) {
  EXPECT_EQ(post("/v1/job/log", R"([{"level":6,"message":"a"},{"level":6,"message":"b"}])").status, 202U);
  EXPECT_EQ(recorded_.logs().size(), 2U);
  const auto refused = post("/v1/job/log", R"([{"level":6,"message":"c"},{"level":"loud","message":"d"}])");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(member_of(refused), "/1/level");
  EXPECT_EQ(recorded_.logs().size(), 2U);
}

TEST_F(IntakeTest, RefusesABodyOverTheLimitAndGoesOn) {
  std::string body = R"({"level":6,"message":")";
  body.append(100'000, 'x').append("\"}");
  EXPECT_EQ(post("/v1/job/log", body).status, 413U);
  EXPECT_EQ(post("/v1/job/log", R"({"level":6,"message":"m"})").status, 202U);
}

TEST_F(IntakeTest, TakesEventsAsJsonAndAsBinary) {
  EXPECT_EQ(post("/v1/events", R"({"stepStarted":{"stepId":"read"}})").status, 202U);
  v1::SyncEvent event;
  event.mutable_step_completed()->set_step_id("read");
  event.mutable_step_completed()->set_entities(42);
  EXPECT_EQ(post("/v1/events", event.SerializeAsString(), "application/protobuf").status, 202U);
  EXPECT_EQ(post("/v1/events", event.SerializeAsString(), "application/x-protobuf").status, 202U);
  const auto events = recorded_.events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_TRUE(events[0].has_step_started());
  EXPECT_EQ(events[1].step_completed().entities(), 42U);
}

TEST_F(IntakeTest, RefusesAnEventOfAnotherRun) {
  const auto refused = post("/v1/events", R"([{"heartbeat":{}},{"identity":{"runId":"run-2"},"heartbeat":{}}])");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_EQ(member_of(refused), "/1/identity/runId");
  EXPECT_TRUE(recorded_.events().empty());
  EXPECT_EQ(post("/v1/events", R"({"identity":{"runId":"run-1"},"heartbeat":{}})").status, 202U);
  EXPECT_EQ(recorded_.events().size(), 1U);
}

TEST_F(IntakeTest, KeepsCompletedForTheEndAndSaysStartedOnlyOnce) {
  EXPECT_EQ(post("/v1/events", R"([{"started":{}},{"completed":{"result":"RUN_RESULT_FAILURE","error":"no invoices"}}])").status, 202U);
  EXPECT_TRUE(recorded_.events().empty());
  ASSERT_TRUE(intake_->declared_end().has_value());
  EXPECT_EQ(intake_->declared_end()->error(), "no invoices");
}

TEST_F(IntakeTest, KnowsTheStepUnderWayWhenThereIsOne) {
  EXPECT_EQ(intake_->open_step(), "");
  EXPECT_EQ(post("/v1/events", R"({"stepStarted":{"stepId":"read"}})").status, 202U);
  EXPECT_EQ(intake_->open_step(), "read");
  EXPECT_EQ(post("/v1/events", R"({"stepStarted":{"stepId":"load"}})").status, 202U);
  EXPECT_EQ(intake_->open_step(), "") << "two are under way: nobody knows which";
  EXPECT_EQ(post("/v1/events", R"([{"stepCompleted":{"stepId":"read"}}])").status, 202U);
  EXPECT_EQ(intake_->open_step(), "load");
}

TEST_F(IntakeTest, KnowsNoOtherPathsAndMethods) {
  EXPECT_EQ(post("/v1/other", "{}").status, 404U);
  EXPECT_EQ(post("/v1/job/log?levle=3", R"({"level":6,"message":"m"})").status, 400U);
  http::ClientRequest request;
  request.url = intake_->url() + "/v1/events";
  EXPECT_EQ(http::send_blocking(std::move(request), std::chrono::seconds(60)).value().status, 405U);
}

}  // namespace
}  // namespace runfold::agent

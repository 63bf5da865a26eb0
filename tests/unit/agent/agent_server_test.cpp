// The agent over HTTP: who may, what is refused, and what can be watched.
#include "producer/agent/job_tokens.hpp"
#include "producer/redact/redactor.hpp"
#include "tests/support/program.hpp"
#include "tests/support/promtool.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/agent/agent_rig.hpp"

#include <gtest/gtest.h>

namespace runfold::agent {
namespace {

using runfold::test::Program;
using runfold::test::RawSocket;
using test::member_of;

class Agent : public test::AgentTest {};

TEST_F(Agent, RefusesTokensThatItDidNotGive) {
  serve();
  const auto job = register_job(R"({"connector":"invoices"})");
  std::string tampered = job.token;
  tampered.back() = tampered.back() == 'A' ? 'Q' : 'A';
  const std::vector<std::string> wrong{
      "", "x", tampered, JobTokens().make(), job.token + "x", job.token.substr(0, job.token.rfind('.')), std::string(8'000, 'x')};
  for (const auto& token : wrong) {
    for (const char* path : {"/v1/job/log", "/v1/events"}) {
      const auto refused = post(path, token, R"({"level":"info","message":"m"})");
      EXPECT_EQ(refused.status, 401U) << token;
      EXPECT_EQ(refused.fields.get("www-authenticate"), "Bearer");
    }
    EXPECT_EQ(post("/v1/jobs", token, R"({"connector":"invoices"})").status, 401U) << token;
  }
  stop();
  EXPECT_EQ(kafka.acknowledged().size(), 1U) << "the one job's Started";
}

TEST_F(Agent, GivesAShellItsEnvironmentToEvaluate) {
  serve();
  http::Fields accept;
  accept.set("Accept", "text/plain");
  const auto response =
      ask("POST", "/v1/jobs", options.token, R"({"connector":"$(echo no) `no`","site":"o'neil \"& sons\"","run_id":"run-1"})", accept);
  EXPECT_EQ(response.status, 201U);
  EXPECT_EQ(response.fields.get("cache-control"), "no-store");
  Program shell(
      {"/bin/sh", "-c", response.body + R"(printf '%s\n' "$RUNFOLD_CONNECTOR" "$RUNFOLD_SITE" "$RUNFOLD_RUN_ID" "$RUNFOLD_ATTEMPT")"},
      {{"RUNFOLD_CONNECTOR", ""}});
  ASSERT_TRUE(shell.wait().has_value());
  EXPECT_EQ(shell.out(), "$(echo no) `no`\no'neil \"& sons\"\nrun-1\n1\n");
}

TEST_F(Agent, NamesTheAddressByWhichItWasReached) {
  serve();
  http::Fields host;
  host.set("Host", "agent.internal:8731");
  const auto reached = ask("POST", "/v1/jobs", options.token, R"({"connector":"invoices"})", host);
  EXPECT_NE(reached.body.find("\"http://agent.internal:8731\""), std::string::npos) << reached.body;
  host.set("Host", "evil\"';x");
  const auto other = ask("POST", "/v1/jobs", options.token, R"({"connector":"invoices"})", host);
  EXPECT_EQ(other.body.find("evil"), std::string::npos) << other.body;
}

TEST_F(Agent, RefusesJobsThatAreNotRightByMember) {
  serve();
  const std::vector<std::pair<std::string, std::string>> wrong{{"", ""},
                                                               {"[]", ""},
                                                               {"{", ""},
                                                               {"{\"connector\":\"\xff\"}", ""},
                                                               {"{}", "/connector"},
                                                               {R"({"connector":""})", "/connector"},
                                                               {R"({"connector":7})", "/connector"},
                                                               {R"({"connector":")" + std::string(201, 'x') + "\"}", "/connector"},
                                                               {R"({"connector":"c","conector":"c"})", "/conector"},
                                                               {R"({"connector":"c","attempt":0})", "/attempt"},
                                                               {R"({"connector":"c","attempt":1.5})", "/attempt"},
                                                               {R"({"connector":"c","attempt":4294967296})", "/attempt"},
                                                               {R"({"connector":"c","os_pid":-1})", "/os_pid"},
                                                               {R"({"connector":"c","os_pid":"1"})", "/os_pid"},
                                                               {R"({"connector":"c","os_pid":4294967297})", "/os_pid"},
                                                               {R"({"connector":"c","heartbeat":0.2})", "/heartbeat"},
                                                               {R"({"connector":"c","heartbeat":1e9})", "/heartbeat"},
                                                               {R"({"connector":"c","traceparent":"00-0-0-0"})", "/traceparent"}};
  for (const auto& [body, member] : wrong) {
    const auto refused = try_to_register(body);
    EXPECT_EQ(refused.status, 400U) << body;
    EXPECT_EQ(member_of(refused), member) << body;
  }
  EXPECT_TRUE(shows("runfold_agent_jobs 0"));
  register_job(R"({"connector":"c","version":null,"run_id":null})");
}

TEST_F(Agent, RefusesBadRecordsAndGoesOn) {
  serve();
  const auto job = register_job(R"({"connector":"invoices"})");
  const std::vector<std::pair<std::string, unsigned>> wrong{{R"({"level":"loud","message":"m"})", 400},
                                                            {R"({"level":"info"})", 400},
                                                            {R"({"level":"info","message":"m"}{})", 400},
                                                            {"not JSON", 400},
                                                            {"{\"level\":\"info\",\"message\":\"\xc3\x28\"}", 400},
                                                            {"", 400},
                                                            {std::string(10'000'000, ' '), 413}};
  for (const auto& [body, status] : wrong) {
    for (const char* path : {"/v1/job/log", "/v1/events"}) {
      const auto refused = post(path, job.token, body);
      EXPECT_EQ(refused.status, status) << path << " " << body.substr(0, 100);
      EXPECT_EQ(refused.fields.get("content-type"), "application/problem+json");
    }
  }
  EXPECT_EQ(ask("GET", "/v1/events", job.token).status, 405U);
  EXPECT_EQ(ask("PUT", "/v1/jobs", options.token, "{}").status, 405U);
  EXPECT_EQ(post("/v1/other", job.token, "{}").status, 404U);
  EXPECT_EQ(log(job, "m").status, 202U);
}

TEST_F(Agent, ServesAJobThoughManyConnectionsStandIdleAndOneIsSlow) {
  serve();
  const auto job = register_job(R"({"connector":"invoices"})");
  const auto url = std::string(job.answer.at("intake_url").as_string());
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  RawSocket slow = RawSocket::connect(port);
  EXPECT_TRUE(
      slow.send("POST /v1/job/log HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + job.token + "\r\nContent-Length: 1000000\r\n\r\n{"));
  std::vector<RawSocket> idle;
  for (int i = 0; i < 400; ++i) idle.push_back(RawSocket::connect(port));
  EXPECT_EQ(log(job, "m").status, 202U);
}

TEST_F(Agent, WhoMayNotSendABodyIsToldSoBeforeItComes) {
  serve();
  const auto job = register_job(R"({"connector":"invoices","run_id":"run-1"})");
  const auto ended = register_job(R"({"connector":"invoices","run_id":"run-2"})");
  EXPECT_EQ(complete(ended).status, 202U);
  const std::string url(job.answer.at("intake_url").as_string());
  const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  const auto status_of = [&](const std::string& line, const std::string& token) {
    RawSocket client = RawSocket::connect(port);
    client.send(line + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 1000000\r\n\r\n");
    const auto response = client.response();
    EXPECT_TRUE(response.has("application/problem+json")) << response.head;
    return response.status;
  };
  for (const char* line : {"POST /v1/jobs", "POST /v1/job/log", "POST /v1/events", "DELETE /v1/jobs/run-1"}) {
    EXPECT_EQ(status_of(line, "wrong"), 401) << line;
  }
  EXPECT_EQ(status_of("POST /v1/jobs", job.token), 401);
  EXPECT_EQ(status_of("POST /v1/job/log", options.token), 401);
  EXPECT_EQ(status_of("DELETE /v1/jobs/run-1", ended.token), 401);
  EXPECT_EQ(status_of("POST /v1/job/log", ended.token), 410);
  EXPECT_EQ(status_of("POST /v1/nothing", options.token), 404);
  for (const char* line : {"GET /metrics", "GET /livez", "GET /readyz"}) EXPECT_EQ(status_of(line, options.token), 413) << line;
}

TEST_F(Agent, ATokenThatIsLoggedIsNotRecorded) {
  settings.redactor->add(options.token).value();
  serve();
  const auto job = register_job(R"({"connector":"invoices","run_id":"run-1"})");
  EXPECT_EQ(log(job, "mine " + job.token + ", the agent's " + options.token).status, 202U);
  complete(job);
  stop();
  EXPECT_EQ(messages("run-1"), std::vector<std::string>{"mine [redacted], the agent's [redacted]"});
}

TEST_F(Agent, MetricsSatisfyPromtoolAndCountWhatIsSettled) {
  serve();
  const auto job = register_job(R"({"connector":"invoices","run_id":"run-1"})");
  for (int i = 0; i < 3; ++i) log(job, "m");
  complete(job);
  EXPECT_TRUE(runfold::test::wait_until([&] {
    return shows("runfold_producer_records_total{topic=\"runfold.events\",outcome=\"acknowledged\"} 2") &&
           shows("runfold_producer_records_total{topic=\"runfold.logs\",outcome=\"acknowledged\"} 3");
  })) << metrics();
  EXPECT_TRUE(shows("runfold_producer_records_total{topic=\"runfold.logs\",outcome=\"dropped\"} 0"));
  EXPECT_TRUE(shows("runfold_producer_dropped_total{reason=\"queue_full\"} 0"));
  EXPECT_TRUE(shows("runfold_producer_pending_records 0"));
  EXPECT_TRUE(shows("runfold_spool_bytes 0"));
  EXPECT_TRUE(shows("runfold_agent_jobs 0"));
  const std::string page = metrics();
  EXPECT_NE(page.find("\nrunfold_build_info{version=\""), std::string::npos);
  EXPECT_NE(page.find("\nprocess_resident_memory_bytes "), std::string::npos);
  EXPECT_EQ(page.find("run-1"), std::string::npos) << "a run id is no label";
  runfold::test::check_with_promtool(page);
}

TEST_F(Agent, WhatEarlierProducersLeftInTheSpoolIsCountedApart) {
  const runfold::test::TemporaryFolder spool;
  settings.spool_folder = spool.path().string();
  {
    runfold::test::FakeKafka away;
    away.acknowledge_by_itself(false);
    auto earlier = Producer::create(settings, away.factory()).value();
    for (const char* name : {"one", "two", "refused"}) earlier->start_run({.run_id = name, .connector_id = "c"}).abandon();
    EXPECT_EQ(earlier->close(std::chrono::milliseconds(0)).kept, 3U);
  }
  kafka.judge_by([](const auto& record) -> std::optional<kafka::Error> {
    if (record.key != "refused") return std::nullopt;
    return runfold::test::trouble(kafka::Errc::kTooLarge, "too large");
  });
  serve();
  EXPECT_TRUE(shows("runfold_producer_taken_over_total 0"));
  EXPECT_TRUE(shows("runfold_producer_inherited_lost_total 0"));
  register_job(R"({"connector":"invoices"})");
  EXPECT_TRUE(runfold::test::wait_until([&] {
    return shows("runfold_producer_taken_over_total 2") && shows("runfold_producer_inherited_lost_total 1");
  })) << metrics();
  EXPECT_TRUE(shows("runfold_producer_records_total{topic=\"runfold.events\",outcome=\"acknowledged\"} 1")) << "its own alone";
  runfold::test::check_with_promtool(metrics());
}

TEST_F(Agent, AnAddressThatCannotBeListenedOnIsToldFromOneThatIsTaken) {
  serve();
  const auto producer = Producer::create(settings, kafka.factory()).value();
  boost::asio::io_context io;
  const std::string taken = std::string(register_job(R"({"connector":"c"})").answer.at("intake_url").as_string()).substr(7);
  AgentServerOptions other = options;
  other.listen = taken;
  EXPECT_EQ(AgentServer::listen(io.get_executor(), *producer, other).error().code, Errc::kSystem);
  other.listen = "nowhere";
  EXPECT_EQ(AgentServer::listen(io.get_executor(), *producer, other).error().code, Errc::kInvalid);
}

TEST(JobTokens, AreKnownToTheirMakerAloneAndToRedaction) {
  const JobTokens tokens;
  const std::string one = tokens.make();
  EXPECT_TRUE(tokens.made(one));
  EXPECT_NE(one, tokens.make());
  EXPECT_FALSE(JobTokens().made(one));
  EXPECT_FALSE(tokens.made(""));
  EXPECT_FALSE(tokens.made("."));
  EXPECT_FALSE(tokens.made(one.substr(1)));
  EXPECT_EQ(redact::Redactor().replaced("got " + one + "!"), "got [redacted]!");
}

}  // namespace
}  // namespace runfold::agent

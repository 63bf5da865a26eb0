// Clients that abuse an intake in every way, on a real Apache Kafka: they are refused, nobody is harmed, and what was right is recorded.
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/exec_memory.hpp"
#include "tests/broker/producer/intake_abuse.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/broker/producer/told.hpp"
#include "tests/support/arrived.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/secrets.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <future>
#include <map>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::Arrived;
using test::Program;
using test::unique_name;

TEST(HostileIntake, ThousandsOfConnectionsAndBadBodiesAreRefusedInBoundedMemoryAndTheCommandIsUnharmed) {
  const std::string servers = test::broker_address();
  test::create_topics(servers);
  const std::string run_id = unique_name("abuse");
  Program exec({RUNFOLD_BINARY_DIR "/runfold", "exec", "--connector", "abuse", "--run-id", run_id, "--bootstrap-servers", servers,
                "--flush-timeout", "60s", "--no-record-stdout", "--", "/usr/bin/python3", "-c", test::kIntakeAbuse});
  ASSERT_NO_FATAL_FAILURE(test::expect_bounded_memory_until_the_end(exec));
  ASSERT_EQ(exec.wait().value().exit_code, 9) << exec.err();
  EXPECT_EQ(exec.err(), "");

  test::expect_each_answered_as_it_deserves(exec.out());

  Arrived arrived(test::kafka_at(servers));
  EXPECT_EQ(arrived.lines(run_id), test::kGoodAmongTheBad);
  EXPECT_EQ(arrived.records_of(run_id) - arrived.heartbeats_of(run_id), 6U) << "with Started, StepStarted and Completed";
  ASSERT_NE(arrived.completed(run_id), nullptr);
  EXPECT_EQ(arrived.completed(run_id)->exit_code(), 9);
  EXPECT_EQ(arrived.completed(run_id)->totals(1).drops_size(), 0);
}

/// A job that is registered with an agent.
struct IntakeJob {
  IntakeJob(const test::AgentUnderTest& agent, const std::string& name) : run_id(unique_name(name)) {
    const auto answer = agent.post("/v1/jobs", agent.token, R"({"connector":"job","run_id":")" + run_id + "\"}");
    EXPECT_EQ(answer.status, 201U) << answer.body;
    const auto registered = boost::json::parse(answer.body);
    for (const auto& [variable, value] : registered.at("environment").as_object()) environment.emplace(variable, value.as_string());
    token = registered.at("token").as_string();
    test::remember_secret("a job's token", token);
  }
  std::string run_id;
  std::string token;
  std::map<std::string, std::string> environment;
};

TEST(HostileIntake, AnAgentRefusesTheSameInBoundedMemoryAndAnotherJobIsUnharmed) {
  test::create_topics(test::broker_address());
  test::AgentUnderTest agent(test::broker_address(), {"--flush-timeout", "60s"});
  const IntakeJob good(agent, "good");
  const IntakeJob bad(agent, "bad");
  Program abuse({"/usr/bin/python3", "-c", test::kIntakeAbuse}, bad.environment);
  std::atomic<bool> abused{false};
  std::vector<std::string> said;
  auto work = std::async(std::launch::async, [&] {
    while (!abused) {
      said.push_back("line " + std::to_string(said.size()));
      const auto taken = agent.post("/v1/job/log", good.token, R"({"level":"info","message":")" + said.back() + "\"}");
      EXPECT_EQ(taken.status, 202U) << said.back() << ": " << taken.body;
    }
  });
  const auto end = abuse.wait();
  abused = true;
  work.get();
  EXPECT_GT(said.size(), 10U);
  ASSERT_EQ(end.value().exit_code, 9) << abuse.err();
  test::expect_each_answered_as_it_deserves(abuse.out());
  test::expect_bounded(test::peak_resident_bytes(agent.program->pid()).value_or(0));
  for (const IntakeJob* job : {&good, &bad}) {
    EXPECT_EQ(agent.post("/v1/events", job->token, R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})").status, 202U);
  }
  agent.program->signal(SIGTERM);
  EXPECT_EQ(agent.program->wait().value().exit_code, 0);
  EXPECT_EQ(test::line_with(agent.program->err(), "[WARN]") + test::line_with(agent.program->err(), "[ERROR]"), "");

  Arrived arrived(test::kafka_at(test::broker_address()));
  EXPECT_EQ(arrived.lines(good.run_id), said);
  EXPECT_EQ(arrived.lines(bad.run_id), test::kGoodAmongTheBad);
  for (const IntakeJob* job : {&good, &bad}) {
    ASSERT_NE(arrived.completed(job->run_id), nullptr);
    EXPECT_EQ(arrived.completed(job->run_id)->totals(1).drops_size(), 0);
  }
}

TEST(HostileIntake, AnAgentRegistersNobodyWhoMayNotOrWhoSaysNotWhatAndLetsNobodyEndAnothersJob) {
  test::create_topics(test::broker_address());
  test::AgentUnderTest agent(test::broker_address(), {"--flush-timeout", "60s"});
  const IntakeJob good(agent, "good");
  const IntakeJob other(agent, "other");
  const auto refused = [&](unsigned status, const std::string& method, const std::string& path, const std::string& token,
                           const std::string& body) {
    http::ClientRequest request(method, agent.url + path, {}, body);
    request.fields.set("Authorization", "Bearer " + token);
    const auto answer = http::send_blocking(std::move(request), test::kPatience).value();
    const std::string what = method + " " + path + " " + body.substr(0, 60);
    EXPECT_EQ(answer.status, status) << what;
    EXPECT_EQ(answer.fields.get("content-type"), "application/problem+json") << what;
    EXPECT_FALSE(boost::json::parse(answer.body).at("detail").as_string().empty()) << what;
  };
  const std::string job = R"({"connector":"intruder"})";
  for (const std::string& token : {std::string(), agent.token.substr(1), agent.token + "0", good.token}) {
    refused(401, "POST", "/v1/jobs", token, job);
    if (token != good.token) refused(401, "DELETE", "/v1/jobs/" + good.run_id, token, "");
  }
  refused(401, "DELETE", "/v1/jobs/" + other.run_id, good.token, "");
  for (const std::string& body : {std::string(), std::string("{}"), std::string("[]"), std::string(R"({"connector":7})"),
                                  std::string(R"({"connector":"a","attempt":-1})"), std::string(R"({"connector":"a","os_pid":"one"})"),
                                  R"({"connector":")" + std::string(1'000, 'x') + "\"}", std::string("{\"connector\":\"\xff\"}"),
                                  std::string(R"({"connector":"a")"), std::string(100'000, '[')}) {
    refused(400, "POST", "/v1/jobs", agent.token, body);
  }
  refused(413, "POST", "/v1/jobs", agent.token, R"({"connector":")" + std::string(10'000'000, 'x') + "\"}");
  refused(409, "POST", "/v1/jobs", agent.token, R"({"connector":"intruder","run_id":")" + good.run_id + "\"}");
  refused(404, "POST", "/v1/job", agent.token, job);
  refused(405, "PUT", "/v1/jobs", agent.token, job);
  EXPECT_NE(agent.metrics().find("runfold_agent_jobs 2\n"), std::string::npos) << agent.metrics();

  for (const IntakeJob* one : {&good, &other}) {
    EXPECT_EQ(agent.post("/v1/job/log", one->token, R"({"level":"info","message":"unharmed"})").status, 202U);
    EXPECT_EQ(agent.post("/v1/events", one->token, R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})").status, 202U);
    const test::Told told = test::told_of(one->run_id);
    EXPECT_EQ(told.messages(), std::vector<std::string>{"unharmed"});
    EXPECT_EQ(told.end().result(), v1::RUN_RESULT_SUCCESS);
    for (const auto& event : told.events) EXPECT_EQ(event.identity().connector_id(), "job");
  }
}

}  // namespace
}  // namespace runfold

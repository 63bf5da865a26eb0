// An agent's server on Kafka in memory, and jobs that speak to it over HTTP.
#pragma once

#include "producer/agent/agent_server.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/support/fake_kafka_client.hpp"
#include "tests/support/wait_until.hpp"
#include "tests/unit/agent/recorded.hpp"
#include "transport/http/client.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::agent::test {

class AgentTest : public ::testing::Test {
 protected:
  /// What a job was given when it registered.
  struct Job {
    std::string run_id;
    std::string token;
    boost::json::object answer;
  };

  AgentTest() {
    EXPECT_TRUE(settings.kafka.set("bootstrap.servers", "in-memory:9092").has_value());
    settings.connector_id = "runfold-agent";
    options.listen = "127.0.0.1:0";
    options.token = "the-agents-own-token";
    options.jobs.end_grace = std::chrono::milliseconds(20);
  }

  /// Serves from now on; settings and options are as the test left them.
  void serve() {
    producer_ = Producer::create(settings, kafka.factory()).value();
    agent_ = AgentServer::listen(io_.get_executor(), *producer_, options).value();
    running_.emplace(*agent_, io_);
  }
  /// Tells the server to stop, and lets requests under way go on.
  void begin_to_stop() {
    std::promise<void> told;
    boost::asio::post(io_, [&] {
      agent_->stop(runfold::test::kPatience);
      told.set_value();
    });
    told.get_future().wait();
  }
  /// Whether the agent says that the next one goes on with the jobs of one that has been told to stop.
  bool promises_its_jobs() { return agent_->remembers_jobs(); }
  /// Ends the server, its jobs and the producer, in this order.
  void stop() {
    running_.reset();
    agent_.reset();
    producer_->close(runfold::test::kPatience);
  }
  /// Ends all of it, and serves at the same address again.
  void restart(const std::function<void()>& meanwhile = [] {}) {
    options.listen = agent_->url().substr(std::string("http://").size());
    stop();
    meanwhile();
    io_.restart();
    serve();
  }

  http::Response ask(const std::string& method, const std::string& path, const std::string& token, std::string body = {},
                     const http::Fields& further = {}) {
    http::ClientRequest request(method, agent_->url() + path, further, std::move(body));
    if (!token.empty()) request.fields.set("Authorization", "Bearer " + token);
    return http::send_blocking(std::move(request), runfold::test::kPatience).value();
  }
  http::Response post(const std::string& path, const std::string& token, std::string body) {
    return ask("POST", path, token, std::move(body));
  }
  http::Response try_to_register(const std::string& body) { return post("/v1/jobs", options.token, body); }
  Job register_job(const std::string& body) {
    const auto response = try_to_register(body);
    EXPECT_EQ(response.status, 201U) << response.body;
    Job job;
    job.answer = boost::json::parse(response.body).as_object();
    job.run_id = std::string(job.answer["run_id"].as_string());
    job.token = std::string(job.answer["token"].as_string());
    return job;
  }
  http::Response log(const Job& job, const std::string& message) {
    return post("/v1/job/log", job.token, R"({"level":"info","message":")" + message + "\"}");
  }
  http::Response complete(const Job& job) { return post("/v1/events", job.token, R"({"completed":{"result":"RUN_RESULT_SUCCESS"}})"); }

  /// The run's events, in the order of their numbers.
  std::vector<v1::SyncEvent> events(const std::string& run_id) {
    std::vector<v1::SyncEvent> all;
    for (const auto& record : kafka.acknowledged()) {
      if (record.topic != "runfold.events" || record.key != run_id) continue;
      EXPECT_TRUE(all.emplace_back().ParseFromString(record.value));
    }
    return all;
  }
  std::vector<std::string> messages(const std::string& run_id) {
    std::vector<std::string> all;
    for (const auto& record : kafka.acknowledged()) {
      v1::LogBatch batch;
      if (record.topic != "runfold.logs" || record.key != run_id) continue;
      EXPECT_TRUE(batch.ParseFromString(record.value));
      for (const auto& log : batch.records()) all.push_back(log.message());
    }
    return all;
  }
  /// Waits for the run's Completed.
  std::optional<v1::Completed> end_of(const std::string& run_id) {
    std::optional<v1::Completed> end;
    EXPECT_TRUE(runfold::test::wait_until([&] {
      for (const auto& event : events(run_id)) {
        if (event.has_completed()) end = event.completed();
      }
      return end.has_value();
    }));
    return end;
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(std::stoi(agent_->url().substr(agent_->url().rfind(':') + 1))); }
  bool has_ended(const std::string& run_id) {
    const auto all = events(run_id);
    return std::any_of(all.begin(), all.end(), [](const auto& event) { return event.has_completed(); });
  }
  std::string metrics() { return ask("GET", "/metrics", "").body; }
  bool shows(const std::string& line) { return ("\n" + metrics()).find("\n" + line + "\n") != std::string::npos; }

  runfold::test::FakeKafka kafka;
  Settings settings;
  AgentServerOptions options;

 private:
  std::unique_ptr<Producer> producer_;
  boost::asio::io_context io_{1};
  std::unique_ptr<AgentServer> agent_;
  std::optional<Running<AgentServer>> running_;
};

[[nodiscard]] inline std::string member_of(const http::Response& response) {
  EXPECT_EQ(response.fields.get("content-type"), "application/problem+json") << response.body;
  const auto problem = boost::json::parse(response.body).as_object();
  const auto* member = problem.if_contains("member");
  return member == nullptr ? "" : std::string(member->as_string());
}

}  // namespace runfold::agent::test

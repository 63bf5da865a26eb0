// A producer in a process that an agent runs: the agent begins and ends the run, and is told what the connector says of it.
#include "tests/support/http_server.hpp"
#include "tests/unit/sdk/sdk_fixture.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace runfold {
namespace {

/// While it lives this process can open `more` descriptors and then none.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const int next = ::dup(STDERR_FILENO);
    EXPECT_GE(next, 0);
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next) + more, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

class InAgent : public test::Sdk {
 protected:
  InAgent() : intake_(router()) {
    environment.set("RUNFOLD_INTAKE_URL", intake_.url("").c_str());
    environment.set("RUNFOLD_INTAKE_TOKEN", "a-token");
    environment.set("RUNFOLD_RUN_ID", "r-1");
    environment.set("RUNFOLD_AGENT_RUN", "r-1");
  }
  http::Router router() {
    http::Router out;
    out.add("POST", "/v1/events", {}, [this](const http::Request& request) -> boost::asio::awaitable<http::Response> {
      const std::scoped_lock lock(mutex_);
      EXPECT_EQ(request.fields.get("Authorization"), "Bearer a-token");
      EXPECT_TRUE(taken_.emplace_back().ParseFromString(request.body));
      co_return http::Response::json("{\"accepted\":1}", status_);
    });
    return out;
  }
  std::vector<v1::SyncEvent> taken() {
    const std::scoped_lock lock(mutex_);
    return taken_;
  }
  std::vector<v1::SyncEvent::EventCase> sent() {
    std::vector<v1::SyncEvent::EventCase> out;
    for (const auto& event : events()) out.push_back(event.event_case());
    return out;
  }

  unsigned status_ = 200;

 private:
  std::mutex mutex_;
  std::vector<v1::SyncEvent> taken_;
  test::HttpServer intake_;
};

using Cases = std::vector<v1::SyncEvent::EventCase>;

TEST_F(InAgent, TheAgentBeginsAndEndsTheRunAndIsToldWhatTheConnectorSaysOfIt) {
  Settings settings = test::good_settings();
  ASSERT_TRUE(settings.redactor->add("hunter2"));
  auto producer = make(std::move(settings));
  Cases heard;
  {
    runfold::Run run = producer->start_run({.on_event = [&](const v1::SyncEvent& event) { heard.push_back(event.event_case()); }});
    EXPECT_EQ(run.run_id(), "r-1");
    run.step("read").complete(1);
    run.finish({.result = v1::RUN_RESULT_FAILURE, .error = "login as hunter2 failed"});
  }
  const auto report = producer->close(test::kPatience);
  EXPECT_EQ(sent(), (Cases{v1::SyncEvent::kStepStarted, v1::SyncEvent::kStepCompleted}));
  EXPECT_EQ(heard, (Cases{v1::SyncEvent::kStarted, v1::SyncEvent::kStepStarted, v1::SyncEvent::kStepCompleted, v1::SyncEvent::kCompleted}));
  ASSERT_EQ(taken().size(), 1U);
  EXPECT_EQ(taken()[0].completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(taken()[0].completed().error(), "login as [redacted] failed");
  EXPECT_EQ(report.emitted, 2U);
  EXPECT_EQ(report.acknowledged, 2U);
}

TEST_F(InAgent, DebugRecordsGoByTheEndThatTheAgentIsTold) {
  for (const auto result : {v1::RUN_RESULT_SUCCESS, v1::RUN_RESULT_FAILURE}) {
    auto producer = make();
    runfold::Run run = producer->start_run();
    v1::LogRecord record;
    record.set_severity(v1::SEVERITY_DEBUG);
    record.set_message("detail");
    EXPECT_TRUE(run.log(record));
    run.finish({.result = result});
    producer->close(test::kPatience);
    EXPECT_EQ(logs().size(), result == v1::RUN_RESULT_SUCCESS ? 0U : 1U);
  }
}

TEST_F(InAgent, AnotherRunOrAttemptIsTheProducersOwn) {
  auto producer = make();
  for (const RunOptions& options : {RunOptions{.run_id = "another"}, RunOptions{.attempt = 2}}) {
    RunOptions own = options;
    producer->start_run(std::move(own)).finish({});
  }
  producer->close(test::kPatience);
  Cases all = sent();
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (Cases{v1::SyncEvent::kStarted, v1::SyncEvent::kStarted, v1::SyncEvent::kCompleted, v1::SyncEvent::kCompleted}));
  EXPECT_TRUE(taken().empty());
}

TEST_F(InAgent, AnAgentThatRecordsNothingLeavesTheRunToTheProducer) {
  environment.set("RUNFOLD_AGENT_RUN", "");
  auto producer = make();
  producer->start_run().finish({});
  producer->close(test::kPatience);
  EXPECT_EQ(sent(), (Cases{v1::SyncEvent::kStarted, v1::SyncEvent::kCompleted}));
}

TEST_F(InAgent, AnAgentThatRefusesTheEndIsWarnedOf) {
  status_ = 401;
  auto producer = make();
  ::testing::internal::CaptureStderr();
  producer->start_run().finish({});
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("[WARN] Runfold: the agent of run r-1 was not told how it ended, so the exit code decides: "), std::string::npos)
      << said;
  EXPECT_NE(said.find("answered 401"), std::string::npos) << said;
  producer->close(test::kPatience);
  EXPECT_TRUE(sent().empty());
}

TEST_F(InAgent, ARunThatLeavesScopeEndsWithFewDescriptorsLeft) {
  auto producer = make();
  for (rlim_t more = 0; more < 3; ++more) {  // an event loop needs that many before it can connect
    ::testing::internal::CaptureStderr();
    {
      std::optional<runfold::Run> run = producer->start_run();
      const FewDescriptors few(more);
      run.reset();
    }
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("the agent of run r-1 was not told how it ended"), std::string::npos) << more << ": " << said;
    EXPECT_TRUE(taken().empty());
  }
  producer->start_run().finish({});
  EXPECT_EQ(taken().size(), 1U);
}

}  // namespace
}  // namespace runfold

// A producer in a process that an agent runs: the agent begins and ends the run, and is told what the connector says of it.
#include "tests/support/http_server.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/unit/sdk/sdk_fixture.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
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
      EXPECT_EQ(request.fields.get("Authorization"), "Bearer a-token");
      note(request.body);
      if (says_nothing_) co_await until_cancelled();
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

  std::string stderr_of_a_run_that_ends() {
    auto producer = make();
    ::testing::internal::CaptureStderr();
    { const runfold::Run run = producer->start_run(); }
    std::string said = ::testing::internal::GetCapturedStderr();
    report_ = producer->close(test::kPatience);
    return said;
  }

  std::atomic<unsigned> status_{200};
  std::atomic<bool> says_nothing_{false};
  ProducerReport report_;

 private:
  static boost::asio::awaitable<void> until_cancelled() {
    boost::asio::steady_timer never(co_await boost::asio::this_coro::executor, boost::asio::steady_timer::time_point::max());
    co_await never.async_wait(boost::asio::use_awaitable);
  }
  void note(const std::string& body) {
    const std::scoped_lock lock(mutex_);
    EXPECT_TRUE(taken_.emplace_back().ParseFromString(body));
  }

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

TEST_F(InAgent, AnEndThatTheAgentRefusesIsTheProducersOwnToTell) {
  Cases expected;
  for (const unsigned status : {401U, 403U, 404U, 410U}) {
    status_ = status;
    const std::string said = stderr_of_a_run_that_ends();
    EXPECT_NE(said.find("[WARN] Runfold: the agent of run r-1 did not take its end, so this process tells it: "), std::string::npos)
        << said;
    EXPECT_NE(said.find("answered " + std::to_string(status)), std::string::npos) << said;
    expected.push_back(v1::SyncEvent::kCompleted);
    EXPECT_EQ(sent(), expected);
  }
}

TEST_F(InAgent, TheEndThatIsItsOwnHasTheProducersTotals) {
  status_ = 401;
  auto producer = make();
  ::testing::internal::CaptureStderr();
  {
    runfold::Run run = producer->start_run();
    run.step("read").complete(1);
    run.logger().info("Read");
    run.finish({.result = v1::RUN_RESULT_FAILURE, .error = "login failed"});
    v1::SyncEvent second;
    second.mutable_completed()->set_result(v1::RUN_RESULT_SUCCESS);
    EXPECT_FALSE(run.emit(second));
  }
  ::testing::internal::GetCapturedStderr();
  const auto report = producer->close(test::kPatience);
  ASSERT_EQ(sent(), (Cases{v1::SyncEvent::kStepStarted, v1::SyncEvent::kStepCompleted, v1::SyncEvent::kCompleted}));
  const v1::Completed end = events().back().completed();
  EXPECT_EQ(end.result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(end.error(), "login failed");
  EXPECT_TRUE(end.has_duration());
  ASSERT_EQ(end.totals_size(), 2);
  for (const auto& totals : end.totals()) EXPECT_EQ(totals.emitted(), totals.topic() == v1::TOPIC_EVENTS ? 3U : 1U);
  EXPECT_EQ(report.emitted, 5U);
  EXPECT_EQ(report.acknowledged, 4U);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"late", 1}}));
}

TEST_F(InAgent, AnEndForAnAgentThatIsGoneIsTheProducersOwnToTell) {
  const test::UnansweredAddress gone(test::UnansweredAddress::Kind::kRefuses);
  environment.set("RUNFOLD_INTAKE_URL", ("http://" + gone.text()).c_str());
  const std::string said = stderr_of_a_run_that_ends();
  EXPECT_NE(said.find("did not take its end, so this process tells it: Nothing answers at " + gone.text()), std::string::npos) << said;
  EXPECT_EQ(sent(), Cases{v1::SyncEvent::kCompleted});
  EXPECT_EQ(report_.acknowledged, 1U);
}

TEST_F(InAgent, AnEndThatTheAgentMayHaveTakenIsNotToldTwice) {
  says_nothing_ = true;
  auto producer = make();
  ::testing::internal::CaptureStderr();
  runfold::Run run = producer->start_run();
  std::thread ending([&] { run.finish({}); });
  EXPECT_TRUE(test::wait_until([&] { return taken().size() == 1; }));
  v1::SyncEvent second;
  second.mutable_completed()->set_result(v1::RUN_RESULT_FAILURE);
  EXPECT_FALSE(run.emit(second));
  ending.join();
  const std::string said = ::testing::internal::GetCapturedStderr();
  producer->close(test::kPatience);
  EXPECT_NE(said.find("[WARN] Runfold: the agent of run r-1 may not know how it ended; then what it sees of the process decides: "),
            std::string::npos)
      << said;
  EXPECT_EQ(taken().size(), 1U);
  EXPECT_TRUE(sent().empty());
}

TEST_F(InAgent, AnEndThatTheAgentFailsAtIsNotToldTwice) {
  status_ = 503;
  const std::string said = stderr_of_a_run_that_ends();
  EXPECT_NE(said.find("may not know how it ended"), std::string::npos) << said;
  EXPECT_TRUE(sent().empty());
}

TEST_F(InAgent, WithoutAKafkaOfItsOwnTheAgentIsToldTheEndAllTheSame) {
  Settings off;
  ASSERT_TRUE(off.redactor->add("hunter2"));
  auto producer = make(std::move(off));
  Cases heard;
  {
    runfold::Run run = producer->start_run({.on_event = [&](const v1::SyncEvent& event) { heard.push_back(event.event_case()); }});
    run.step("read").complete(1);
    run.finish({.result = v1::RUN_RESULT_FAILURE, .error = "login as hunter2 failed"});
    run.finish({});
  }
  { const runfold::Run unheard = producer->start_run(); }
  EXPECT_EQ(producer->close(test::kPatience).emitted, 0U);
  EXPECT_EQ(heard, (Cases{v1::SyncEvent::kStarted, v1::SyncEvent::kStepStarted, v1::SyncEvent::kStepCompleted, v1::SyncEvent::kCompleted}));
  ASSERT_EQ(taken().size(), 2U);
  EXPECT_EQ(taken()[0].completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(taken()[0].completed().error(), "login as [redacted] failed");
  EXPECT_TRUE(taken()[0].completed().has_duration());
  EXPECT_EQ(taken()[1].completed().result(), v1::RUN_RESULT_SUCCESS) << "though nobody here listens";
  EXPECT_TRUE(sent().empty());
}

TEST_F(InAgent, WithoutAKafkaOfItsOwnTheEndOfAnothersRunIsNobodysToTell) {
  auto producer = make(Settings{});
  { const runfold::Run joined = producer->start_run({.joined = true}); }
  { const runfold::Run another = producer->start_run({.run_id = "another"}); }
  producer->start_run().abandon();
  EXPECT_TRUE(taken().empty());
}

TEST_F(InAgent, WithoutAKafkaOfItsOwnAnEndThatIsRefusedIsSaidToBeLost) {
  status_ = 410;
  auto producer = make(Settings{});
  ::testing::internal::CaptureStderr();
  {
    runfold::Run run = producer->start_run();
    v1::SyncEvent end;
    end.mutable_completed()->set_result(v1::RUN_RESULT_SUCCESS);
    EXPECT_FALSE(run.emit(end));
  }
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("[WARN] Runfold: the agent of run r-1 did not take its end, and without a Kafka this process cannot tell it: "),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("answered 410"), std::string::npos) << said;
}

TEST_F(InAgent, AnAgentThatIsBeingStartedAgainIsToldTheEndWhenItAnswers) {
  status_ = 503;
  for (Settings settings : {test::good_settings(), Settings{}}) {
    status_ = 503;
    const std::size_t before = taken().size();
    auto producer = make(std::move(settings));
    runfold::Run run = producer->start_run();
    std::thread ending([&] { run.finish({.result = v1::RUN_RESULT_FAILURE}); });
    EXPECT_TRUE(test::wait_until([&] { return taken().size() > before; }));
    status_ = 200;
    ending.join();
    producer->close(test::kPatience);
    EXPECT_GT(taken().size(), before + 1);
    EXPECT_EQ(taken().back().completed().result(), v1::RUN_RESULT_FAILURE);
    EXPECT_TRUE(sent().empty()) << "it is the agent's to tell";
  }
}

TEST_F(InAgent, AnAgentThatListensAgainIsToldTheEndThoughItRefusedConnectionsAtFirst) {
  auto port = std::make_unique<test::UnansweredAddress>(test::UnansweredAddress::Kind::kRefuses);
  environment.set("RUNFOLD_INTAKE_URL", ("http://" + port->text()).c_str());
  auto producer = make(Settings{});
  runfold::Run run = producer->start_run();
  std::atomic<bool> took{false};
  std::thread ending([&] {
    v1::SyncEvent end;
    end.mutable_completed()->set_result(v1::RUN_RESULT_SUCCESS);
    took = run.emit(end);
  });
  EXPECT_TRUE(test::wait_until([&] { return run.finished(); }));
  const int listening = port->listen_from_now();
  test::RawSocket client(::accept(listening, nullptr, nullptr));
  ::close(listening);
  EXPECT_NE(client.until("\r\n\r\n"), std::string::npos);
  client.send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  ending.join();
  EXPECT_TRUE(took);
}

// Not under the sanitizer of undefined behaviour, which itself opens a pipe to look at an exception's type.
#if !defined(__SANITIZE_ADDRESS__)
TEST_F(InAgent, ARunThatLeavesScopeEndsWithFewDescriptorsLeft) {
  auto producer = make();
  for (rlim_t more = 0; more < 3; ++more) {  // an event loop needs that many before it can connect
    const std::size_t before = taken().size();
    ::testing::internal::CaptureStderr();
    {
      std::optional<runfold::Run> run = producer->start_run();
      const FewDescriptors few(more);
      run.reset();
    }
    const std::string said = ::testing::internal::GetCapturedStderr();
    // A descriptor that is closed elsewhere meanwhile lets it come further, as far as to the agent.
    const bool warned =
        said.find("the agent of run r-1 may not know how it ended; then what it sees of the process decides: ") != std::string::npos ||
        said.find("the agent of run r-1 did not take its end, so this process tells it: ") != std::string::npos;
    EXPECT_TRUE(warned || taken().size() > before) << more << ": " << said;
  }
  const std::size_t before = taken().size();
  producer->start_run().finish({});
  EXPECT_EQ(taken().size(), before + 1);
}
#endif

}  // namespace
}  // namespace runfold

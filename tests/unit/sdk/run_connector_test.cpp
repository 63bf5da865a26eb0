// A connector's steps run in order, and all that happens to them is told.
#include "producer/sdk/run_connector.hpp"

#include "tests/unit/sdk/sdk_fixture.hpp"

#include <pthread.h>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::kPatience;
using test::Sdk;

struct Scripted : Connector {
  explicit Scripted(std::vector<ConnectorStep> script) : planned(std::move(script)) {}
  std::vector<ConnectorStep> steps() override { return planned; }
  std::vector<ConnectorStep> planned;
};

ConnectorStep good(std::string step_id) {
  return {.step_id = std::move(step_id), .body = [](Step&) { return StepOutcome{.entities = 42, .relationships = 7}; }};
}
ConnectorStep bad(std::string step_id, bool required = false) {
  return {.step_id = std::move(step_id),
          .body = [](Step&) -> StepOutcome { throw std::runtime_error("connection reset"); },
          .required = required};
}

// "step_started read", and so on.
std::string in_short(const v1::SyncEvent& event) {
  switch (event.event_case()) {
    case v1::SyncEvent::kStarted:
      return "started " + event.started().account();
    case v1::SyncEvent::kStepStarted:
      return "step_started " + event.step_started().step_id();
    case v1::SyncEvent::kStepCompleted:
      return "step_completed " + event.step_completed().step_id();
    case v1::SyncEvent::kStepFailed:
      return "step_failed " + event.step_failed().step_id() + ": " + event.step_failed().error();
    case v1::SyncEvent::kStatsCommitted:
      return "stats_committed";
    case v1::SyncEvent::kCompleted:
      return "completed " + v1::RunResult_Name(event.completed().result());
    default:
      return "something else";
  }
}

std::vector<std::string> in_short(const std::vector<v1::SyncEvent>& events) {
  std::vector<std::string> out;
  for (const auto& event : events) out.push_back(in_short(event));
  return out;
}

class RunConnector : public Sdk {
 protected:
  SyncOutcome run(std::vector<ConnectorStep> steps, Settings settings = test::good_settings()) {
    auto producer = make(std::move(settings));
    Scripted connector(std::move(steps));
    const auto outcome =
        run_connector(*producer, connector, "acme", "sync-1", [this](const v1::SyncEvent& event) { heard.push_back(event); });
    producer->close(kPatience);
    return outcome;
  }
  std::vector<v1::SyncEvent> heard;
};

TEST_F(RunConnector, TellsOfEachStepInOrderWithItsCounts) {
  const auto outcome = run({good("read"), good("upload")});
  EXPECT_EQ(outcome.run_id, "sync-1");
  EXPECT_EQ(outcome.result, v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.steps_completed, 2U);
  EXPECT_EQ(outcome.steps_failed, 0U);
  const auto told = events();
  EXPECT_EQ(in_short(told), (std::vector<std::string>{"started acme", "step_started read", "step_completed read", "step_started upload",
                                                      "step_completed upload", "completed RUN_RESULT_SUCCESS"}));
  EXPECT_EQ(told[0].identity().run_id(), "sync-1");
  EXPECT_EQ(told[2].step_completed().entities(), 42U);
  EXPECT_EQ(told[2].step_completed().relationships(), 7U);
  EXPECT_TRUE(told[2].step_completed().has_duration());
}

TEST_F(RunConnector, CountsThatAStepDoesNotGiveAreUnknown) {
  run({{.step_id = "read", .body = [](Step&) { return StepOutcome{}; }}});
  EXPECT_FALSE(events().at(2).step_completed().has_entities());
  EXPECT_FALSE(events().at(2).step_completed().has_relationships());
}

TEST_F(RunConnector, AFailedStepDoesNotEndTheRun) {
  const auto outcome = run({bad("read"), good("upload")});
  EXPECT_EQ(outcome.result, v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(outcome.steps_failed, 1U);
  EXPECT_EQ(outcome.steps_completed, 1U);
  EXPECT_EQ(in_short(events()), (std::vector<std::string>{"started acme", "step_started read", "step_failed read: connection reset",
                                                          "step_started upload", "step_completed upload", "completed RUN_RESULT_SUCCESS"}));
}

TEST_F(RunConnector, AFailedStepThatIsRequiredEndsTheRunAsFailed) {
  const auto outcome = run({bad("read", true), good("upload")});
  EXPECT_EQ(outcome.result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(outcome.error, "read: connection reset");
  const auto told = events();
  EXPECT_EQ(in_short(told), (std::vector<std::string>{"started acme", "step_started read", "step_failed read: connection reset",
                                                      "completed RUN_RESULT_FAILURE"}));
  EXPECT_EQ(told[3].completed().error(), "read: connection reset");
}

TEST_F(RunConnector, AStepMayFailWithoutAnException) {
  const auto refuse = [](Step& step) {
    step.fail("nothing to read");
    return StepOutcome{.entities = 1};
  };
  const auto outcome = run({{.step_id = "read", .body = refuse, .required = true}, good("upload")});
  EXPECT_EQ(outcome.error, "read: nothing to read");
  EXPECT_EQ(outcome.steps_failed, 1U);
  EXPECT_EQ(in_short(events()).at(2), "step_failed read: nothing to read");
}

TEST_F(RunConnector, AConnectorThatCannotGiveItsStepsHasFailed) {
  struct Broken : Connector {
    std::vector<ConnectorStep> steps() override { throw std::runtime_error("no configuration"); }
  } broken;
  auto producer = make();
  const auto outcome = run_connector(*producer, broken, "acme");
  producer->close(kPatience);
  EXPECT_EQ(outcome.result, v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(outcome.error, "The connector could not give its steps: no configuration");
  EXPECT_EQ(in_short(events()), (std::vector<std::string>{"started acme", "completed RUN_RESULT_FAILURE"}));
}

TEST_F(RunConnector, AStepWithoutABodyFails) {
  EXPECT_EQ(run({{.step_id = "read", .body = {}}}).steps_failed, 1U);
}

TEST_F(RunConnector, WhatACommitChangedIsToldBeforeItsStepEnds) {
  run({{.step_id = "commit", .body = [](Step&) {
          v1::SyncStats stats;
          stats.set_entities_created(3);
          stats.set_relationships_deleted(0);
          return StepOutcome{.committed = stats};
        }}});
  const auto told = events();
  ASSERT_EQ(in_short(told), (std::vector<std::string>{"started acme", "step_started commit", "stats_committed", "step_completed commit",
                                                      "completed RUN_RESULT_SUCCESS"}));
  EXPECT_EQ(told[2].stats_committed().stats().entities_created(), 3U);
  EXPECT_TRUE(told[2].stats_committed().stats().has_relationships_deleted());
  EXPECT_FALSE(told[2].stats_committed().stats().has_entities_updated());
  EXPECT_EQ(told[2].trace().traceparent(), told[1].trace().traceparent());
}

TEST_F(RunConnector, ASubscriberHearsTheSameEvents) {
  run({good("read"), bad("upload")});
  auto told = events();
  ASSERT_EQ(told.size(), heard.size());
  for (auto& event : told) {
    event.clear_sequence();
    if (event.has_completed()) event.mutable_completed()->clear_totals();
  }
  for (std::size_t i = 0; i < told.size(); ++i) EXPECT_EQ(told[i].DebugString(), heard[i].DebugString());
}

TEST_F(RunConnector, ASubscriberHearsTheEventsWithoutKafkaToo) {
  Settings settings;
  settings.connector_id = "invoices";
  run({good("read")}, std::move(settings));
  EXPECT_EQ(in_short(heard),
            (std::vector<std::string>{"started acme", "step_started read", "step_completed read", "completed RUN_RESULT_SUCCESS"}));
  EXPECT_EQ(heard.at(0).identity().run_id(), "sync-1");
  EXPECT_EQ(heard.at(0).identity().connector_id(), "invoices");
  EXPECT_EQ(cluster.clients(), 0);
}

TEST_F(RunConnector, ASubscriberHearsNothingAfterTheEnd) {
  auto producer = make();
  runfold::Run run = producer->start_run({.on_event = [this](const v1::SyncEvent& event) { heard.push_back(event); }});
  Step late = run.step("late");
  run.finish({});
  late.complete();
  run.emit(v1::SyncEvent{});
  run.finish({});
  EXPECT_EQ(in_short(heard), (std::vector<std::string>{"started ", "step_started late", "completed RUN_RESULT_SUCCESS"}));
}

TEST_F(RunConnector, ASubscriberThatThrowsIsSaidOnceAndHarmsNobody) {
  auto producer = make();
  Scripted connector({good("read")});
  int calls = 0;
  ::testing::internal::CaptureStderr();
  const auto outcome = run_connector(*producer, connector, "acme", "sync-1", [&calls](const v1::SyncEvent&) {
    ++calls;
    throw std::runtime_error("the window is closed");
  });
  const std::string said = ::testing::internal::GetCapturedStderr();
  producer->close(kPatience);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(said.substr(19),
            " UTC [WARN] Runfold: the subscriber to the events of run sync-1 threw and is not called again: the window is closed\n");
  EXPECT_EQ(outcome.result, v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(events().size(), 4U);
}

TEST_F(RunConnector, TakesItsSettingsFromTheEnvironment) {
  environment.set("RUNFOLD_CONNECTOR", "invoices");
  environment.set("RUNFOLD_RUN_ID", "from-environment");
  Scripted connector({good("read")});
  const auto outcome = run_connector(connector, "acme", {}, [this](const v1::SyncEvent& event) { heard.push_back(event); });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->run_id, "from-environment");
  EXPECT_EQ(heard.at(0).identity().connector_id(), "invoices");
}

TEST_F(RunConnector, AnEnvironmentThatCanNeverWorkIsAnErrorBeforeAnythingHasRun) {
  environment.set("RUNFOLD_BOOTSTRAP_SERVERS", "127.0.0.1:1");
  bool ran = false;
  Scripted connector({{.step_id = "read", .body = [&ran](Step&) {
                         ran = true;
                         return StepOutcome{};
                       }}});
  const auto outcome = run_connector(connector, "acme");
  ASSERT_FALSE(outcome.has_value());
  EXPECT_NE(outcome.error().message.find("RUNFOLD_CONNECTOR"), std::string::npos);
  EXPECT_FALSE(ran);
}

TEST_F(RunConnector, AThreadThatIsCancelledInAStepFailsStepAndRun) {
  auto producer = make();
  pthread_t thread{};
  const auto body = [](void* given) -> void* {
    Scripted connector({{.step_id = "read", .body = [](Step&) -> StepOutcome { ::pthread_exit(nullptr); }}, good("upload")});
    run_connector(*static_cast<Producer*>(given), connector, "acme", "sync-1");
    return nullptr;
  };
  ASSERT_EQ(::pthread_create(&thread, nullptr, body, producer.get()), 0);
  ASSERT_EQ(::pthread_join(thread, nullptr), 0);
  producer->close(kPatience);
  const auto told = events();
  EXPECT_EQ(in_short(told), (std::vector<std::string>{"started acme", "step_started read", "step_failed read: its thread was cancelled",
                                                      "completed RUN_RESULT_FAILURE"}));
  EXPECT_EQ(told.back().completed().error(), "its thread was cancelled");
}

}  // namespace
}  // namespace runfold

// What is logged and emitted knows its run and step, by the thread that it comes from.
#include "producer/sdk/context.hpp"

#include "tests/unit/sdk/sdk_fixture.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>

namespace runfold {
namespace {

using test::good_settings;
using test::kPatience;
using test::Sdk;

/// What the lines would print, kept off the test's own output.
struct QuietStderr {
  QuietStderr() { ::testing::internal::CaptureStderr(); }
  ~QuietStderr() { ::testing::internal::GetCapturedStderr(); }
};

class Contexts : public Sdk {};

TEST_F(Contexts, WhatIsLoggedInAStepCarriesTheStepAndTheTrace) {
  const QuietStderr quiet;
  auto producer = make();
  producer->run({}, [](runfold::Run& run) {
    run.logger().info("before");
    run.step("upload", [&run](Step&) {
      run.logger().info("inside");
      run.logger().info("named", {.step = "connect"});
      Context::current().logger().info("far from any handle");
      v1::LogRecord record;
      record.set_message("as it stands");
      run.log(record);
    });
    run.logger().info("after");
  });
  producer->close(kPatience);
  std::vector<std::string> steps;
  for (const auto& record : logs()) steps.push_back(record.step_id());
  EXPECT_EQ(steps, (std::vector<std::string>{"", "upload", "connect", "upload", "upload", ""}));
  const std::string trace = events().at(0).trace().traceparent().substr(0, 36);
  for (const auto& batch : batches()) EXPECT_EQ(batch.trace().traceparent().substr(0, 36), trace);
}

TEST_F(Contexts, WhatIsEmittedInAStepCarriesItsSpan) {
  auto producer = make();
  producer->run({}, [](runfold::Run& run) {
    run.step("commit", [&run](Step& step) {
      EXPECT_EQ(Context::current().traceparent(), step.traceparent());
      run.stats_committed({});
    });
    EXPECT_EQ(Context::current().traceparent(), run.traceparent());
  });
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 5U);
  EXPECT_EQ(told[2].trace().traceparent(), told[1].trace().traceparent());
  EXPECT_NE(told[2].trace().traceparent(), told[0].trace().traceparent());
  EXPECT_EQ(told[4].trace().traceparent(), told[0].trace().traceparent());
}

TEST_F(Contexts, AThreadHasNoneUntilItIsHandedOne) {
  const QuietStderr quiet;
  auto producer = make();
  producer->run({.run_id = "run-1"}, [](runfold::Run& run) {
    run.step("upload", [&run](Step& step) {
      std::thread([&run, &step, here = Context::current()] {
        EXPECT_FALSE(Context::current());
        EXPECT_EQ(Context::current().run_id(), "");
        Context::current().logger().info("to stderr alone");
        run.logger().info("of the run");
        step.logger().info("of the step");
        const Context::Scope inside(here);
        EXPECT_EQ(Context::current().run_id(), "run-1");
        EXPECT_EQ(Context::current().step_id(), "upload");
        run.logger().info("of the step, too");
      }).join();
    });
    EXPECT_EQ(Context::current().step_id(), "");
  });
  EXPECT_FALSE(Context::current());
  producer->close(kPatience);
  std::vector<std::string> said;
  for (const auto& record : logs()) said.push_back(record.message() + "|" + record.step_id());
  EXPECT_EQ(said, (std::vector<std::string>{"of the run|", "of the step|upload", "of the step, too|upload"}));
}

TEST_F(Contexts, TheStepOfOneRunIsNotThatOfAnother) {
  const QuietStderr quiet;
  auto producer = make();
  runfold::Run other = producer->start_run({.run_id = "other"});
  producer->run({.run_id = "mine"}, [&other](runfold::Run& run) {
    run.step("upload", [&other](Step&) {
      other.logger().info("elsewhere");
      other.heartbeat();
    });
  });
  other.finish({});
  producer->close(kPatience);
  EXPECT_EQ(logs().at(0).step_id(), "");
  for (const auto& event : events()) {
    if (event.has_heartbeat()) {
      EXPECT_EQ(event.trace().traceparent(), other.traceparent());
    }
  }
}

TEST_F(Contexts, ARunStartedInAStepIsAChildInItsTrace) {
  environment.set("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  environment.set("TRACESTATE", "vendor=1");
  auto producer = make();
  producer->run({.run_id = "outer"}, [&](runfold::Run& outer) {
    environment.set("TRACEPARENT", "00-11111111111111111111111111111111-2222222222222222-01");
    environment.set("TRACESTATE", "vendor=2");
    outer.step("delegate", [&](Step& step) {
      const runfold::Run inner = producer->start_run({.run_id = "inner"});
      EXPECT_EQ(inner.traceparent().substr(0, 36), step.traceparent().substr(0, 36));
      EXPECT_NE(inner.traceparent(), step.traceparent());
    });
  });
  producer->close(kPatience);
  for (const auto& event : events()) {
    EXPECT_EQ(event.trace().traceparent().substr(3, 32), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(event.trace().tracestate(), "vendor=1");
  }
}

TEST_F(Contexts, AnExceptionEndsTheContextsThatItLeaves) {
  auto producer = make();
  const auto fail = [](Step&) { throw std::runtime_error("disk on fire"); };
  EXPECT_THROW(producer->run({}, [&fail](runfold::Run& run) { run.step("upload", fail); }), std::runtime_error);
  EXPECT_FALSE(Context::current());
}

TEST_F(Contexts, MayOutliveTheirRunAndProducer) {
  const QuietStderr quiet;
  auto producer = make();
  Context kept = producer->run({.run_id = "run-1"}, [](runfold::Run& run) { return run.context(); });
  producer.reset();
  EXPECT_EQ(kept.run_id(), "run-1");
  kept.logger().info("too late");
}

}  // namespace
}  // namespace runfold

// The SDK as a connector author uses it, on Kafka in memory.
#include "producer/sdk/producer.hpp"

#include "tests/support/temporary_folder.hpp"
#include "tests/unit/sdk/sdk_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace runfold {
namespace {

using test::good_settings;
using test::kPatience;
using test::Sdk;
using test::wait_until;

TEST_F(Sdk, ARunTellsItsWholeLifeInOrder) {
  auto producer = make();
  {
    runfold::Run run = producer->start_run({.run_id = "run-1", .attempt = 3, .os_pid = 4711, .account = "acme"});
    {
      Step read = run.step("read");
      read.progress(5, 10, "half");
      read.complete(10, 4);
    }
    v1::SyncStats stats;
    stats.set_entities_created(7);
    run.stats_committed(stats);
    run.heartbeat();
    run.finish({.result = v1::RUN_RESULT_SUCCESS, .exit_code = 0});
  }
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.emitted, 7U);
  EXPECT_EQ(report.acknowledged, 7U);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_TRUE(report.dropped.empty());

  const auto told = events();
  ASSERT_EQ(told.size(), 7U);
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].sequence(), i + 1);
    EXPECT_EQ(told[i].identity().run_id(), "run-1");
    EXPECT_EQ(told[i].identity().attempt(), 3U);
    EXPECT_EQ(told[i].identity().connector_id(), "invoices");
    EXPECT_EQ(told[i].identity().version(), "1.2.3");
    EXPECT_EQ(told[i].identity().site(), "north");
    EXPECT_EQ(told[i].identity().source_id().size(), 36U);
    EXPECT_GT(told[i].occurred_at().seconds(), 1'700'000'000);
  }
  EXPECT_EQ(told[0].started().os_pid(), 4711U);
  EXPECT_EQ(told[0].started().account(), "acme");
  EXPECT_EQ(told[0].started().heartbeat_interval().seconds(), 10);
  EXPECT_FALSE(told[0].started().host().empty());
  EXPECT_EQ(told[1].step_started().step_id(), "read");
  EXPECT_EQ(told[1].step_started().step_attempt(), 1U);
  EXPECT_EQ(told[2].progress().done(), 5U);
  EXPECT_EQ(told[2].progress().total(), 10U);
  EXPECT_EQ(told[3].step_completed().entities(), 10U);
  EXPECT_EQ(told[3].step_completed().relationships(), 4U);
  EXPECT_TRUE(told[3].step_completed().has_duration());
  EXPECT_EQ(told[4].stats_committed().stats().entities_created(), 7U);
  EXPECT_FALSE(told[4].stats_committed().stats().has_entities_deleted());
  EXPECT_TRUE(told[5].has_heartbeat());
  EXPECT_EQ(told[6].completed().result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(told[6].completed().exit_code(), 0);
  EXPECT_FALSE(told[6].completed().has_signal());
  EXPECT_TRUE(told[6].completed().has_duration());
  EXPECT_EQ(told[6].completed().totals(0).emitted(), 7U);
}

TEST_F(Sdk, AStepHasASpanOfItsOwnBelowTheRuns) {
  auto producer = make();
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  runfold::Run run = producer->start_run({.traceparent = parent});
  EXPECT_EQ(run.traceparent().substr(0, 36), parent.substr(0, 36));
  EXPECT_NE(run.traceparent(), parent);
  run.step("a").complete();
  run.finish({});
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0].trace().traceparent(), run.traceparent());
  EXPECT_NE(told[1].trace().traceparent(), run.traceparent());
  EXPECT_EQ(told[1].trace().traceparent().substr(0, 36), parent.substr(0, 36));
  EXPECT_EQ(told[2].trace().traceparent(), told[1].trace().traceparent());
  EXPECT_EQ(told[3].trace().traceparent(), run.traceparent());
}

TEST_F(Sdk, WhatTheOptionsLeaveOutComesFromTheEnvironment) {
  environment.set("RUNFOLD_RUN_ID", "from-environment");
  environment.set("RUNFOLD_ATTEMPT", "4");
  environment.set("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  environment.set("TRACESTATE", "vendor=1");
  auto producer = make();
  runfold::Run run = producer->start_run();
  EXPECT_EQ(run.run_id(), "from-environment");
  EXPECT_EQ(run.attempt(), 4U);
  EXPECT_EQ(run.traceparent().substr(3, 32), "0af7651916cd43dd8448eb211c80319c");
  run.finish({});
  producer->close(kPatience);
  EXPECT_EQ(events().at(0).trace().tracestate(), "vendor=1");
}

TEST_F(Sdk, ABadEnvironmentGivesANewTraceAndAFirstAttempt) {
  environment.set("RUNFOLD_ATTEMPT", "-3");
  environment.set("TRACEPARENT", "garbage");
  environment.set("TRACESTATE", "vendor=1");
  auto producer = make();
  runfold::Run run = producer->start_run();
  EXPECT_EQ(run.attempt(), 1U);
  EXPECT_EQ(run.run_id().size(), 36U);
  EXPECT_EQ(run.traceparent().size(), 55U);
  run.finish({});
  producer->close(kPatience);
  EXPECT_EQ(events().at(0).trace().tracestate(), "");
}

TEST_F(Sdk, RunsAndProducersHaveIdsOfTheirOwn) {
  std::vector<std::string> run_ids;
  for (int i = 0; i < 2; ++i) {
    auto producer = make();
    run_ids.push_back(producer->start_run().run_id());
    producer->close(kPatience);
  }
  EXPECT_NE(run_ids.front(), run_ids.back());
  EXPECT_NE(events().front().identity().source_id(), events().back().identity().source_id());
}

TEST_F(Sdk, AnExceptionFailsTheHandlesThatItLeaves) {
  auto producer = make();
  try {
    runfold::Run run = producer->start_run();
    Step step = run.step("upload");
    throw std::runtime_error("disk on fire");
  } catch (const std::runtime_error&) {
  }
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[2].step_failed().error(), "unwound by an exception");
  EXPECT_EQ(told[3].completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(told[3].completed().error(), "unwound by an exception");
}

TEST_F(Sdk, AStepRunAsACallTellsWhatItsExceptionSays) {
  auto producer = make();
  {
    runfold::Run run = producer->start_run();
    EXPECT_THROW(run.step("upload", [](Step&) { throw std::runtime_error("disk on fire"); }), std::runtime_error);
    EXPECT_EQ(run.step("count",
                       [](Step& step) {
                         step.complete(3);
                         return 3;
                       }),
              3);
  }
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 6U);
  EXPECT_EQ(told[2].step_failed().error(), "disk on fire");
  EXPECT_EQ(told[4].step_completed().entities(), 3U);
  EXPECT_EQ(told[5].completed().result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(Sdk, AnExceptionNestedInAnotherIsToldOf) {
  auto producer = make();
  const auto upload = [](Step&) {
    try {
      throw std::runtime_error("connection reset");
    } catch (...) {
      std::throw_with_nested(std::runtime_error("cannot upload"));
    }
  };
  EXPECT_THROW(producer->run({}, [&upload](runfold::Run& run) { run.step("upload", upload); }), std::runtime_error);
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[2].step_failed().error(), "cannot upload: connection reset");
  EXPECT_EQ(told[3].completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(told[3].completed().error(), "cannot upload: connection reset");
}

TEST_F(Sdk, WhatIsThrownAndSaysNothingIsNamedByItsType) {
  auto producer = make();
  EXPECT_THROW(producer->run({}, [](runfold::Run& run) { run.step("upload", [](Step&) { throw 7; }); }), int);
  producer->close(kPatience);
  EXPECT_EQ(events().at(2).step_failed().error(), "an exception of type int");
  EXPECT_EQ(events().at(3).completed().error(), "an exception of type int");
}

TEST_F(Sdk, ARunAsACallGivesWhatItsBodyGives) {
  auto producer = make();
  EXPECT_EQ(producer->run({}, [](runfold::Run&) { return 3; }), 3);
  EXPECT_THROW(producer->run({.joined = true}, [](runfold::Run&) { throw std::runtime_error("not its end"); }), std::runtime_error);
  producer->close(kPatience);
  ASSERT_EQ(events().size(), 2U);
  EXPECT_EQ(events()[1].completed().result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(Sdk, ARunMadeWhileAnExceptionUnwindsEndsWellWhenItsOwnScopeDoes) {
  auto producer = make();
  struct Cleanup {
    Producer& producer;
    ~Cleanup() { runfold::Run run = producer.start_run({.run_id = "cleanup"}); }
  };
  try {
    const Cleanup cleanup{*producer};
    throw 1;
  } catch (int) {
  }
  producer->close(kPatience);
  EXPECT_EQ(events().at(1).completed().result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(Sdk, AStepLeftInPeaceIsCompletedWithUnknownCounts) {
  auto producer = make();
  {
    runfold::Run run = producer->start_run();
    { const Step step = run.step("quiet"); }
    Step moved = run.step("first");
    moved = run.step("second");  // ends the first
  }
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 8U);
  EXPECT_FALSE(told[2].step_completed().has_entities());
  EXPECT_FALSE(told[2].step_completed().has_relationships());
  EXPECT_EQ(told[5].step_completed().step_id(), "first");
  EXPECT_EQ(told[6].step_completed().step_id(), "second");
  EXPECT_EQ(told[7].completed().result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(Sdk, AStepNameUsedAgainIsAFurtherAttempt) {
  auto producer = make();
  runfold::Run run = producer->start_run();
  run.step("upload").fail("first try");
  Step again = run.step("upload");
  EXPECT_EQ(again.attempt(), 2U);
  again.complete();
  again.fail("too late to say so");
  run.finish({});
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 6U);
  EXPECT_EQ(told[2].step_failed().step_attempt(), 1U);
  EXPECT_EQ(told[4].step_completed().step_attempt(), 2U);
}

TEST_F(Sdk, AStepNameThatTheWireCannotCarryIsMended) {
  auto producer = make();
  runfold::Run run = producer->start_run();
  EXPECT_EQ(run.step("").step_id(), "unnamed");
  EXPECT_EQ(run.step(std::string(300, 's')).step_id().size(), 200U);
}

TEST_F(Sdk, ALoggerPrintsTheLineAndSendsTheRecord) {
  auto producer = make();
  runfold::Run run = producer->start_run();
  ::testing::internal::CaptureStderr();
  run.logger().error("cannot read\nfile", {.step = "read", .detail = {{"path", "/x"}, {"tries", 3}}});
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(line.size(), std::string("2026-05-16 14:32:11 UTC [ERROR] cannot read\\nfile\n").size());
  EXPECT_EQ(line.substr(19), " UTC [ERROR] cannot read\\nfile\n");
  run.finish({});
  producer->close(kPatience);
  ASSERT_EQ(logs().size(), 1U);
  const auto record = logs()[0];
  EXPECT_EQ(record.severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(record.stream(), v1::LOG_STREAM_APPLICATION);
  EXPECT_EQ(record.message(), "cannot read\nfile");
  EXPECT_EQ(record.step_id(), "read");
  EXPECT_EQ(record.detail_json(), "{\"path\":\"/x\",\"tries\":3}");
}

TEST_F(Sdk, WaitingEndsWhenKafkaHasConfirmedEnoughOrTheLimitHasPassed) {
  auto producer = make();
  runfold::Run run = producer->start_run();
  EXPECT_TRUE(producer->wait([](const ProducerReport& report) { return report.acknowledged >= 1; }, kPatience));
  EXPECT_FALSE(producer->wait([](const ProducerReport& report) { return report.acknowledged >= 1'000; }, std::chrono::milliseconds(1)));
}

TEST_F(Sdk, WhatIsSaidAfterTheEndIsDroppedAndCounted) {
  auto producer = make();
  runfold::Run run = producer->start_run();
  Logger logger = run.logger();
  Step step = run.step("late");
  run.finish({});
  EXPECT_TRUE(run.finished());
  run.finish({.result = v1::RUN_RESULT_ERROR});
  v1::LogRecord record;
  record.set_message("x");
  EXPECT_FALSE(run.log(record));
  ::testing::internal::CaptureStderr();
  logger.info("still on stderr");
  EXPECT_FALSE(::testing::internal::GetCapturedStderr().empty());
  step.complete();
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"late", 3}}));
  EXPECT_EQ(report.emitted, 6U);
  EXPECT_EQ(report.acknowledged, 3U);
  EXPECT_EQ(events().back().completed().result(), v1::RUN_RESULT_SUCCESS);
}

TEST_F(Sdk, AnEventIsEmittedAsItStandsButForItsIdentity) {
  auto producer = make();
  runfold::Run run = producer->start_run({.run_id = "mine"});
  v1::SyncEvent event;
  event.mutable_identity()->set_run_id("somebody else's");
  event.set_sequence(99);
  event.mutable_occurred_at()->set_seconds(1'700'000'000);
  event.mutable_trace()->set_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  event.mutable_step_started()->set_step_id("s");
  EXPECT_TRUE(run.emit(event));
  EXPECT_FALSE(run.emit(v1::SyncEvent{}));
  v1::SyncEvent end;
  end.mutable_completed()->set_result(v1::RUN_RESULT_CANCELLED);
  end.mutable_completed()->mutable_duration()->set_seconds(5);
  EXPECT_TRUE(run.emit(end));
  EXPECT_TRUE(run.finished());
  EXPECT_FALSE(run.emit(end));
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"late", 1}, {"rejected", 1}}));
  const auto told = events();
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[1].identity().run_id(), "mine");
  EXPECT_EQ(told[1].sequence(), 2U);
  EXPECT_EQ(told[1].occurred_at().seconds(), 1'700'000'000);
  EXPECT_EQ(told[1].trace().traceparent(), event.trace().traceparent());
  EXPECT_EQ(told[2].completed().result(), v1::RUN_RESULT_CANCELLED);
  EXPECT_EQ(told[2].completed().duration().seconds(), 5);
  EXPECT_EQ(told[2].completed().totals(0).emitted(), 4U);
}

TEST_F(Sdk, ALoggedLineThatIsTooLongIsCut) {
  Settings settings = good_settings();
  settings.record_bytes = 1000;
  auto producer = make(std::move(settings));
  runfold::Run run = producer->start_run();
  v1::LogRecord record;
  record.set_message(std::string(5000, 'x'));
  EXPECT_TRUE(run.log(record));
  run.finish({});
  producer->close(kPatience);
  ASSERT_EQ(logs().size(), 1U);
  EXPECT_TRUE(logs()[0].truncated());
  EXPECT_EQ(logs()[0].message(), std::string(500, 'x'));
  EXPECT_TRUE(logs()[0].has_logged_at());
}

TEST_F(Sdk, HandlesMayOutliveTheirProducer) {
  auto producer = make();
  std::optional<runfold::Run> run(producer->start_run());
  std::optional<Logger> logger(run->logger());
  std::optional<Step> step(run->step("s"));
  producer.reset();
  ::testing::internal::CaptureStderr();
  logger->info("still here");
  ::testing::internal::GetCapturedStderr();
  step.reset();
  run.reset();
  logger.reset();
  EXPECT_EQ(events().size(), 2U);
}

TEST_F(Sdk, WithoutBootstrapServersItIsOffAndEverythingIsANoOp) {
  auto producer = make(Settings{});
  {
    runfold::Run run = producer->start_run();
    EXPECT_EQ(run.run_id().size(), 36U);
    EXPECT_EQ(run.traceparent().size(), 55U);
    ::testing::internal::CaptureStderr();
    run.logger().info("line");
    EXPECT_NE(::testing::internal::GetCapturedStderr().find(" UTC [INFO] line\n"), std::string::npos);
    EXPECT_TRUE(run.log({}));
    run.step("s").complete();
    run.finish({});
    EXPECT_TRUE(run.finished());
  }
  EXPECT_EQ(producer->close(kPatience).emitted, 0U);
  EXPECT_EQ(cluster.clients(), 0);
}

TEST_F(Sdk, SettingsThatCanNeverWorkAreRefusedByName) {
  const auto refused = [&](auto change) {
    Settings settings = good_settings();
    change(settings);
    const auto made = Producer::create(std::move(settings), cluster.factory());
    EXPECT_FALSE(made.has_value());
    return made ? std::string() : made.error().message;
  };
  EXPECT_NE(refused([](Settings& s) { s.connector_id.clear(); }).find("connector_id"), std::string::npos);
  EXPECT_NE(refused([](Settings& s) { s.connector_id = std::string(201, 'c'); }).find("connector_id has 201 bytes"), std::string::npos);
  EXPECT_NE(refused([](Settings& s) { s.site = "\xff"; }).find("site"), std::string::npos);
  EXPECT_NE(refused([](Settings& s) { s.queue_bytes = 100; }).find("queue_bytes is 100"), std::string::npos);
  EXPECT_NE(refused([](Settings& s) { s.site_rate.burst = 0; }).find("site_rate.burst"), std::string::npos);
  EXPECT_NE(refused([](Settings& s) { s.batch_age = std::chrono::milliseconds(-1); }).find("batch_age"), std::string::npos);
  EXPECT_NE(refused([](Settings& s) {
              ASSERT_TRUE(s.kafka.set("delivery.report.only.error", "true").has_value());
            }).find("delivery.report.only.error"),
            std::string::npos);
}

TEST_F(Sdk, SettingsComeFromTheEnvironment) {
  environment.set("RUNFOLD_BOOTSTRAP_SERVERS", "kafka.example:9092");
  const auto nameless = Settings::from_environment();
  ASSERT_FALSE(nameless.has_value());
  EXPECT_NE(nameless.error().message.find("RUNFOLD_CONNECTOR"), std::string::npos);
  environment.set("RUNFOLD_CONNECTOR", "invoices");
  environment.set("RUNFOLD_VERSION", "9");
  environment.set("RUNFOLD_SITE", "south");
  const auto settings = Settings::from_environment();
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(settings->kafka.get("bootstrap.servers"), "kafka.example:9092");
  EXPECT_EQ(settings->connector_id, "invoices");
  EXPECT_EQ(settings->version, "9");
  EXPECT_EQ(settings->site, "south");
}

TEST_F(Sdk, HowToReachKafkaComesFromAFileThatTheEnvironmentNames) {
  const runfold::test::TemporaryFolder folder;
  const std::string file = (folder.path() / "kafka.properties").string();
  std::ofstream(file) << "# how to get in\nsecurity.protocol=SASL_SSL\nsasl.password=open=sesame\n";
  environment.set("RUNFOLD_KAFKA_CONFIG", file.c_str());
  environment.set("RUNFOLD_BOOTSTRAP_SERVERS", "variable.example:9092");
  environment.set("RUNFOLD_CONNECTOR", "invoices");
  const auto beside = Settings::from_environment();
  ASSERT_TRUE(beside.has_value()) << beside.error().message;
  EXPECT_EQ(beside->kafka.get("bootstrap.servers"), "variable.example:9092");
  EXPECT_EQ(beside->kafka.get("sasl.password"), "open=sesame");

  // As for runfold exec, so that a connector under it reaches the same Kafka.
  std::ofstream(file, std::ios::app) << "bootstrap.servers=file.example:9092\n";
  EXPECT_EQ(Settings::from_environment()->kafka.get("bootstrap.servers"), "file.example:9092");
  environment.set("RUNFOLD_BOOTSTRAP_SERVERS", "");
  EXPECT_EQ(Settings::from_environment()->kafka.get("bootstrap.servers"), "file.example:9092");
  environment.set("RUNFOLD_CONNECTOR", "");
  EXPECT_NE(Settings::from_environment().error().message.find("RUNFOLD_CONNECTOR is not set"), std::string::npos);
}

TEST_F(Sdk, AFileOfKafkaPropertiesThatIsWrongIsRefusedWithItsLine) {
  const runfold::test::TemporaryFolder folder;
  const std::string file = (folder.path() / "kafka.properties").string();
  environment.set("RUNFOLD_CONNECTOR", "invoices");
  environment.set("RUNFOLD_KAFKA_CONFIG", file.c_str());
  const auto missing = Settings::from_environment();
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, kafka::Errc::kInvalid);
  EXPECT_EQ(missing.error().message,
            "RUNFOLD_KAFKA_CONFIG: the Kafka properties file " + file + " cannot be read; it holds one name=value a line");
  std::ofstream(file) << "sasl.username=me\nsasl.pasword=open-sesame\n";
  const auto wrong = Settings::from_environment();
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, kafka::Errc::kInvalid);
  EXPECT_NE(wrong.error().message.find("RUNFOLD_KAFKA_CONFIG: " + file + ":2: "), std::string::npos) << wrong.error().message;
  EXPECT_NE(wrong.error().message.find("did you mean sasl.password?"), std::string::npos) << wrong.error().message;
  EXPECT_EQ(wrong.error().message.find("open-sesame"), std::string::npos) << wrong.error().message;
}

TEST_F(Sdk, OneProducerSpeaksForRunsOfOtherConnectorsToo) {
  auto producer = make();
  runfold::Run run = producer->start_run({.run_id = "run-1",
                                          .connector_id = "orders",
                                          .site = "south",
                                          .os_pid = 0,
                                          .heartbeat_interval = std::chrono::seconds(30),
                                          .sends_heartbeats = false});
  run.finish({});
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].identity().connector_id(), "orders");
  EXPECT_EQ(told[0].identity().version(), "") << "the producer's version is that of its own connector";
  EXPECT_EQ(told[0].identity().site(), "south");
  EXPECT_FALSE(told[0].started().has_os_pid());
  EXPECT_EQ(told[0].started().heartbeat_interval().seconds(), 30);
}

TEST_F(Sdk, HeartbeatsAreSentForARunUnlessItsSpeakerSendsThem) {
  auto producer = make();
  const RunOptions options{.connector_id = "orders", .heartbeat_interval = std::chrono::milliseconds(1)};
  RunOptions silent = options;
  silent.run_id = "silent";
  silent.sends_heartbeats = false;
  runfold::Run quiet = producer->start_run(silent);
  runfold::Run alive = producer->start_run(options);
  const auto heartbeats = [&](const std::string& run_id) {
    const auto told = events();
    return std::count_if(told.begin(), told.end(),
                         [&](const auto& event) { return event.has_heartbeat() && event.identity().run_id() == run_id; });
  };
  EXPECT_TRUE(wait_until([&] { return heartbeats(alive.run_id()) >= 3; }));
  EXPECT_EQ(heartbeats("silent"), 0);
}

TEST_F(Sdk, ARunThatIsAbandonedIsNotEnded) {
  auto producer = make();
  {
    runfold::Run run = producer->start_run({.run_id = "run-1"});
    run.progress("read", 1);
    run.abandon();
  }
  { runfold::Run again = producer->start_run({.run_id = "run-1"}); }
  producer->close(kPatience);
  const auto told = events();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_TRUE(told[1].has_progress());
  EXPECT_TRUE(told[2].has_started());
  EXPECT_TRUE(told[3].has_completed());
  EXPECT_NE(told[1].identity().source_id(), told[2].identity().source_id()) << "the numbers begin anew, and would be taken for repeats";
}

TEST_F(Sdk, AReportTellsTheTopicsApart) {
  auto producer = make();
  runfold::Run run = producer->start_run();
  v1::LogRecord record;
  record.set_message("x");
  for (int i = 0; i < 5; ++i) run.log(record);
  run.finish({});
  run.log(record);
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.topics.at("runfold.events").acknowledged, 2U);
  EXPECT_EQ(report.topics.at("runfold.events").dropped, 0U);
  EXPECT_EQ(report.topics.at("runfold.logs").acknowledged, 5U);
  EXPECT_EQ(report.topics.at("runfold.logs").dropped, 1U);
  for (const auto& [reason, records] : report.dropped) {
    const auto reasons = drop_reasons();
    EXPECT_NE(std::find(reasons.begin(), reasons.end(), reason), reasons.end()) << reason;
  }
}

TEST_F(Sdk, AnEmptyEnvironmentIsOffAndNotAnError) {
  const auto settings = Settings::from_environment();
  ASSERT_TRUE(settings.has_value());
  EXPECT_FALSE(settings->kafka.get("bootstrap.servers"));
}

TEST_F(Sdk, TroubleIsToldOnceToWhoeverWantsToKnow) {
  std::vector<std::string> told;
  Settings settings = good_settings();
  settings.on_trouble = [&](const kafka::Error& error) { told.push_back(error.message); };
  auto producer = make(std::move(settings));
  cluster.report_trouble(test::trouble(kafka::Errc::kUnreachable, "nobody there"));
  runfold::Run run = producer->start_run();
  run.finish({});
  producer->close(kPatience);
  EXPECT_EQ(told, std::vector<std::string>{"nobody there"});
}

TEST_F(Sdk, ClosingTellsExactlyWhatCouldNotBeSent) {
  auto producer = make();
  cluster.acknowledge_by_itself(false);
  runfold::Run run = producer->start_run();
  v1::LogRecord record;
  record.set_message("x");
  for (int i = 0; i < 100; ++i) run.log(record);
  run.finish({});
  const auto report = producer->close(std::chrono::milliseconds(20));
  EXPECT_EQ(report.emitted, 102U);
  EXPECT_EQ(report.acknowledged, 0U);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"delivery_timeout", 102}}));
  EXPECT_EQ(dropped(producer->report()), 102U);
}

}  // namespace
}  // namespace runfold

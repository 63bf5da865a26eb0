// exec, emit and log: through the intake, to Kafka, and to nobody.
#include "producer/agent/intake.hpp"
#include "runfold/v1/operation.pb.h"
#include "tests/support/kafka_member.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/unit/cli/command_line.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace runfold::cli {
namespace {

using test::Printed;

/// The intake of a runfold exec around us.
class InsideExec : public test::CommandLineTest {
 protected:
  InsideExec() {
    agent::RunSink sink{[this](v1::LogRecord record) {
                          const std::scoped_lock lock(mutex_);
                          if (record.message() == "drop me") return false;
                          logs_.push_back(std::move(record));
                          return true;
                        },
                        [this](v1::SyncEvent event) {
                          const std::scoped_lock lock(mutex_);
                          events_.push_back(std::move(event));
                          return true;
                        }};
    intake_ = agent::Intake::listen(io_.get_executor(), sink, {"run-1", "", 1024 * 1024}).value();
    ::setenv("RUNFOLD_INTAKE_URL", intake_->url().c_str(), 1);
    ::setenv("RUNFOLD_INTAKE_TOKEN", intake_->token().c_str(), 1);
    ::setenv("RUNFOLD_RUN_ID", "run-1", 1);
    boost::asio::co_spawn(io_, intake_->run(), boost::asio::detached);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~InsideExec() override {
    boost::asio::post(io_, [this] { intake_->stop(std::chrono::milliseconds(0)); });
    thread_.join();
  }

  boost::asio::io_context io_{1};
  std::mutex mutex_;
  std::vector<v1::LogRecord> logs_;
  std::vector<v1::SyncEvent> events_;
  std::unique_ptr<agent::Intake> intake_;
  std::thread thread_;
};

TEST_F(InsideExec, EmitGoesThroughTheIntake) {
  EXPECT_EQ(runfold({"emit", "step-started", "--step", "read"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "step-completed", "--step", "read", "--entities", "42", "--duration", "1.5s"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "step-failed", "--step", "load", "--error", "disk full"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "progress", "--done", "3", "--total", "9"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "stats", "--entities-created", "40", "--relationships-deleted", "0"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "heartbeat", "--at", "2026-05-16T14:32:11Z"}).exit_code, 0);
  ASSERT_EQ(events_.size(), 6U);
  EXPECT_EQ(events_[0].step_started().step_id(), "read");
  EXPECT_EQ(events_[1].step_completed().entities(), 42U);
  EXPECT_FALSE(events_[1].step_completed().has_relationships());
  EXPECT_EQ(events_[1].step_completed().duration().nanos(), 500'000'000);
  EXPECT_EQ(events_[2].step_failed().error(), "disk full");
  EXPECT_EQ(events_[3].progress().total(), 9U);
  EXPECT_EQ(events_[4].stats_committed().stats().entities_created(), 40U);
  EXPECT_TRUE(events_[4].stats_committed().stats().has_relationships_deleted());
  EXPECT_FALSE(events_[4].stats_committed().stats().has_entities_deleted());
  EXPECT_EQ(events_[5].occurred_at().seconds(), 1778941931);
}

TEST_F(InsideExec, CompletedIsKeptForTheEnd) {
  EXPECT_EQ(runfold({"emit", "completed", "--result", "failure", "--error", "no invoices"}).exit_code, 0);
  EXPECT_TRUE(events_.empty());
  ASSERT_TRUE(intake_->declared_end().has_value());
  EXPECT_EQ(intake_->declared_end()->result(), v1::RUN_RESULT_FAILURE);
}

TEST_F(InsideExec, EmitReadsAStreamOfEvents) {
  const Printed printed =
      runfold({"emit", "--json", "-"}, "{\"stepStarted\":{\"stepId\":\"a\"}}\n\n{\"StepFailed\":{\"step_id\":\"a\",\"error\":\"e\"}}\n");
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(events_[1].step_failed().error(), "e");
}

TEST_F(InsideExec, AnEventThatIsWrongIsNamedByItsLine) {
  const Printed printed = runfold({"emit", "--json", "-"}, "{\"heartbeat\":{}}\n{\"stepStarted\":{}}\n");
  EXPECT_EQ(printed.exit_code, 2);
  EXPECT_NE(printed.err.find("line 2 at /stepStarted/step_id"), std::string::npos) << printed.err;
}

TEST_F(InsideExec, AnEventThatIsWrongInAFileIsNamedByFileAndLine) {
  const std::string file = (folder_.path() / "events.jsonl").string();
  std::ofstream(file) << "{\"heartbeat\":{}}\n\n{\"stepStarted\":{}}\n";
  const Printed printed = runfold({"emit", "--json", file});
  EXPECT_EQ(printed.exit_code, 2);
  EXPECT_TRUE(printed.err.starts_with("runfold: " + file + ":3 at /stepStarted/step_id")) << printed.err;
}

TEST_F(InsideExec, LogSendsAMessageWithStepAndDetail) {
  EXPECT_EQ(runfold({"log", "--level", "warn", "--step", "upload", "--detail", "{\"n\":1}", "slow"}).exit_code, 0);
  ASSERT_EQ(logs_.size(), 1U);
  EXPECT_EQ(logs_[0].severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(logs_[0].message(), "slow");
  EXPECT_EQ(logs_[0].step_id(), "upload");
  EXPECT_EQ(logs_[0].detail_json(), "{\"n\":1}");
}

TEST_F(InsideExec, LogReadsLinesAndKeepsTheLevelsThatTheyState) {
  EXPECT_EQ(runfold({"log", "--level", "notice"}, "one\n{\"level\":\"error\",\"msg\":\"two\"}\nthree").exit_code, 0);
  ASSERT_EQ(logs_.size(), 3U);
  EXPECT_EQ(logs_[0].severity(), v1::SEVERITY_NOTICE);
  EXPECT_EQ(logs_[1].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(logs_[1].message(), "two");
  EXPECT_EQ(logs_[2].message(), "three");
}

TEST_F(InsideExec, SecretsThatAreNamedHereAreReplacedBeforeTheyAreSent) {
  ::setenv("REDACT_TEST", "hunter2", 1);
  const std::string file = (folder_.path() / "secrets").string();
  std::ofstream(file) << "from-a-file\n";
  const std::vector<std::string> flags{"--redact-env", "REDACT_TEST", "--redact-file", file,
                                       "--redact-key", "pin",         "--keep-key",    "csrf_token"};
  const auto with_flags = [&](std::vector<std::string> command) {
    command.insert(command.end(), flags.begin(), flags.end());
    return runfold(command).exit_code;
  };
  EXPECT_EQ(with_flags({"log", "a hunter2 b from-a-file pin=12 csrf_token=x token=y", "--detail", "{\"n\":\"hunter2\"}"}), 0);
  EXPECT_EQ(with_flags({"emit", "step-failed", "--step", "load", "--error", "hunter2"}), 0);
  ::unsetenv("REDACT_TEST");
  ASSERT_EQ(logs_.size(), 1U);
  EXPECT_EQ(logs_[0].message(), "a [redacted] b [redacted] pin=[redacted] csrf_token=x token=[redacted]");
  EXPECT_EQ(logs_[0].detail_json(), "{\"n\":\"[redacted]\"}");
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].step_failed().error(), "[redacted]");
}

TEST_F(InsideExec, ASecretThatCannotBeLookedForIsAnErrorThatNamesItsSource) {
  ::setenv("REDACT_TEST", "x", 1);
  const std::string missing = (folder_.path() / "missing").string();
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"--redact-env", "REDACT_TEST_UNSET"},
       "runfold: --redact-env: the environment variable \"REDACT_TEST_UNSET\" is not set, so the secret in it cannot be replaced; set it, "
       "or "
       "leave it out\n"},
      {{"--redact-env", "REDACT_TEST"},
       "runfold: --redact-env: the secret in the environment variable REDACT_TEST is 1 bytes long and would be found everywhere; it needs "
       "at "
       "least 4\n"},
      {{"--redact-file", missing},
       "runfold: --redact-file: the file of secrets " + missing +
           " cannot be read: No such file or directory; it holds one secret a line\n"}};
  for (const auto& [flags, message] : cases) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{"log", "m"},
                                                    {"emit", "heartbeat"},
                                                    {"emit", "operation", "--id", "S-1", "--status", "done"},
                                                    {"exec"}}) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), flags.begin(), flags.end());
      if (command.front() == "exec") arguments.insert(arguments.end(), {"--", "true"});
      const Printed printed = runfold(arguments);
      EXPECT_EQ(printed.exit_code, 78) << printed.err;
      EXPECT_EQ(printed.err, message);
    }
  }
  ::unsetenv("REDACT_TEST");
  EXPECT_TRUE(logs_.empty());
}

TEST_F(InsideExec, AnIntakeThatRefusesOrIsGoneIsTold) {
  ::setenv("RUNFOLD_INTAKE_TOKEN", "wrong", 1);
  const Printed refused = runfold({"log", "m"});
  EXPECT_EQ(refused.exit_code, 69);
  EXPECT_NE(refused.err.find("Authorization"), std::string::npos) << refused.err;
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  ::setenv("RUNFOLD_INTAKE_URL", ("http://" + nobody.text()).c_str(), 1);
  EXPECT_EQ(runfold({"log", "m"}).exit_code, 69);
}

TEST_F(InsideExec, LogReplacesAPrivateKeyLineByLine) {
  EXPECT_EQ(runfold({"log"}, "a\n-----BEGIN PRIVATE KEY-----\nMIIEow==\n-----END PRIVATE KEY-----\nb\n").exit_code, 0);
  std::string messages;
  for (const auto& record : logs_) messages += record.message() + "|";
  EXPECT_EQ(messages, "a|[redacted]|[redacted]|[redacted]|b|");
}

TEST_F(InsideExec, LogCutsNoSecretInTwoWhereALineIsLong) {
  ::setenv("REDACT_TEST", "hunter2/and-more", 1);
  // Of a registered one, of a URL's and of a header's, the line's 64 KiB end in the middle.
  for (const std::string secret : {"hunter2/and-more", "https://user:hunter2pass@host/x", "Authorization: Basic aHVudGVyMg== and on"}) {
    logs_.clear();
    const std::string line = std::string(64 * 1024 - 16, '.') + " " + secret + " ";
    EXPECT_EQ(runfold({"log", "--redact-env", "REDACT_TEST"}, line + std::string(1000, '.')).exit_code, 0);
    std::string joined;
    for (const auto& record : logs_) joined += record.message();
    EXPECT_GE(logs_.size(), 2U);
    EXPECT_NE(joined.find("[redacted]"), std::string::npos) << secret;
    for (const char* part : {"hunter2", "/and-more", "pass@", "aHVu", "dGVyMg"}) EXPECT_EQ(joined.find(part), std::string::npos) << part;
  }
}

TEST_F(InsideExec, RecordsThatTheIntakeDropsAreTold) {
  const Printed printed = runfold({"log"}, "one\ndrop me\nthree\n");
  EXPECT_EQ(printed.exit_code, 69);
  EXPECT_NE(printed.err.find("took 2 of 3 records"), std::string::npos) << printed.err;
}

/// A broker in this process.
class ToKafka : public test::CommandLineTest {
 protected:
  ToKafka() {
    broker_ = kafka::EmbeddedBroker::start(kafka::topic_policies({}, 1, 1)).value();
    ::setenv("RUNFOLD_BOOTSTRAP_SERVERS", broker_->bootstrap_servers().c_str(), 1);
    ::setenv("RUNFOLD_CONNECTOR", "invoices", 1);
    ::setenv("RUNFOLD_RUN_ID", "run-1", 1);
  }
  /// The first `count` records of a topic.
  std::vector<kafka::test::Received> read(const std::string& topic, std::size_t count) {
    kafka::Properties properties;
    EXPECT_TRUE(properties.set("fetch.wait.max.ms", "50").has_value());
    kafka::test::Member member(broker_->bootstrap_servers(), "reader-" + topic, {topic}, properties);
    EXPECT_TRUE(member.run_until([&] { return member.received.size() >= count; }));
    member.consumer->close(std::chrono::seconds(5));
    return member.received;
  }

  std::unique_ptr<kafka::EmbeddedBroker> broker_;
};

TEST_F(ToKafka, EmitSendsTheEventAndNothingElse) {
  EXPECT_EQ(runfold({"emit", "started", "--account", "a-1", "--os-pid", "17"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "completed", "--exit-code", "0"}).exit_code, 0);
  EXPECT_EQ(runfold({"emit", "--json", "-"}, "{\"identity\":{\"runId\":\"run-2\"},\"heartbeat\":{}}\n{\"heartbeat\":{}}\n").exit_code, 0);
  const auto records = read("runfold.events", 4);
  ASSERT_EQ(records.size(), 4U);
  std::vector<v1::SyncEvent> events(4);
  for (std::size_t i = 0; i < 4; ++i) ASSERT_TRUE(events[i].ParseFromString(*records[i].value));
  EXPECT_EQ(events[0].identity().run_id(), "run-1");
  EXPECT_EQ(events[0].identity().connector_id(), "invoices");
  EXPECT_EQ(events[0].started().account(), "a-1");
  EXPECT_EQ(events[0].started().os_pid(), 17U);
  EXPECT_EQ(events[1].completed().exit_code(), 0);
  EXPECT_FALSE(events[1].completed().has_duration()) << "this process does not know when the run began";
  EXPECT_NE(events[0].identity().source_id(), events[1].identity().source_id());
  EXPECT_EQ(records[2].key, "run-2");
  EXPECT_EQ(events[3].identity().run_id(), "run-1");
}

TEST_F(ToKafka, LogSendsRecords) {
  EXPECT_EQ(runfold({"log", "--level", "error"}, "one\ntwo\n").exit_code, 0);
  v1::LogBatch batch;
  ASSERT_TRUE(batch.ParseFromString(*read("runfold.logs", 1).front().value));
  ASSERT_EQ(batch.records_size(), 2);
  EXPECT_EQ(batch.records(0).message(), "one");
  EXPECT_EQ(batch.records(1).severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(batch.records(1).stream(), v1::LOG_STREAM_APPLICATION);
}

TEST_F(ToKafka, MoreBytesThanTheQueueHoldsAreAllDelivered) {
  std::string input;
  for (int i = 0; i < 2'500; ++i) input.append(std::to_string(i)).append(8'000, 'x').append("\n");
  const Printed printed = runfold({"log"}, input);
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
}

TEST_F(ToKafka, EmitOperationPutsItsStateUnderItsId) {
  EXPECT_EQ(runfold({"emit", "operation", "--id", "S-1", "--name", "build_connector", "--status", "done", "--owner", "u-7", "--created-at",
                     "2026-05-16T14:32:11Z"})
                .exit_code,
            0);
  EXPECT_EQ(runfold({"emit", "operation", "--id", "S-1", "--remove"}).exit_code, 0);
  const auto records = read("runfold.operations", 2);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].key, "S-1");
  v1::Operation operation;
  ASSERT_TRUE(operation.ParseFromString(*records[0].value));
  EXPECT_EQ(operation.status(), "done");
  EXPECT_EQ(operation.created_at().seconds(), 1778941931);
  EXPECT_TRUE(operation.has_updated_at());
  EXPECT_EQ(records[1].key, "S-1");
  EXPECT_FALSE(records[1].value.has_value()) << "a record with no value removes it";
}

TEST_F(ToKafka, ExecDeliversARun) {
  EXPECT_EQ(runfold({"exec", "--no-record-stdout", "--", "/bin/sh", "-c", "echo problem >&2; exit 3"}).exit_code, 3);
  const auto records = read("runfold.events", 2);
  v1::SyncEvent last;
  ASSERT_TRUE(last.ParseFromString(*records.back().value));
  EXPECT_EQ(last.completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(last.completed().exit_code(), 3);
  v1::LogBatch batch;
  ASSERT_TRUE(batch.ParseFromString(*read("runfold.logs", 1).front().value));
  EXPECT_EQ(batch.records(0).message(), "problem");
}

TEST_F(ToKafka, ExecTakesTheRunOfItsEnvironmentUnlessThatIsTheRunAroundIt) {
  const runfold::test::UnansweredAddress outer(runfold::test::UnansweredAddress::Kind::kRefuses);
  ::setenv("RUNFOLD_ATTEMPT", "3", 1);
  EXPECT_EQ(runfold({"exec", "--", "/bin/true"}).exit_code, 0);
  ::setenv("RUNFOLD_INTAKE_URL", ("http://" + outer.text()).c_str(), 1);
  EXPECT_EQ(runfold({"exec", "--", "/bin/true"}).exit_code, 0);
  EXPECT_EQ(runfold({"exec", "--run-id", "mine", "--attempt", "2", "--", "/bin/true"}).exit_code, 0);
  const auto records = read("runfold.events", 6);
  ASSERT_EQ(records.size(), 6U);
  std::vector<v1::RunIdentity> runs;
  for (std::size_t i = 0; i < 6; i += 2) {
    v1::SyncEvent event;
    ASSERT_TRUE(event.ParseFromString(*records[i].value));
    runs.push_back(event.identity());
  }
  EXPECT_EQ(runs[0].run_id(), "run-1");
  EXPECT_EQ(runs[0].attempt(), 3U);
  EXPECT_NE(runs[1].run_id(), "run-1") << "the outer run must not be ended by the inner one";
  EXPECT_FALSE(runs[1].run_id().empty());
  EXPECT_EQ(runs[1].attempt(), 1U);
  EXPECT_EQ(runs[1].connector_id(), "invoices") << "what runs is inherited";
  EXPECT_EQ(runs[2].run_id(), "mine");
  EXPECT_EQ(runs[2].attempt(), 2U);
}

TEST_F(ToKafka, ABrokerThatIsNotThereExitsWith69) {
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  ::setenv("RUNFOLD_BOOTSTRAP_SERVERS", nobody.text().c_str(), 1);
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"emit", "heartbeat", "--timeout", "200ms"},
                                             {"log", "m", "--timeout", "200ms"},
                                             {"topics", "verify", "--timeout", "1h"},
                                             {"emit", "operation", "--id", "S", "--status", "s", "--timeout", "200ms"}}) {
    const Printed printed = runfold(command);
    EXPECT_EQ(printed.exit_code, 69);
    EXPECT_NE(printed.err.find(nobody.text()), std::string::npos) << printed.err;
  }
}

}  // namespace
}  // namespace runfold::cli

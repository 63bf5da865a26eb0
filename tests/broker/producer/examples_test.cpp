// The examples of connectors that are not C++: each runs, and what it sends is what the contract asks for.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wait_until.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace runfold {
namespace {

using kafka::test::Member;
using test::broker_address;
using test::kPatience;
using test::kRunfold;
using test::Program;
using test::unique_name;

class Examples : public testing::Test {
 protected:
  Examples() { test::create_topics(broker_address()); }
  int exit_code(const std::vector<std::string>& command, std::map<std::string, std::string> environment = {}) {
    environment["RUNFOLD_RUN_ID"] = run_id_;
    environment["RUNFOLD_BOOTSTRAP_SERVERS"] = broker_address();
    Program program(command, environment);
    const auto ending = program.wait(kPatience);
    printed_ = program.out();
    said_ = printed_ + program.err();
    return ending ? ending->exit_code.value_or(-1) : -2;
  }
  /// Reads what was sent of the run, to its end, so many log records, and all that its end says were sent.
  void read(int log_records) {
    Member member(broker_address(), unique_name("readers"), {"runfold.events", "runfold.logs"});
    std::size_t seen = 0;
    ASSERT_TRUE(member.run_until(
        [&] {
          for (; seen < member.received.size(); ++seen) {
            const auto& record = member.received[seen];
            if (record.key == run_id_) take(record.at.topic, record.value.value_or(""));
          }
          if (events_.empty() || !events_.back().has_completed() || static_cast<int>(logs_.size()) < log_records) return false;
          const auto& totals = events_.back().completed().totals();
          return totals.size() < 2 || logs_.size() >= totals[1].last_sequence();
        },
        kPatience))
        << events_.size() << " events, " << logs_.size() << " log records; " << said_;
  }
  void take(const std::string& topic, const std::string& value) {
    if (topic == "runfold.events") {
      ASSERT_TRUE(events_.emplace_back().ParseFromString(value));
      return;
    }
    v1::LogBatch batch;
    ASSERT_TRUE(batch.ParseFromString(value));
    EXPECT_EQ(batch.first_sequence(), logs_.size() + 1);
    logs_.insert(logs_.end(), batch.records().begin(), batch.records().end());
  }

  std::string run_id_ = unique_name("run");
  /// To stdout, and to both.
  std::string printed_;
  std::string said_;
  std::vector<v1::SyncEvent> events_;
  std::vector<v1::LogRecord> logs_;
};

TEST_F(Examples, PythonWithNothingButAKafkaClientTellsAWholeRun) {
  if (exit_code({"/usr/bin/python3", "-c", "import confluent_kafka, google.protobuf"}) != 0) {
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string(ci) == "true") FAIL() << "python3-confluent-kafka and python3-protobuf must be there: " << said_;
    GTEST_SKIP() << "SKIPPED, not tested: Python's confluent_kafka and protobuf are missing (deploy/setup/install checks)";
  }
  const runfold::test::TemporaryFolder generated;
  ASSERT_EQ(
      exit_code({"/bin/sh", "-c", "protoc --proto_path=proto --python_out='" + generated.path().string() + "' proto/runfold/v1/*.proto"}),
      0)
      << said_;
  ASSERT_EQ(exit_code({"/usr/bin/python3", "deploy/demo/bare_kafka_connector.py"}, {{"PYTHONPATH", generated.path().string()}}), 0)
      << said_;
  EXPECT_EQ(printed_, run_id_ + "\n");

  read(3);
  ASSERT_EQ(events_.size(), 4U);
  for (std::size_t i = 0; i < events_.size(); ++i) {
    EXPECT_EQ(events_[i].sequence(), i + 1);
    EXPECT_EQ(events_[i].identity().run_id(), run_id_);
    EXPECT_EQ(events_[i].identity().connector_id(), "bare-kafka");
    EXPECT_TRUE(events_[i].has_occurred_at());
  }
  EXPECT_TRUE(events_[0].has_started());
  EXPECT_EQ(events_[2].step_completed().entities(), 3U);
  const v1::Completed& end = events_[3].completed();
  EXPECT_EQ(end.result(), v1::RUN_RESULT_SUCCESS);
  ASSERT_EQ(end.totals_size(), 2);
  EXPECT_EQ(end.totals(0).emitted(), 4U);
  EXPECT_EQ(end.totals(1).emitted(), 3U);
  ASSERT_EQ(logs_.size(), 3U);
  EXPECT_EQ(logs_[2].severity(), v1::SEVERITY_WARNING);
}

TEST_F(Examples, AShellScriptTellsOfItsStepThroughTheAgent) {
  const runfold::test::TemporaryFolder folder;
  const std::string from = (folder.path() / "from").string();
  const std::string to = (folder.path() / "to").string();
  std::ofstream(from) << "one\ntwo\nthree\n";
  const std::map<std::string, std::string> path{{"PATH", std::string(RUNFOLD_BINARY_DIR) + ":" + std::getenv("PATH")}};
  ASSERT_EQ(
      exit_code({kRunfold, "exec", "--run-id", run_id_, "--connector", "copy-lines", "--", "deploy/demo/shell_connector.sh", from, to},
                path),
      0)
      << said_;
  read(1);
  ASSERT_EQ(events_.size(), 4U);
  EXPECT_EQ(events_[2].step_completed().step_id(), "copy");
  EXPECT_EQ(events_[2].step_completed().entities(), 3U);
  EXPECT_EQ(logs_[0].message(), "copied 3 lines");
  EXPECT_EQ(logs_[0].detail_json(), "{\"lines\":3}");
}

TEST_F(Examples, AShellScriptThatFailsSaysWhere) {
  const std::map<std::string, std::string> path{{"PATH", std::string(RUNFOLD_BINARY_DIR) + ":" + std::getenv("PATH")}};
  ASSERT_EQ(exit_code({kRunfold, "exec", "--run-id", run_id_, "--connector", "copy-lines", "--", "deploy/demo/shell_connector.sh",
                       "/nowhere", "/nowhere/to"},
                      path),
            3);
  read(2);
  ASSERT_EQ(events_.size(), 4U);
  EXPECT_EQ(events_[2].step_failed().error(), "cannot copy /nowhere");
  EXPECT_EQ(events_[3].completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(events_[3].completed().exit_code(), 3);
}

/// The Python connector under exec, in front of a Container API of the test's own. It reads this machine's package database.
class PythonExample : public Examples {
 protected:
  int sync(const std::vector<std::string>& flags = {}) {
    EXPECT_TRUE(test::wait_until([&] { return container_api_.out().ends_with('\n'); })) << container_api_.err();
    const std::string url = container_api_.out().substr(0, container_api_.out().find('\n'));
    std::vector<std::string> command{kRunfold,
                                     "exec",
                                     "--connector",
                                     "dpkg",
                                     "--container-api",
                                     url,
                                     "--flush-timeout",
                                     "60s",
                                     "--",
                                     "/usr/bin/python3",
                                     "deploy/demo/dpkg_connector.py"};
    command.insert(command.end(), flags.begin(), flags.end());
    return exit_code(command);
  }
  /// The steps as they began and ended.
  std::vector<std::string> steps() const {
    std::vector<std::string> out;
    for (const auto& event : events_) {
      if (event.has_step_started()) out.push_back(event.step_started().step_id() + " begins");
      if (event.has_step_completed()) out.push_back(event.step_completed().step_id() + " ends");
      if (event.has_step_failed()) out.push_back(event.step_failed().step_id() + ": " + event.step_failed().error());
    }
    return out;
  }
  /// The record that begins so; the test fails without one.
  v1::LogRecord record(std::string_view beginning) const {
    const auto at = std::find_if(logs_.begin(), logs_.end(), [&](const auto& log) { return log.message().starts_with(beginning); });
    EXPECT_NE(at, logs_.end()) << beginning;
    return at == logs_.end() ? v1::LogRecord() : *at;
  }

  Program container_api_{{"/usr/bin/python3", "deploy/demo/container_api.py"}};
};

TEST_F(PythonExample, TellsOfItsStepsThroughTheIntakeAndOfTheCallThatFailedThroughTheProxy) {
  ASSERT_EQ(sync(), 0) << said_;
  read(5);
  EXPECT_EQ(steps(), (std::vector<std::string>{"read begins", "read ends", "transform begins", "transform ends", "upload begins",
                                               "upload ends", "commit begins", "commit ends"}));
  // What it prints is what it has done, as it stands in its steps.
  const auto result = boost::json::parse(printed_);
  for (const auto& event : events_) {
    EXPECT_EQ(event.identity().connector_id(), "dpkg");
    if (event.has_stats_committed()) {
      EXPECT_EQ(event.stats_committed().stats().entities_created(), result.at("entities").to_number<std::uint64_t>());
    }
    if (event.has_step_completed() && event.step_completed().step_id() == "upload") {
      EXPECT_EQ(event.step_completed().entities(), result.at("entities").to_number<std::uint64_t>());
      EXPECT_EQ(event.step_completed().relationships(), result.at("relationships").to_number<std::uint64_t>());
    }
  }
  const auto has = [&](auto&& is) { return std::any_of(events_.begin(), events_.end(), is); };
  EXPECT_TRUE(has([](const auto& event) { return event.has_stats_committed(); }));
  EXPECT_TRUE(has([](const auto& event) { return event.has_progress() && event.progress().done() == event.progress().total(); }));
  EXPECT_EQ(events_.back().completed().result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(events_.back().completed().exit_code(), 0);

  EXPECT_EQ(record("No overrides.json").severity(), v1::SEVERITY_NOTICE);
  EXPECT_EQ(record("No overrides.json").step_id(), "read");
  EXPECT_EQ(record("Committed: ").step_id(), "commit");
  EXPECT_TRUE(
      std::any_of(logs_.begin(), logs_.end(), [](const auto& log) { return log.has_api_call() && log.api_call().response_code() == 404; }));
}

TEST_F(PythonExample, ThatDeclaresAFailureFailsInItsStepAndSaysWhy) {
  ASSERT_EQ(sync({"--require", "prices.csv"}), 3) << said_;
  read(3);
  EXPECT_EQ(steps(), (std::vector<std::string>{"read begins", "read: cannot go on without prices.csv"}));
  EXPECT_EQ(events_.back().completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(events_.back().completed().exit_code(), 3);
  EXPECT_EQ(record("The input file prices.csv does not exist").severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(record("The sync failed: ").severity(), v1::SEVERITY_CRITICAL);
}

TEST_F(PythonExample, ThatIsKilledInMidUploadIsToldOfAsKilled) {
  ASSERT_EQ(sync({"--die"}), 128 + SIGKILL) << said_;
  read(1);
  EXPECT_EQ(steps(), (std::vector<std::string>{"read begins", "read ends", "transform begins", "transform ends", "upload begins"}));
  EXPECT_EQ(events_.back().completed().result(), v1::RUN_RESULT_ERROR);
  EXPECT_EQ(events_.back().completed().signal(), SIGKILL);
  record("Out of memory: about to be killed");
}

class AgentExample : public Examples {
 protected:
  int count_lines(const std::string& file) {
    return exit_code({"deploy/demo/agent_job.sh", file}, {{"RUNFOLD_AGENT_URL", agent_.url}, {"RUNFOLD_AGENT_TOKEN", agent_.token}});
  }
  /// The run that the agent made up is the one that is read.
  void find_run() {
    Member member(broker_address(), unique_name("readers"), {"runfold.events"});
    run_id_.clear();
    ASSERT_TRUE(member.run_until(
        [&] {
          for (const auto& record : member.received) {
            v1::SyncEvent event;
            if (event.ParseFromString(record.value.value_or("")) && event.identity().connector_id() == "count-lines") {
              run_id_ = event.identity().run_id();
            }
          }
          return !run_id_.empty();
        },
        kPatience));
  }

  test::AgentUnderTest agent_{broker_address()};
};

TEST_F(AgentExample, AShellScriptWithNothingButCurlTellsAWholeRun) {
  const runfold::test::TemporaryFolder folder;
  const std::string file = (folder.path() / "lines").string();
  std::ofstream(file) << "one\ntwo\nthree\n";
  ASSERT_EQ(count_lines(file), 0) << said_;
  EXPECT_EQ(said_, "3\n");
  find_run();
  read(1);
  ASSERT_EQ(events_.size(), 4U);
  EXPECT_TRUE(events_[0].started().has_os_pid());
  EXPECT_EQ(events_[2].step_completed().entities(), 3U);
  EXPECT_EQ(events_[3].completed().exit_code(), 0);
  EXPECT_EQ(logs_[0].message(), "counted 3 lines");
  EXPECT_EQ(logs_[0].detail_json(), "{\"lines\":3}");
}

TEST_F(AgentExample, WithoutAnAgentTheScriptDoesTheSameWork) {
  const runfold::test::TemporaryFolder folder;
  const std::string file = (folder.path() / "lines").string();
  std::ofstream(file) << "one\ntwo\n";
  EXPECT_EQ(exit_code({"deploy/demo/agent_job.sh", file}), 0);
  EXPECT_EQ(printed_, "2\n");
  EXPECT_EQ(exit_code({"deploy/demo/agent_job.sh", file}, {{"RUNFOLD_AGENT_URL", "http://127.0.0.1:1"}, {"RUNFOLD_AGENT_TOKEN", "x"}}), 0);
  EXPECT_EQ(printed_, "2\n");
  EXPECT_EQ(exit_code({"deploy/demo/agent_job.sh", "/nowhere"}), 3);
}

}  // namespace
}  // namespace runfold

// The examples of connectors that are not C++: each runs, and what it sends is what the contract asks for.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace runfold {
namespace {

using kafka::test::Member;
using test::broker_address;
using test::Program;
using test::unique_name;

constexpr std::chrono::seconds kPatience{60};
const std::string kRunfold = std::string(RUNFOLD_BINARY_DIR) + "/runfold";

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
  /// Reads what was sent of the run, to its end and so many log records.
  void read(int log_records) {
    Member member(broker_address(), unique_name("readers"), {"runfold.events", "runfold.logs"});
    std::size_t seen = 0;
    ASSERT_TRUE(member.run_until(
        [&] {
          for (; seen < member.received.size(); ++seen) {
            const auto& record = member.received[seen];
            if (record.key == run_id_) take(record.at.topic, record.value.value_or(""));
          }
          return !events_.empty() && events_.back().has_completed() && static_cast<int>(logs_.size()) >= log_records;
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

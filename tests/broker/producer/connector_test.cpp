// The example connector in C++, run as its author would, on a real Apache Kafka: what it does, and what is told of it.
#include "runfold/v1/event.pb.h"
#include "tests/broker/producer/agent_under_test.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/broker/producer/told.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wait_until.hpp"

#include <boost/json.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::broker_address;
using test::kPatience;
using test::Program;
using test::Told;
using test::told_of;
using test::unique_name;

constexpr const char* kStatus =
    "Package: base\nStatus: install ok installed\nVersion: 1\n\n"
    "Package: gone\nStatus: deinstall ok config-files\n\n"
    "Package: broken\nDescription: has no version\n of its own\n\n"
    "Package: shell\nVersion: 2\nDepends: base (>= 1), editor | pager\n\n"
    "Package: editor\nVersion: 3\nDepends: base\n";
constexpr const char* kLaterStatus =
    "Package: base\nVersion: 2\n\n"
    "Package: shell\nVersion: 2\nDepends: base (>= 1)\n\n"
    "Package: pager\nVersion: 1\nDepends: base\n";

class ExampleConnector : public ::testing::Test {
 protected:
  ExampleConnector() { test::create_topics(broker_address()); }
  void write_status(const char* text) { std::ofstream(folder.path() / "status") << text; }
  [[nodiscard]] std::string catalogue() const {
    std::stringstream text;
    text << std::ifstream(folder.path() / "catalogue").rdbuf();
    return text.str();
  }
  /// Runs the connector to its end and gives its exit code.
  int run(const std::string& run_id, std::map<std::string, std::string> environment = {}) {
    environment.insert({{"RUNFOLD_BOOTSTRAP_SERVERS", broker_address()},
                        {"RUNFOLD_CONNECTOR", "dpkg"},
                        {"RUNFOLD_VERSION", "1.0"},
                        {"RUNFOLD_SITE", "north"},
                        {"RUNFOLD_RUN_ID", run_id},
                        {"RUNFOLD_ATTEMPT", ""},
                        {"TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
    Program program({RUNFOLD_BINARY_DIR "/dpkg-catalogue", folder.path() / "catalogue", folder.path() / "status"}, environment);
    const auto ending = program.wait();
    out = program.out();
    err = program.err();
    return ending ? ending->exit_code.value_or(-1) : -1;
  }
  static std::vector<std::string> kinds(const std::vector<v1::SyncEvent>& events) {
    std::vector<std::string> out;
    for (const auto& event : events) {
      const auto* descriptor = event.GetDescriptor()->FindFieldByNumber(event.event_case());
      std::string name = descriptor == nullptr ? "nothing" : descriptor->name();
      if (event.has_step_started()) name += " " + event.step_started().step_id();
      if (event.has_step_completed()) name += " " + event.step_completed().step_id();
      if (event.has_step_failed()) name += " " + event.step_failed().step_id() + ": " + event.step_failed().error();
      out.push_back(std::move(name));
    }
    return out;
  }

  const test::TemporaryFolder folder;
  std::string out;
  std::string err;
};

TEST_F(ExampleConnector, DoesItsWorkAndIsToldOfStepByStep) {
  const std::string run_id = unique_name("first");
  write_status(kStatus);
  ASSERT_EQ(run(run_id), 0) << err;
  EXPECT_EQ(catalogue(), "base\t1\t\neditor\t3\tbase\nshell\t2\tbase (>= 1),editor | pager\n");
  EXPECT_EQ(out, "read: done, 3 entities\ncheck: done\ncommit: done\n");
  EXPECT_NE(err.find(" UTC [INFO] Read 3 packages, 1 skipped\n"), std::string::npos);

  const Told told = told_of(run_id);
  ASSERT_EQ(kinds(told.events),
            (std::vector<std::string>{"started", "step_started read", "step_completed read", "step_started check", "step_completed check",
                                      "step_started commit", "stats_committed", "step_completed commit", "completed"}));
  for (std::size_t i = 0; i < told.events.size(); ++i) {
    EXPECT_EQ(told.events[i].sequence(), i + 1);
    EXPECT_EQ(told.events[i].identity().connector_id(), "dpkg");
    EXPECT_EQ(told.events[i].identity().site(), "north");
    EXPECT_EQ(told.events[i].trace().traceparent().substr(3, 32), "0af7651916cd43dd8448eb211c80319c");
  }
  EXPECT_EQ(told.events[0].started().account(), "this-machine");
  EXPECT_EQ(told.events[2].step_completed().entities(), 3U);
  EXPECT_EQ(told.events[2].step_completed().relationships(), 3U);
  EXPECT_TRUE(told.events[2].step_completed().has_duration());
  EXPECT_EQ(told.events[6].stats_committed().stats().entities_created(), 3U);
  EXPECT_EQ(told.events[6].stats_committed().stats().relationships_created(), 3U);
  EXPECT_EQ(told.events[6].trace().traceparent(), told.events[5].trace().traceparent());
  EXPECT_EQ(told.events[8].completed().result(), v1::RUN_RESULT_SUCCESS);
  EXPECT_EQ(told.events[8].completed().totals(0).emitted(), 9U);

  ASSERT_EQ(told.logs.size(), 2U);
  EXPECT_EQ(told.logs[0].message(), "Skipping a package without name or version");
  EXPECT_EQ(told.logs[0].severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(told.logs[0].step_id(), "read");
  EXPECT_EQ(told.logs[0].detail_json(), "{\"package\":\"broken\"}");
  EXPECT_EQ(told.logs[1].step_id(), "read");
  for (const auto& trace : told.log_traces) EXPECT_EQ(trace, told.events[0].trace().traceparent());
}

TEST_F(ExampleConnector, SaysWhatItsCommitChanged) {
  write_status(kStatus);
  ASSERT_EQ(run(unique_name("before")), 0) << err;
  write_status(kLaterStatus);
  const std::string run_id = unique_name("after");
  ASSERT_EQ(run(run_id), 0) << err;
  const Told told = told_of(run_id);
  ASSERT_EQ(told.events.size(), 9U);
  const auto& stats = told.events[6].stats_committed().stats();
  EXPECT_EQ(stats.entities_created(), 1U);
  EXPECT_EQ(stats.entities_updated(), 2U);
  EXPECT_EQ(stats.entities_deleted(), 1U);
  EXPECT_EQ(stats.relationships_created(), 1U);
  EXPECT_EQ(stats.relationships_deleted(), 2U);
  EXPECT_FALSE(stats.has_relationships_updated());
}

TEST_F(ExampleConnector, GoesOnAfterAStepThatFailedAndEndsAfterOneThatIsRequired) {
  write_status("Package: shell\nVersion: 2\nDepends: pager\n");
  const std::string unmet = unique_name("unmet");
  EXPECT_EQ(run(unmet), 0) << err;
  EXPECT_EQ(kinds(told_of(unmet).events),
            (std::vector<std::string>{"started", "step_started read", "step_completed read", "step_started check",
                                      "step_failed check: 1 unmet dependencies, the first: shell needs pager", "step_started commit",
                                      "stats_committed", "step_completed commit", "completed"}));

  std::filesystem::remove(folder.path() / "status");
  const std::string missing = unique_name("missing");
  EXPECT_EQ(run(missing), 1) << err;
  const Told told = told_of(missing);
  const std::string error = "cannot read " + (folder.path() / "status").string() + ": No such file or directory";
  EXPECT_EQ(kinds(told.events), (std::vector<std::string>{"started", "step_started read", "step_failed read: " + error, "completed"}));
  EXPECT_EQ(told.events.back().completed().result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(told.events.back().completed().error(), "read: " + error);
}

TEST_F(ExampleConnector, TellsWhyACommitFailedDownToItsCause) {
  write_status(kStatus);
  std::filesystem::create_directory(folder.path() / "catalogue.new");
  const std::string run_id = unique_name("blocked");
  EXPECT_EQ(run(run_id), 1) << err;
  const Told told = told_of(run_id);
  EXPECT_EQ(told.events.back().completed().error(),
            "commit: the catalogue stays as it was: cannot write " + (folder.path() / "catalogue.new").string() + ": Is a directory");
}

TEST_F(ExampleConnector, DoesItsWorkWithoutKafkaToo) {
  write_status(kStatus);
  EXPECT_EQ(run(unique_name("off"), {{"RUNFOLD_BOOTSTRAP_SERVERS", ""}}), 0) << err;
  EXPECT_EQ(out, "read: done, 3 entities\ncheck: done\ncommit: done\n");
  EXPECT_EQ(catalogue(), "base\t1\t\neditor\t3\tbase\nshell\t2\tbase (>= 1),editor | pager\n");
  EXPECT_EQ(run(unique_name("nameless"), {{"RUNFOLD_CONNECTOR", ""}}), 78);
  EXPECT_NE(err.find("RUNFOLD_CONNECTOR is not set"), std::string::npos);
}

TEST_F(ExampleConnector, AtAnAgentItNeedsNoKafkaOfItsOwnToSayHowItsRunEnded) {
  const test::AgentUnderTest agent(broker_address());
  for (const bool succeeds : {true, false}) {
    const std::string run_id = unique_name("at-an-agent");
    const auto job = agent.post("/v1/jobs", agent.token, R"({"connector":"dpkg","run_id":")" + run_id + "\"}");
    ASSERT_EQ(job.status, 201U) << job.body;
    std::map<std::string, std::string> environment{{"RUNFOLD_BOOTSTRAP_SERVERS", ""}};
    const auto answer = boost::json::parse(job.body);
    for (const auto& [name, value] : answer.at("environment").as_object()) environment.emplace(name, value.as_string());
    if (succeeds) write_status(kStatus);
    EXPECT_EQ(run(run_id, environment), succeeds ? 0 : 1) << err;
    const Told told = told_of(run_id);
    EXPECT_EQ(kinds(told.events), (std::vector<std::string>{"started", "completed"}));
    const v1::Completed& end = told.events.back().completed();
    EXPECT_EQ(end.result(), succeeds ? v1::RUN_RESULT_SUCCESS : v1::RUN_RESULT_FAILURE);
    EXPECT_EQ(end.error().starts_with("read: cannot read "), !succeeds) << end.error();
    std::filesystem::remove(folder.path() / "status");
  }
}

TEST_F(ExampleConnector, UnderExecOneRunBeginsAndEndsOnceAndKnowsTheExitCode) {
  write_status(kStatus);
  const std::string run_id = unique_name("under-exec");
  // No place for the catalogue, so that its last step and the run fail.
  Program exec({RUNFOLD_BINARY_DIR "/runfold", "exec", "--connector", "dpkg", "--run-id", run_id, "--bootstrap-servers", broker_address(),
                "--flush-timeout", "60s", "--no-record-stderr", "--", RUNFOLD_BINARY_DIR "/dpkg-catalogue",
                folder.path() / "no such folder" / "catalogue", folder.path() / "status"},
               {{"RUNFOLD_BOOTSTRAP_SERVERS", broker_address()}});
  const auto code = exec.wait(kPatience).value().exit_code;
  EXPECT_NE(code, 0) << exec.err();
  const Told told = told_of(run_id);
  std::map<std::string, int> sources;
  int started = 0;
  int steps = 0;
  std::vector<v1::Completed> ends;
  for (const auto& event : told.events) {
    ++sources[event.identity().source_id()];
    started += event.has_started() ? 1 : 0;
    steps += event.has_step_started() ? 1 : 0;
    if (event.has_completed()) ends.push_back(event.completed());
  }
  EXPECT_EQ(sources.size(), 2U) << "the agent and the connector";
  EXPECT_EQ(started, 1);
  EXPECT_GT(steps, 1);
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(ends[0].exit_code(), code);
  EXPECT_NE(ends[0].error().find("no such folder"), std::string::npos) << ends[0].error();
  EXPECT_FALSE(told.logs.empty());
}

}  // namespace
}  // namespace runfold

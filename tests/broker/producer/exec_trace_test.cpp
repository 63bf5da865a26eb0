// Traces through runfold exec, on a real Apache Kafka: whose trace a run is in, and which span each of its records belongs to.
#include "tests/broker/producer/exec_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace runfold {
namespace {

using test::ExecRun;
using test::Told;
using test::told_of;
using test::unique_name;
using ::testing::MatchesRegex;

const std::string kCallersTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kCallersSpan = "b7ad6b7169203331";
const std::string kCaller = "00-" + kCallersTrace + "-" + kCallersSpan + "-01";
constexpr const char* kSaysItsTrace = R"(echo "$TRACEPARENT/$TRACESTATE"; echo trouble >&2)";

std::string trace_of(const std::string& traceparent) {
  return traceparent.substr(3, 32);
}
std::string span_of(const std::string& traceparent) {
  return traceparent.substr(36, 16);
}

/// Every Kafka record says the same in its header as within: one of these.
std::set<std::string> spans(const Told& told) {
  std::multiset<std::string> beside;
  for (const auto& headers : told.headers) beside.insert(headers.contains("traceparent") ? headers.at("traceparent") : "none");
  std::multiset<std::string> within(told.log_traces.begin(), told.log_traces.end());
  for (const auto& event : told.events) within.insert(event.trace().traceparent());
  EXPECT_EQ(beside, within);
  for (const auto& traceparent : within) EXPECT_THAT(traceparent, MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]"));
  return {within.begin(), within.end()};
}

TEST(ExecTrace, ARunIsASpanOfItsCallersTraceAndItsCommandIsInIt) {
  for (const std::string flags : {"01", "00"}) {
    const std::string caller = kCaller.substr(0, 53) + flags;
    const ExecRun run({}, {"/bin/sh", "-c", kSaysItsTrace}, {{"TRACEPARENT", caller}, {"TRACESTATE", "rojo=00f067aa0ba902b7"}});
    const std::string own = run.out.substr(0, 55);
    EXPECT_EQ(run.out, own + "/rojo=00f067aa0ba902b7\n");
    EXPECT_THAT(own, MatchesRegex("00-" + kCallersTrace + "-[0-9a-f]{16}-" + flags));
    EXPECT_NE(span_of(own), kCallersSpan);
    EXPECT_EQ(run.told.logs.size(), 2U);
    EXPECT_EQ(spans(run.told), std::set<std::string>{own}) << "what the command finds, all records have";
    for (const auto& headers : run.told.headers) EXPECT_EQ(headers.at("tracestate"), "rojo=00f067aa0ba902b7");
  }
}

TEST(ExecTrace, WithoutAnyThatCanBeReadARunBeginsATraceOfItsOwn) {
  std::set<std::string> traces{kCallersTrace};
  const std::vector<std::string> unreadable{"", "nothing", kCaller + "0", "00-00000000000000000000000000000000-b7ad6b7169203331-01"};
  for (const auto& caller : unreadable) {
    const ExecRun run({}, {"/bin/sh", "-c", kSaysItsTrace}, {{"TRACEPARENT", caller}, {"TRACESTATE", "rojo=00f067aa0ba902b7"}});
    const std::string own = run.out.substr(0, 55);
    EXPECT_THAT(own, MatchesRegex("00-[0-9a-f]{32}-[0-9a-f]{16}-01")) << caller;
    EXPECT_EQ(run.out, own + "/\n") << "a tracestate belongs to the traceparent that it came with";
    EXPECT_EQ(spans(run.told), std::set<std::string>{own});
    EXPECT_TRUE(traces.insert(trace_of(own)).second) << "that of another one, " << caller;
    for (const auto& headers : run.told.headers) EXPECT_FALSE(headers.contains("tracestate"));
  }
}

TEST(ExecTrace, ARunWithinARunIsASpanBelowIt) {
  const std::string inner = unique_name("inner");
  const ExecRun outer(
      {},
      {"/bin/sh", "-c", R"(echo "$TRACEPARENT"; "$1" exec --run-id "$2" --bootstrap-servers "$3" -- /bin/sh -c 'echo "$TRACEPARENT"')",
       "sh", RUNFOLD_BINARY_DIR "/runfold", inner, test::broker_address()},
      {{"TRACEPARENT", kCaller}});
  const std::string of_outer = outer.out.substr(0, 55);
  const std::string of_inner = outer.out.substr(56, 55);
  EXPECT_EQ(outer.out, of_outer + "\n" + of_inner + "\n");
  EXPECT_EQ(spans(outer.told), std::set<std::string>{of_outer});
  EXPECT_EQ(spans(told_of(inner)), std::set<std::string>{of_inner});
  EXPECT_EQ(trace_of(of_inner), kCallersTrace);
  EXPECT_NE(span_of(of_inner), span_of(of_outer));
}

TEST(ExecTrace, EachStepOfTheSdkIsASpanOfItsOwnInTheTraceOfItsRun) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "status") << "Package: base\nVersion: 1\n";
  const ExecRun run({"--no-record-stdout", "--no-record-stderr"},
                    {RUNFOLD_BINARY_DIR "/dpkg-catalogue", folder.path() / "catalogue", folder.path() / "status"},
                    {{"TRACEPARENT", kCaller}, {"RUNFOLD_BOOTSTRAP_SERVERS", test::broker_address()}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  std::map<std::string, std::set<std::string>> of_step;
  std::set<std::string> of_run;
  for (const auto& event : run.told.events) {
    const std::string& traceparent = event.trace().traceparent();
    if (event.has_step_started()) {
      of_step[event.step_started().step_id()].insert(traceparent);
    } else if (event.has_step_completed()) {
      of_step[event.step_completed().step_id()].insert(traceparent);
    } else if (event.has_started() || event.has_completed()) {
      of_run.insert(traceparent);
    }
  }
  EXPECT_EQ(of_run.size(), 1U) << "exec's";
  EXPECT_EQ(of_step.size(), 3U);
  std::set<std::string> ids{kCallersSpan, span_of(*of_run.begin())};
  for (const auto& [step, traceparents] : of_step) {
    EXPECT_EQ(traceparents.size(), 1U) << step << " begins and ends in one span";
    EXPECT_TRUE(ids.insert(span_of(*traceparents.begin())).second) << step << " has the span of another one";
  }
  for (const auto& traceparent : spans(run.told)) EXPECT_EQ(trace_of(traceparent), kCallersTrace);
}

}  // namespace
}  // namespace runfold

// Runs over the API.
#include "tests/unit/api/api_fixture.hpp"

#include <boost/json/serialize.hpp>

namespace runfold::collector::test {
namespace {

namespace json = boost::json;

using RunsApi = ApiTest;

StoredRun finished_run() {
  v1::Run run;
  run.set_run_id("r1");
  run.set_attempt(2);
  run.mutable_clock_skew()->set_seconds(-3599);
  run.mutable_clock_skew()->set_nanos(-500'000'000);
  run.set_connector_id("invoices");
  run.set_version("1.4.0");
  run.set_site("acme");
  run.set_status(v1::RUN_STATUS_FINISHED);
  run.set_result(v1::RUN_RESULT_FAILURE);
  run.set_result_source(v1::RESULT_SOURCE_DECLARED);
  run.set_exit_code(0);
  run.set_error("boom");
  run.mutable_started_at()->set_seconds(kAt / kSecond);
  run.mutable_finished_at()->set_seconds(kAt / kSecond + 3);
  run.mutable_finished_at()->set_nanos(123'456'789);
  run.mutable_last_seen_at()->set_seconds(kAt / kSecond + 3);
  run.mutable_duration()->set_seconds(3);
  run.mutable_duration()->set_nanos(120'000'000);
  run.set_entities(42);
  run.mutable_stats()->set_entities_created(0);
  run.mutable_stats()->set_relationships_deleted(7);
  auto* step = run.add_steps();
  step->set_step_id("upload");
  step->set_attempt(1);
  step->set_status(v1::RUN_STATUS_FINISHED);
  step->set_result(v1::RUN_RESULT_SUCCESS);
  step->mutable_duration()->set_nanos(5'000'000);
  auto* events = run.add_completeness();
  events->set_topic(v1::TOPIC_EVENTS);
  events->set_expected(5);
  events->set_received(5);
  auto* logs = run.add_completeness();
  logs->set_topic(v1::TOPIC_LOGS);
  logs->set_expected(240);
  auto* drop = logs->add_drops();
  drop->set_reason(v1::DROP_REASON_RATE_LIMITED);
  drop->set_records(3);
  run.set_trace_id("0af7651916cd43dd8448eb211c80319c");
  run.set_revision(9);
  auto* bounds = run.add_offsets();
  bounds->set_first_offset(100);
  bounds->set_last_offset(140);

  StoredRun stored = run_named("r1", 2);
  stored.run.version = "1.4.0";
  stored.run.site = "acme";
  stored.run.snapshot = run.SerializeAsString();
  stored.logs.emplace();
  stored.logs->counts = {0, 0, 0, 4, 1, 0, 200, 32};
  stored.logs->api_failures = 2;
  stored.logs->received = 237;
  stored.logs->offsets = {{1, 20, 21}, {3, 0, 7}};
  return stored;
}

TEST_F(RunsApi, ARunIsTheDocumentedJson) {
  store_.runs = {finished_run()};
  EXPECT_EQ(get_json("/api/v1/runs/r1"), json::parse(R"({
    "run_id": "r1", "attempt": 2, "connector_id": "invoices", "version": "1.4.0", "site": "acme",
    "status": "finished", "result": "failure", "result_source": "declared", "exit_code": 0, "error": "boom",
    "started_at": "2026-05-16T14:32:11.000Z", "finished_at": "2026-05-16T14:32:14.123Z", "last_seen_at": "2026-05-16T14:32:14.000Z",
    "duration_ms": 3120, "entities": 42, "stats": {"entities_created": 0, "relationships_deleted": 7},
    "steps": [{"step_id": "upload", "attempt": 1, "status": "finished", "result": "success", "duration_ms": 5}],
    "log_counts": {"0": 0, "1": 0, "2": 0, "3": 4, "4": 1, "5": 0, "6": 200, "7": 32}, "api_failures": 2,
    "completeness": {"expected": 245, "received": 242, "dropped": {"rate_limited": 3},
      "topics": {"events": {"expected": 5, "received": 5, "dropped": {}}, "logs": {"expected": 240, "received": 237, "dropped": {"rate_limited": 3}}}},
    "clock_skew_ms": -3599500, "trace_id": "0af7651916cd43dd8448eb211c80319c", "revision": 9, "attempts": [2],
    "offsets": {"events": [{"partition": 0, "first": 100, "last": 140}],
                "logs": [{"partition": 1, "first": 20, "last": 21}, {"partition": 3, "first": 0, "last": 7}]}
  })"));
}

TEST_F(RunsApi, WhatIsUnknownHasNoKey) {
  StoredRun stored = run_named("r1");
  v1::Run run;
  run.set_status(v1::RUN_STATUS_RUNNING);
  run.add_completeness()->set_topic(v1::TOPIC_EVENTS);
  run.mutable_completeness(0)->set_received(1);
  run.set_revision(1);
  stored.run.snapshot = run.SerializeAsString();
  store_.runs = {stored};
  EXPECT_EQ(get_json("/api/v1/runs/r1"),
            json::parse(R"({"run_id": "r1", "attempt": 1, "connector_id": "invoices", "status": "running", "steps": [],
    "completeness": {"received": 1, "topics": {"events": {"received": 1}}}, "revision": 1, "attempts": [1]})"));
}

TEST_F(RunsApi, ARunOfWhichOnlyLogsHaveComeIsPending) {
  StoredRun stored = run_named("r1");
  stored.run.status = v1::RUN_STATUS_PENDING;
  stored.logs.emplace().received = 3;
  store_.runs = {stored};
  const auto run = get_json("/api/v1/runs/r1");
  EXPECT_EQ(run.at("status"), "pending");
  EXPECT_FALSE(run.as_object().contains("result"));
  EXPECT_EQ(run.at("completeness").at("received").to_number<int>(), 3);
  EXPECT_FALSE(run.at("completeness").as_object().contains("expected"));
}

TEST_F(RunsApi, ExpectedIsUnknownWhileOneTopicsIs) {
  StoredRun stored = finished_run();
  v1::Run run;
  ASSERT_TRUE(run.ParseFromString(stored.run.snapshot));
  run.mutable_completeness(1)->clear_expected();
  run.mutable_completeness(1)->clear_drops();
  stored.run.snapshot = run.SerializeAsString();
  store_.runs = {stored};
  const auto completeness = get_json("/api/v1/runs/r1").at("completeness").as_object();
  EXPECT_FALSE(completeness.contains("expected"));
  EXPECT_FALSE(completeness.contains("dropped"));
}

TEST_F(RunsApi, TheHighestAttemptIsGivenUnlessOneIsAskedFor) {
  store_.runs = {run_named("r1", 1), run_named("r1", 3), run_named("r1", 2)};
  EXPECT_EQ(get_json("/api/v1/runs/r1").at("attempt").to_number<int>(), 3);
  EXPECT_EQ(get_json("/api/v1/runs/r1?attempt=2").at("attempt").to_number<int>(), 2);
  EXPECT_EQ(get_json("/api/v1/runs/r1").at("attempts"), json::parse("[1, 2, 3]"));
  EXPECT_FALSE(get_json("/api/v1/runs").at("items").at(0).as_object().contains("attempts"));
}

TEST_F(RunsApi, AnUnknownRunIsA404ThatNamesIt) {
  const auto problem = get_json("/api/v1/runs/nope?attempt=4", 404);
  EXPECT_EQ(problem.at("run_id"), "nope");
  EXPECT_NE(problem.at("detail").as_string().find("no run nope with attempt 4"), std::string::npos);
  EXPECT_EQ(get("/api/v1/runs/nope").fields.get("Content-Type"), "application/problem+json");
  get_json("/api/v1/runs/nope/logs", 404);
  get_json("/api/v1/runs/nope/output/stdout", 404);
  get_json("/api/v1/runs/nope/api-failures", 404);
}

TEST_F(RunsApi, TheListHasNoStepsAndACursorOnlyWhileThereIsMore) {
  store_.runs = {finished_run(), run_named("r2")};
  const auto one = get_json("/api/v1/runs?limit=1");
  EXPECT_EQ(one.at("items").as_array().size(), 1U);
  EXPECT_FALSE(one.at("items").at(0).as_object().contains("steps"));
  EXPECT_EQ(one.at("next_cursor"), "more");
  const auto all = get_json("/api/v1/runs?cursor=more");
  EXPECT_EQ(store_.cursor, "more");
  EXPECT_EQ(store_.limit, 50U);
  EXPECT_TRUE(all.at("next_cursor").is_null());
}

TEST_F(RunsApi, FiltersReachTheStore) {
  get_json(
      "/api/v1/runs?connector=c&version=v&site=s&status=finished&result=lost&from=2026-05-16T14:32:11Z&to=2026-05-16T16:32:12%2B02:00");
  EXPECT_EQ(store_.run_filter.connector_id, "c");
  EXPECT_EQ(store_.run_filter.version, "v");
  EXPECT_EQ(store_.run_filter.site, "s");
  EXPECT_EQ(store_.run_filter.status, v1::RUN_STATUS_FINISHED);
  EXPECT_EQ(store_.run_filter.result, v1::RUN_RESULT_LOST);
  EXPECT_EQ(store_.run_filter.from_ns, kAt);
  EXPECT_EQ(store_.run_filter.to_ns, kAt + kSecond);
}

TEST_F(RunsApi, ProcessIdAndSyncIdAreNamesForTheRunId) {
  for (const char* name : {"run_id", "process_id", "sync_id"}) {
    get_json(std::string("/api/v1/runs?") + name + "=r7");
    EXPECT_EQ(store_.run_filter.run_id, "r7") << name;
  }
  get_json("/api/v1/runs?run_id=r7&sync_id=r7");
  EXPECT_EQ(get_json("/api/v1/runs?run_id=r7&sync_id=r8", 400).at("parameter"), "sync_id");
}

TEST_F(RunsApi, ABadParameterIsNamedWithWhatWasGivenAndWhatIsAllowed) {
  const auto problem = get_json("/api/v1/runs?status=done", 400);
  EXPECT_EQ(problem.at("parameter"), "status");
  EXPECT_EQ(problem.at("detail"), "parameter status is \"done\"; allowed is pending, running or finished");
  const std::vector<std::pair<std::string, std::string>> bad{
      {"result=bad", "result"},     {"from=yesterday", "from"}, {"to=2026-05-16", "to"},  {"limit=0", "limit"},
      {"limit=1001", "limit"},      {"limit=-1", "limit"},      {"limit=1e3", "limit"},   {"connector=", "connector"},
      {"site=a&site=b", "site"},    {"cursor=bad", "cursor"},   {"levle=error", "levle"}, {"cursor=", "cursor"},
      {"status=FINISHED", "status"}};
  for (const auto& [query, parameter] : bad) {
    EXPECT_EQ(get_json("/api/v1/runs?" + query, 400).at("parameter"), json::value(parameter)) << query;
  }
  EXPECT_EQ(get_json("/api/v1/runs/r1?attempt=0", 400).at("parameter"), "attempt");
}

TEST_F(RunsApi, ResponsesAreNotCachedAndNotSniffed) {
  store_.runs = {run_named("r1")};
  for (const char* target : {"/api/v1/runs", "/api/v1/runs/r1", "/api/v1/runs/nope", "/openapi.json"}) {
    const auto response = get(target);
    EXPECT_EQ(response.fields.get("Cache-Control"), "no-store") << target;
    EXPECT_EQ(response.fields.get("X-Content-Type-Options"), "nosniff") << target;
  }
}

TEST_F(RunsApi, AStoreThatIsAwayIsA503ThatSaysWhenToAskAgain) {
  store_.error = StoreError{StoreErrc::kUnavailable, "the database is away"};
  const auto response = get("/api/v1/runs");
  EXPECT_EQ(response.status, 503U);
  EXPECT_EQ(response.fields.get("Retry-After"), "2");
  EXPECT_NE(response.body.find("the database is away"), std::string::npos);
}

TEST_F(RunsApi, ASnapshotThatCannotBeReadIsA500ThatNamesTheRun) {
  StoredRun stored = run_named("r1");
  stored.run.snapshot = "\xff\xff";
  store_.runs = {stored};
  EXPECT_NE(get_json("/api/v1/runs/r1", 500).at("detail").as_string().find("run r1"), std::string::npos);
}

}  // namespace
}  // namespace runfold::collector::test

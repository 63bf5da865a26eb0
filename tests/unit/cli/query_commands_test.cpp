// runs, logs, api-failures and operations against a collector that answers as the query API does.
#include "tests/support/http_server.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/unit/cli/command_line.hpp"

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace runfold::cli {
namespace {

using test::Printed;

/// Answers each target (path and query) as a test says, and remembers what it was asked.
class Collector {
 public:
  Collector() : server_(router()) {}

  void answer(const std::string& target, const std::string& body, unsigned status = 200) {
    const std::scoped_lock lock(mutex_);
    answers_[target] = {status, body};
  }
  [[nodiscard]] std::vector<std::string> asked() {
    const std::scoped_lock lock(mutex_);
    return asked_;
  }
  [[nodiscard]] std::string url() const { return server_.url(""); }

 private:
  http::Router router() {
    http::Router router;
    router.add("GET", "/{path...}", {"*"}, [this](const http::Request& request) -> boost::asio::awaitable<http::Response> {
      const std::scoped_lock lock(mutex_);
      asked_.push_back(request.target);
      const auto found = answers_.find(request.target);
      if (found == answers_.end())
        co_return http::Problem{
            404, "No such run", "there is nothing at " + request.target + " in this collector's store; GET /api lists", {}}
            .to_response();
      co_return http::Response::json(found->second.second, found->second.first);
    });
    return router;
  }
  std::mutex mutex_;
  std::map<std::string, std::pair<unsigned, std::string>> answers_;
  std::vector<std::string> asked_;
  runfold::test::HttpServer server_;
};

class QueryCommands : public test::CommandLineTest {
 protected:
  QueryCommands() { ::setenv("RUNFOLD_COLLECTOR_URL", collector_.url().c_str(), 1); }
  Collector collector_;
};

constexpr const char* kFailedRun =
    R"({"run_id":"run-1","connector_id":"invoices","version":"1.2","site":"acme","attempt":1,"status":"finished","result":"failure",)"
    R"("result_source":"declared","exit_code":3,"error":"exited with code 3","started_at":"2026-05-16T14:32:11.123Z",)"
    R"("finished_at":"2026-05-16T14:36:16.000Z","duration_ms":244877,"entities":42,"stats":{"entities_created":40,"entities_updated":2},)"
    R"("steps":[{"step_id":"read","attempt":1,"status":"finished","result":"success","started_at":"2026-05-16T14:32:12.000Z","duration_ms":1500,)"
    R"("entities":42},{"step_id":"upload","attempt":2,"status":"finished","result":"failure","error":"SFTP login failed"}],)"
    R"("log_counts":{"3":2,"2":1,"6":100},"api_failures":1,"completeness":{"expected":240,"received":237,"dropped":{"rate_limited":3,"not_needed":90}}})";
constexpr const char* kKilledRun =
    R"({"run_id":"run-2","connector_id":"stock","status":"finished","result":"error","signal":9,"started_at":"2026-05-16T15:00:00.000Z"})";
constexpr const char* kRunningRun =
    R"({"run_id":"run-3","connector_id":"stock","status":"running","started_at":"2026-05-16T15:00:00.000Z"})";

std::string list(const std::string& items, const std::string& cursor = "null") {
  return R"({"items":[)" + items + R"(],"next_cursor":)" + cursor + "}";
}

TEST_F(QueryCommands, RunsPrintsAnAlignedTable) {
  collector_.answer("/api/v1/runs?limit=20", list(std::string(kFailedRun) + "," + kKilledRun + "," + kRunningRun));
  const Printed printed = runfold({"runs"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out,
            "RUN    CONNECTOR  VERSION  SITE  RESULT   EXIT      STARTED (UTC)          TOOK  ERRORS  API FAILURES\n"
            "run-1  invoices   1.2      acme  failure  3         2026-05-16 14:32:11  4m 04s       3             1\n"
            "run-2  stock                     error    signal 9  2026-05-16 15:00:00                              \n"
            "run-3  stock                     running            2026-05-16 15:00:00                              \n");
}

TEST_F(QueryCommands, RunsColoursOnlyATerminal) {
  collector_.answer("/api/v1/runs?limit=20", list(kFailedRun));
  EXPECT_EQ(runfold({"runs"}).out.find('\x1b'), std::string::npos);
  EXPECT_NE(runfold({"runs"}, {}, true).out.find("\x1b[31mfailure\x1b[0m"), std::string::npos);
}

TEST_F(QueryCommands, RunsAsksForWhatTheFlagsSay) {
  runfold({"runs", "--connector", "a b", "--version", "1.2", "--site", "acme", "--status", "finished", "--result", "failure", "--from",
           "2026-05-16", "--to", "2026-05-17T00:00:00Z", "--limit", "5"});
  EXPECT_EQ(collector_.asked(),
            std::vector<std::string>{"/api/v1/runs?connector=a%20b&version=1.2&site=acme&status=finished&result=failure&"
                                     "from=2026-05-16T00%3A00%3A00Z&to=2026-05-17T00%3A00%3A00Z&limit=5"});
}

TEST_F(QueryCommands, RunsFollowsCursorsToTheEnd) {
  collector_.answer("/api/v1/runs?limit=500", list(kFailedRun, "\"next\""));
  collector_.answer("/api/v1/runs?limit=500&cursor=next", list(kKilledRun));
  const Printed printed = runfold({"runs", "--all", "--json"});
  EXPECT_EQ(printed.exit_code, 0);
  EXPECT_EQ(printed.out, std::string(kFailedRun) + "\n" + kKilledRun + "\n");
}

TEST_F(QueryCommands, RunsSaysWhenThereAreNone) {
  collector_.answer("/api/v1/runs?limit=20", list(""));
  const Printed printed = runfold({"runs"});
  EXPECT_EQ(printed.exit_code, 0);
  EXPECT_EQ(printed.out, "");
  EXPECT_EQ(printed.err, "No runs.\n");
}

TEST_F(QueryCommands, RunsShowsOneRunWithItsSteps) {
  collector_.answer("/api/v1/runs/run-1", kFailedRun);
  const Printed printed = runfold({"runs", "run-1"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out,
            "Run            run-1\n"
            "Connector      invoices\n"
            "Version        1.2\n"
            "Site           acme\n"
            "Attempt        1\n"
            "Result         failure\n"
            "Exit           3\n"
            "Error          exited with code 3\n"
            "Started        2026-05-16 14:32:11.123\n"
            "Finished       2026-05-16 14:36:16.000\n"
            "Took           4m 04s\n"
            "Entities       42\n"
            "Stats          entities created 40, updated 2\n"
            "Errors logged  3\n"
            "API failures   1\n"
            "Records        237 of 240 records received, 3 rate_limited, 90 debug not needed\n"
            "\n"
            "STEP    TRY  RESULT   STARTED (UTC)         TOOK  ENTITIES  RELATIONSHIPS  ERROR\n"
            "read      1  success  2026-05-16 14:32:12  1.5 s        42                 \n"
            "upload    2  failure                                                       SFTP login failed\n");
}

TEST_F(QueryCommands, AnEarlierAttemptIsReached) {
  collector_.answer("/api/v1/runs/run-9?attempt=1",
                    R"({"run_id":"run-9","attempt":1,"attempts":[1,2,4],"status":"finished","result":"error","clock_skew_ms":-90000})");
  collector_.answer("/api/v1/runs/run-9/logs?attempt=1&order=desc&limit=200", list(kFailedRun));
  collector_.answer("/api/v1/runs/run-9/api-failures?attempt=1&limit=20", list(""));
  EXPECT_EQ(runfold({"runs", "run-9", "--attempt", "1"}).out,
            "Run            run-9\n"
            "Attempt        1 of 1, 2, 4\n"
            "Result         error\n"
            "Clock          the connector's was 1m 30s fast\n");
  EXPECT_EQ(runfold({"logs", "run-9", "--attempt", "1"}).exit_code, 0);
  EXPECT_EQ(runfold({"api-failures", "run-9", "--attempt", "1"}).exit_code, 0);
  EXPECT_EQ(runfold({"runs", "--attempt", "1"}).exit_code, 2) << "of which run?";
  EXPECT_EQ(runfold({"api-failures", "--attempt", "1"}).exit_code, 2);
  EXPECT_EQ(runfold({"logs", "run-9", "--attempt", "0"}).exit_code, 2);
}

TEST_F(QueryCommands, RunsPrintsOneRunAsJson) {
  collector_.answer("/api/v1/runs/run-1", kFailedRun);
  EXPECT_EQ(runfold({"runs", "run-1", "--json"}).out, std::string(kFailedRun) + "\n");
}

TEST_F(QueryCommands, AnUnknownRunExitsWithOneAndTheProblem) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"runs", "no/such"}, {"logs", "no/such"}, {"api-failures", "no/such"}}) {
    const Printed printed = runfold(command);
    EXPECT_EQ(printed.exit_code, 1);
    EXPECT_TRUE(printed.err.starts_with("runfold: there is nothing at /api/v1/runs/no%2Fsuch")) << printed.err;
    EXPECT_TRUE(printed.err.ends_with(" in this collector's store (" + collector_.url() + ")\n")) << printed.err;
    EXPECT_EQ(printed.out, "");
  }
}

TEST_F(QueryCommands, WhatTheCollectorRefusesIsAUsageError) {
  collector_.answer("/api/v1/runs?result=bad&limit=20", R"({"title":"Unknown result","detail":"bad is no result.","status":400})", 400);
  const Printed printed = runfold({"runs", "--result", "bad"});
  EXPECT_EQ(printed.exit_code, 2);
  EXPECT_EQ(printed.err, "runfold: Unknown result: bad is no result.\n");
}

TEST_F(QueryCommands, ACollectorInTroubleIsNotReachable) {
  collector_.answer("/api/v1/runs?limit=20", R"({"title":"Store unavailable","detail":"The disk is full.","status":503})", 503);
  const Printed printed = runfold({"runs"});
  EXPECT_EQ(printed.exit_code, 69);
  EXPECT_EQ(printed.err, "runfold: Store unavailable: The disk is full.\n");
}

TEST_F(QueryCommands, ACollectorThatIsNotThereIsNamed) {
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  const Printed printed = runfold({"runs", "--collector", "http://" + nobody.text()});
  EXPECT_EQ(printed.exit_code, 69);
  EXPECT_NE(printed.err.find(nobody.text()), std::string::npos) << printed.err;
  EXPECT_NE(printed.err.find("--collector"), std::string::npos) << printed.err;
  EXPECT_EQ(printed.err.find("running there"), printed.err.rfind("running there")) << "said once: " << printed.err;
}

TEST_F(QueryCommands, NoErrorShowsThePasswordOfTheCollector) {
  const std::string host = collector_.url().substr(std::string("http://").size());
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  for (const char* body : {"<html>", "{}", ""}) {
    collector_.answer("/api/v1/runs?limit=20", body, *body == '\0' ? 503 : 200);
    const Printed printed = runfold({"runs", "--collector", "http://user:hunter2@" + host});
    EXPECT_EQ(printed.exit_code, 69);
    EXPECT_NE(printed.err.find("http://" + host + "/api/v1/runs"), std::string::npos) << printed.err;
    EXPECT_EQ(printed.err.find("hunter2"), std::string::npos) << printed.err;
  }
  for (const std::string& url :
       {"http://user:hunter2@" + nobody.text(), "user:hunter2@" + nobody.text(), std::string("http://user:hun/hunter2@host"),
        "ftp://user:hunter2@" + nobody.text(), std::string("http://user:hunter2@")}) {
    const Printed printed = runfold({"runs", "--collector", url});
    EXPECT_NE(printed.exit_code, 0);
    EXPECT_EQ(printed.err.find("hunter2"), std::string::npos) << printed.err;
  }
}

TEST_F(QueryCommands, SomethingThatIsNoCollectorIsSaid) {
  collector_.answer("/api/v1/runs?limit=20", "<html>");
  EXPECT_EQ(runfold({"runs"}).exit_code, 69);
  collector_.answer("/api/v1/runs?limit=20", "{}");
  EXPECT_EQ(runfold({"runs"}).exit_code, 69);
}

constexpr const char* kLogs[] = {
    R"({"at":"2026-05-16T14:32:11.001Z","severity":6,"level":"info","stream":"application","message":"Posting","step":"upload","detail":{"count":50}})",
    R"({"at":"2026-05-16T14:32:11.002Z","severity":3,"level":"error","stream":"stderr","message":"bad \u001b[2J bell\u0007"})",
    R"({"at":"2026-05-16T14:32:11.003Z","severity":3,"level":"error","stream":"container_api","message":"GET /files/42 answered 404","api_call":{"method":"GET","uri":"/files/42","code":404,"body":"no such file"}})"};

TEST_F(QueryCommands, LogsPrintsTheTailOldestFirst) {
  collector_.answer("/api/v1/runs/run-1/logs?order=desc&limit=200", list(std::string(kLogs[2]) + "," + kLogs[1] + "," + kLogs[0]));
  const Printed printed = runfold({"logs", "run-1"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out,
            "2026-05-16 14:32:11.001 [INFO] upload: Posting {\"count\":50}\n"
            "2026-05-16 14:32:11.002 [ERROR] stderr bad \\x1b[2J bell\\x07\n"
            "2026-05-16 14:32:11.003 [ERROR] container_api GET /files/42 answered 404\n"
            "    no such file\n");
}

TEST_F(QueryCommands, LogsPrintsLinesAsTheyWereWritten) {
  collector_.answer(
      "/api/v1/runs/run-1/logs?order=desc&limit=200",
      list(R"({"at":"2026-05-16T14:32:11.002Z","severity":3,"level":"error","message":"ValueError: bad\n  in f\r\n[INFO] x"},)"
           R"({"at":"2026-05-16T14:32:11.001Z","severity":6,"level":"info","message":"from Windows\r"})"));
  EXPECT_EQ(runfold({"logs", "run-1"}).out,
            "2026-05-16 14:32:11.001 [INFO] from Windows\n"
            "2026-05-16 14:32:11.002 [ERROR] ValueError: bad\n      in f\n    [INFO] x\n");
}

TEST_F(QueryCommands, LogsPrintsAllInTheOrderTheyCome) {
  collector_.answer("/api/v1/runs/run-1/logs?level=error&stream=stderr&step=upload&q=50%25&order=asc&limit=500", list(kLogs[0], "\"c2\""));
  collector_.answer("/api/v1/runs/run-1/logs?level=error&stream=stderr&step=upload&q=50%25&order=asc&limit=500&cursor=c2", list(kLogs[1]));
  const Printed printed =
      runfold({"logs", "run-1", "--level", "error", "--stream", "stderr", "--step", "upload", "--query", "50%", "--all", "--json"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out, std::string(kLogs[0]) + "\n" + kLogs[1] + "\n");
}

constexpr const char* kFailure =
    R"({"failure_id":"f-1","run_id":"run-1","attempt":1,"connector_id":"invoices","step":"upload","at":"2026-05-16T14:32:11.003Z",)"
    R"("method":"GET","uri":"https://api.example.com/files/42","code":404,"body":"no\nsuch file"})";

TEST_F(QueryCommands, ApiFailuresPrintsCallAndBody) {
  collector_.answer("/api/v1/runs/run-1/api-failures?limit=20", list(kFailure));
  EXPECT_EQ(runfold({"api-failures", "run-1"}).out,
            "2026-05-16 14:32:11.003 404 GET https://api.example.com/files/42  step upload\n    no such file\n");
  collector_.answer("/api/v1/api-failures?limit=20", list(kFailure));
  EXPECT_EQ(runfold({"api-failures"}).out,
            "2026-05-16 14:32:11.003 404 GET https://api.example.com/files/42  step upload  run run-1 of invoices\n    no such file\n");
  EXPECT_EQ(runfold({"api-failures", "--json"}).out, std::string(kFailure) + "\n");
}

TEST_F(QueryCommands, ApiFailuresGroupedPrintsATable) {
  constexpr const char* kGroup =
      R"({"fingerprint":"v1:0123456789abcdef","connector_id":"invoices","method":"GET","uri_template":"/files/{id}","code":404,)"
      R"("body":"no file {n}","count":17,"first_seen_at":"2026-05-16T14:32:11.003Z","last_seen_at":"2026-05-17T14:32:11.003Z",)"
      R"("first_version":"1.4.0","sites":["acme","zeta"],"more_sites":true})";
  constexpr const char* kUnanswered = R"({"fingerprint":"v1:0","connector_id":"stock","method":"PUT","uri_template":"/stock","count":1,)"
                                      R"("first_seen_at":"2026-05-16T14:32:11.003Z","last_seen_at":"2026-05-16T14:32:11.003Z","sites":[]})";
  collector_.answer("/api/v1/api-failure-groups?limit=20", list(std::string(kGroup) + "," + kUnanswered));
  const Printed printed = runfold({"api-failures", "--grouped"});
  EXPECT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out,
            "COUNT  STATUS  METHOD  URI          CONNECTOR  FIRST SEEN (UTC)     LAST SEEN (UTC)      SITES  FIRST VERSION\n"
            "   17  404     GET     /files/{id}  invoices   2026-05-16 14:32:11  2026-05-17 14:32:11     2+  1.4.0\n"
            "    1  ---     PUT     /stock       stock      2026-05-16 14:32:11  2026-05-16 14:32:11      0  \n");
  EXPECT_EQ(runfold({"api-failures", "--grouped", "--json"}).out, std::string(kGroup) + "\n" + kUnanswered + "\n");
  EXPECT_EQ(runfold({"api-failures", "run-1", "--grouped"}).exit_code, 2);
  collector_.answer("/api/v1/api-failure-groups?limit=20", list(""));
  EXPECT_EQ(runfold({"api-failures", "--grouped"}).err, "No failed Container API calls.\n");
}

TEST_F(QueryCommands, OperationsListsAndShows) {
  constexpr const char* kOperation =
      R"({"operation_id":"S-1","status":"done","name":"build_connector","owner_id":"u-7","connector_id":"invoices","created_at":"2026-05-16T14:32:11.003Z"})";
  collector_.answer("/api/v1/operations?status=done&name=build_connector&owner_id=u-7&limit=20", list(kOperation));
  EXPECT_EQ(runfold({"operations", "--status", "done", "--name", "build_connector", "--owner", "u-7"}).out,
            "OPERATION  NAME             STATUS  OWNER  CONNECTOR  VERSION  CREATED (UTC)        UPDATED (UTC)  ERROR\n"
            "S-1        build_connector  done    u-7    invoices            2026-05-16 14:32:11                 \n");
  collector_.answer("/api/v1/operations/S-1", kOperation);
  EXPECT_EQ(runfold({"operations", "S-1"}).out,
            "Operation      S-1\nName           build_connector\nStatus         done\nOwner          u-7\nConnector      invoices\n"
            "Created        2026-05-16 14:32:11.003\n");
}

}  // namespace
}  // namespace runfold::cli

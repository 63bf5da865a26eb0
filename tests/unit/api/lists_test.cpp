// API failures and operations over the API.
#include "tests/unit/api/api_fixture.hpp"

namespace runfold::collector::test {
namespace {

namespace json = boost::json;

using ListsApi = ApiTest;

ApiFailureRow failure() {
  v1::ApiFailure payload;
  payload.set_version("1.4.0");
  payload.set_step_id("read");
  payload.mutable_call()->set_method("GET");
  payload.mutable_call()->set_request_uri("/files/7");
  payload.mutable_call()->set_response_code(404);
  ApiFailureRow row;
  row.failure_id = "f1";
  row.key = {"r1", 2};
  row.connector_id = "invoices";
  row.at_ns = kAt;
  row.code = 404;
  row.origin = {3, 42};
  row.payload = payload.SerializeAsString();
  return row;
}

TEST_F(ListsApi, AnApiFailureIsTheDocumentedJson) {
  store_.failures = {failure()};
  EXPECT_EQ(get_json("/api/v1/api-failures"), json::parse(R"({"items": [{"failure_id": "f1", "run_id": "r1", "attempt": 2,
    "connector_id": "invoices", "version": "1.4.0", "step": "read", "at": "2026-05-16T14:32:11.000Z", "method": "GET", "uri": "/files/7",
    "code": 404, "body": "", "origin": {"topic": "logs", "partition": 3, "offset": 42}}], "next_cursor": null})"));
}

TEST_F(ListsApi, ACallWithNoResponseHasNoCodeAndNoBody) {
  ApiFailureRow row = failure();
  v1::ApiFailure payload;
  payload.mutable_call()->set_method("PUT");
  payload.mutable_call()->set_transport_error("connection reset");
  row.payload = payload.SerializeAsString();
  store_.failures = {row};
  const auto item = get_json("/api/v1/api-failures").at("items").at(0).as_object();
  EXPECT_FALSE(item.contains("code"));
  EXPECT_FALSE(item.contains("body"));
  EXPECT_EQ(item.at("error"), "connection reset");
}

TEST_F(ListsApi, AGroupOfApiFailuresIsTheDocumentedJson) {
  ApiFailureGroupRow group;
  group.connector_id = "invoices";
  group.kind = {"v1:0123456789abcdef", "GET", "/files/{id}", "no file {n}"};
  group.code = 404;
  group.count = 17;
  group.first_ns = kAt;
  group.last_ns = kAt + kSecond;
  group.first_version = "1.4.0";
  group.sites = {"acme", "zeta"};
  group.offsets = {{3, 42, 50}};
  store_.groups = {group};
  EXPECT_EQ(get_json("/api/v1/api-failure-groups"), json::parse(R"({"items": [{"fingerprint": "v1:0123456789abcdef",
    "connector_id": "invoices", "method": "GET", "uri_template": "/files/{id}", "code": 404, "body": "no file {n}", "count": 17,
    "first_seen_at": "2026-05-16T14:32:11.000Z", "last_seen_at": "2026-05-16T14:32:12.000Z", "first_version": "1.4.0",
    "sites": ["acme", "zeta"], "offsets": {"logs": [{"partition": 3, "first": 42, "last": 50}]}}], "next_cursor": null})"));

  group.code.reset();
  group.first_version.clear();
  group.sites.clear();
  for (std::size_t i = 0; i <= kMaxGroupSites; ++i) group.sites.push_back("site-" + std::to_string(100 + i));
  store_.groups = {group};
  const auto item = get_json("/api/v1/api-failure-groups").at("items").at(0).as_object();
  EXPECT_FALSE(item.contains("code"));
  EXPECT_FALSE(item.contains("first_version"));
  EXPECT_EQ(item.at("sites").as_array().size(), kMaxGroupSites);
  EXPECT_EQ(item.at("more_sites"), true);
}

TEST_F(ListsApi, GroupFiltersReachTheStore) {
  get_json(
      "/api/v1/api-failure-groups?fingerprint=v1%3Aa&connector=c&code=404&from=2026-05-16T14:32:11Z&to=2026-05-16T14:32:12Z&limit=7&"
      "cursor=x");
  EXPECT_EQ(store_.group_filter.fingerprint, "v1:a");
  EXPECT_EQ(store_.group_filter.connector_id, "c");
  EXPECT_EQ(store_.group_filter.code, 404U);
  EXPECT_EQ(store_.group_filter.from_ns, kAt);
  EXPECT_EQ(store_.group_filter.to_ns, kAt + kSecond);
  EXPECT_EQ(store_.limit, 7U);
  EXPECT_EQ(store_.cursor, "x");
}

TEST_F(ListsApi, FailureFiltersReachTheStore) {
  get_json(
      "/api/v1/"
      "api-failures?process_id=r1&attempt=2&connector=c&site=s&code=404&from=2026-05-16T14:32:11Z&to=2026-05-16T14:32:12Z&limit=7&cursor="
      "x");
  EXPECT_EQ(store_.failure_filter.run_id, "r1");
  EXPECT_EQ(store_.failure_filter.attempt, 2U);
  EXPECT_EQ(store_.failure_filter.connector_id, "c");
  EXPECT_EQ(store_.failure_filter.site, "s");
  EXPECT_EQ(store_.failure_filter.code, 404U);
  EXPECT_EQ(store_.failure_filter.from_ns, kAt);
  EXPECT_EQ(store_.failure_filter.to_ns, kAt + kSecond);
  EXPECT_EQ(store_.limit, 7U);
  EXPECT_EQ(store_.cursor, "x");
  EXPECT_EQ(get_json("/api/v1/api-failures?code=200", 400).at("parameter"), "code");
}

TEST_F(ListsApi, ARunsFailuresAreThoseOfItsHighestAttemptUnlessAskedOtherwise) {
  store_.runs = {run_named("r1", 1), run_named("r1", 3)};
  get_json("/api/v1/runs/r1/api-failures");
  EXPECT_EQ(store_.failure_filter.run_id, "r1");
  EXPECT_EQ(store_.failure_filter.attempt, 3U);
  get_json("/api/v1/runs/r1/api-failures?attempt=1");
  EXPECT_EQ(store_.failure_filter.attempt, 1U);
}

TEST_F(ListsApi, AnOperationIsTheDocumentedJson) {
  v1::Operation payload;
  payload.set_version("1.4.0");
  payload.set_error("no space");
  payload.mutable_created_at()->set_seconds(kAt / kSecond);
  payload.mutable_updated_at()->set_seconds(kAt / kSecond + 1);
  OperationRow row{"o1", "failed", "build_connector", "u1", "invoices", kAt, kAt + kSecond, payload.SerializeAsString()};
  store_.operations = {row};
  const auto expected = json::parse(R"({"operation_id": "o1", "status": "failed", "name": "build_connector", "owner_id": "u1",
    "connector_id": "invoices", "version": "1.4.0", "created_at": "2026-05-16T14:32:11.000Z", "updated_at": "2026-05-16T14:32:12.000Z",
    "error": "no space", "origin": {"topic": "operations", "partition": 0, "offset": 0}})");
  EXPECT_EQ(get_json("/api/v1/operations/o1"), expected);
  EXPECT_EQ(get_json("/api/v1/operations").at("items").at(0), expected);
}

TEST_F(ListsApi, ARemovedOperationIsNotThere) {
  store_.operations = {OperationRow{"o1", "", "", "", "", 0, 0, std::nullopt}};
  EXPECT_EQ(get_json("/api/v1/operations/o1", 404).at("operation_id"), "o1");
  EXPECT_TRUE(get_json("/api/v1/operations").at("items").as_array().empty());
  get_json("/api/v1/operations/o2", 404);
}

TEST_F(ListsApi, OperationFiltersReachTheStore) {
  get_json("/api/v1/operations?status=done&name=n&owner_id=u&connector=c&limit=3");
  EXPECT_EQ(store_.operation_filter.status, "done");
  EXPECT_EQ(store_.operation_filter.name, "n");
  EXPECT_EQ(store_.operation_filter.owner_id, "u");
  EXPECT_EQ(store_.operation_filter.connector_id, "c");
  EXPECT_EQ(store_.limit, 3U);
}

TEST_F(ListsApi, ALossIsTheDocumentedJsonAndItsFiltersReachTheStore) {
  store_.losses = {{"runfold.events", 3, 42, 50, 8, "retention", kAt}, {"runfold.logs", 0, 7, 0, std::nullopt, "recreated", kAt}};
  EXPECT_EQ(get_json("/api/v1/losses"), json::parse(R"({"items": [
    {"topic": "runfold.events", "partition": 3, "from_offset": 42, "to_offset": 50, "records": 8, "reason": "retention",
     "at": "2026-05-16T14:32:11.000Z"},
    {"topic": "runfold.logs", "partition": 0, "from_offset": 7, "to_offset": 0, "reason": "recreated", "at": "2026-05-16T14:32:11.000Z"}],
    "next_cursor": null})"));
  get_json("/api/v1/losses?topic=runfold.events&partition=3&limit=7&cursor=x");
  EXPECT_EQ(store_.loss_filter.topic, "runfold.events");
  EXPECT_EQ(store_.loss_filter.partition, 3);
  EXPECT_EQ(store_.limit, 7U);
  EXPECT_EQ(get_json("/api/v1/losses?partition=none", 400).at("parameter"), "partition");
}

}  // namespace
}  // namespace runfold::collector::test

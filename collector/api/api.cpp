// The table of the API's routes, and what all of them share.
#include "collector/api/api.hpp"

#include "collector/api/handlers.hpp"

#include <boost/json/serialize.hpp>

#include <utility>

namespace runfold::collector {

namespace asio = boost::asio;

namespace {

using Get = Answer (*)(const ApiOptions&, const http::Request&);

Answer get_openapi(const ApiOptions&, const http::Request&) {
  co_return http::Response::json(std::string(kOpenApiDocument));
}

struct Entry {
  const char* pattern;
  Get get;
  std::vector<std::string> query;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> table{
      {"/api/v1/runs",
       list_runs,
       {"run_id", "process_id", "sync_id", "connector", "version", "site", "status", "result", "from", "to", "limit", "cursor"}},
      {"/api/v1/runs/{run_id}", get_run, {"attempt"}},
      {"/api/v1/runs/{run_id}/logs", get_logs, {"attempt", "level", "stream", "step", "q", "from", "to", "order", "limit", "cursor"}},
      {"/api/v1/runs/{run_id}/output/{stream}", get_output, {"attempt"}},
      {"/api/v1/runs/{run_id}/api-failures", list_run_api_failures, {"attempt", "code", "from", "to", "limit", "cursor"}},
      {"/api/v1/api-failures",
       list_api_failures,
       {"run_id", "process_id", "sync_id", "attempt", "connector", "site", "code", "from", "to", "limit", "cursor"}},
      {"/api/v1/api-failure-groups", list_api_failure_groups, {"fingerprint", "connector", "code", "from", "to", "limit", "cursor"}},
      {"/api/v1/operations", list_operations, {"status", "name", "owner_id", "connector", "limit", "cursor"}},
      {"/api/v1/operations/{operation_id}", get_operation, {}},
      {"/api/v1/losses", list_losses, {"topic", "partition", "limit", "cursor"}},
      {"/openapi.json", get_openapi, {}},
  };
  return table;
}

}  // namespace

void add_api_routes(http::Router& router, ApiOptions options) {
  const auto api = std::make_shared<const ApiOptions>(std::move(options));
  for (const Entry& entry : entries()) {
    const Get get = entry.get;
    auto handler = [api, get](const http::Request& request) -> Answer {
      http::Response response = co_await get(*api, request);
      response.fields.set("Cache-Control", "no-store");
      response.fields.set("X-Content-Type-Options", "nosniff");
      co_return response;
    };
    router.add("GET", entry.pattern, entry.query, std::move(handler));
  }
}

std::vector<ApiRoute> api_routes() {
  std::vector<ApiRoute> routes;
  for (const Entry& entry : entries()) {
    routes.push_back({"GET", entry.pattern, entry.query});
  }
  return routes;
}

http::Response to_response(const StoreError& error) {
  switch (error.code) {
    case StoreErrc::kInvalid:
      return http::Problem{400, "Bad parameter", "parameter cursor: " + error.message, {{"parameter", "cursor"}}}.to_response();
    case StoreErrc::kUnavailable:
    case StoreErrc::kBusy:
    case StoreErrc::kFull:
    case StoreErrc::kReadOnly: {
      auto response = http::Problem{503, "Store not available", error.message, {}}.to_response();
      response.fields.set("Retry-After", "2");
      return response;
    }
    case StoreErrc::kFenced:
    case StoreErrc::kCorrupt:
      break;
  }
  return http::Problem{500, "Store not readable", error.message, {}}.to_response();
}

http::Response to_response(const StoreResult<boost::json::object>& document) {
  return document ? http::Response::json(boost::json::serialize(*document)) : to_response(document.error());
}

}  // namespace runfold::collector

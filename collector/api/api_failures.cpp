// Failing Container API calls, of one run, of all, and grouped.
#include "collector/api/handlers.hpp"
#include "collector/api/json.hpp"

#include <utility>

namespace runfold::collector {

namespace {

Answer answer(const ApiOptions& api, ApiFailureFilter filter, std::size_t limit, std::string cursor) {
  auto list = [filter = std::move(filter), limit, cursor = std::move(cursor)](Query& query) -> StoreResult<boost::json::object> {
    auto page = query.api_failures(filter, limit, cursor);
    if (!page) {
      return page.error();
    }
    return to_list(*page, [](const ApiFailureRow& failure) { return to_json(failure); });
  };
  co_return to_response(co_await api.pool->run(std::move(list)));
}

/// What both lists take.
ApiFailureFilter shared_filter(Parameters& given) {
  ApiFailureFilter filter;
  filter.attempt = given.number("attempt", 1, UINT32_MAX);
  filter.code = given.number("code", 400, 599);
  filter.from_ns = given.time("from");
  filter.to_ns = given.time("to");
  return filter;
}

}  // namespace

Answer list_run_api_failures(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  ApiFailureFilter filter = shared_filter(given);
  const std::size_t limit = given.limit(50);
  const std::string cursor = given.text("cursor");
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  // Without an attempt it is the highest, as everywhere below /runs/{run_id}.
  const std::string run_id(request.path_parameter("run_id"));
  const auto run = co_await find_run(api, run_id, filter.attempt);
  if (!run) {
    co_return to_response(run.error());
  }
  if (!*run) {
    co_return no_such_run(run_id, filter.attempt);
  }
  filter.run_id = run_id;
  filter.attempt = (*run)->run.key.attempt;
  co_return co_await answer(api, std::move(filter), limit, cursor);
}

Answer list_api_failures(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  ApiFailureFilter filter = shared_filter(given);
  filter.run_id = given.alias({"run_id", "process_id", "sync_id"});
  filter.connector_id = given.text("connector");
  filter.site = given.text("site");
  const std::size_t limit = given.limit(50);
  const std::string cursor = given.text("cursor");
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  co_return co_await answer(api, std::move(filter), limit, cursor);
}

Answer list_api_failure_groups(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  ApiFailureGroupFilter filter;
  filter.fingerprint = given.text("fingerprint");
  filter.connector_id = given.text("connector");
  filter.code = given.number("code", 400, 599);
  filter.from_ns = given.time("from");
  filter.to_ns = given.time("to");
  const std::size_t limit = given.limit(50);
  const std::string cursor = given.text("cursor");
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  auto list = [filter = std::move(filter), limit, cursor](Query& query) -> StoreResult<boost::json::object> {
    const auto page = query.api_failure_groups(filter, limit, cursor);
    if (!page) {
      return page.error();
    }
    return to_list(*page, [](const ApiFailureGroupRow& group) -> StoreResult<boost::json::object> { return to_json(group); });
  };
  co_return to_response(co_await api.pool->run(std::move(list)));
}

}  // namespace runfold::collector

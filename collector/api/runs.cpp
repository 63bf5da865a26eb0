// Runs: the list and one of them.
#include "collector/api/handlers.hpp"
#include "collector/api/json.hpp"
#include "collector/api/words.hpp"

#include <utility>

namespace runfold::collector {

namespace asio = boost::asio;

asio::awaitable<StoreResult<std::optional<StoredRun>>> find_run(const ApiOptions& api, std::string run_id,
                                                                std::optional<std::uint32_t> attempt) {
  auto find = [run_id = std::move(run_id), attempt](Query& query) { return query.run(run_id, attempt); };
  co_return co_await api.pool->run(std::move(find));
}

http::Response no_such_run(std::string_view run_id, std::optional<std::uint32_t> attempt) {
  std::string detail = "there is no run " + std::string(run_id);
  if (attempt) {
    detail += " with attempt " + std::to_string(*attempt);
  }
  return http::Problem{
      404, "No such run", detail + " in this collector's store; GET /api/v1/runs lists those there are", {{"run_id", std::string(run_id)}}}
      .to_response();
}

Answer list_runs(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  RunFilter filter;
  filter.run_id = given.alias({"run_id", "process_id", "sync_id"});
  filter.connector_id = given.text("connector");
  filter.version = given.text("version");
  filter.site = given.text("site");
  filter.status = given.word("status", status_of, status_words());
  filter.result = given.word("result", result_of, result_words());
  filter.from_ns = given.time("from");
  filter.to_ns = given.time("to");
  const std::size_t limit = given.limit(50);
  const std::string cursor = given.text("cursor");
  if (given.problem()) {
    co_return given.problem()->to_response();
  }

  auto list = [filter, limit, cursor](Query& query) -> StoreResult<boost::json::object> {
    auto page = query.runs(filter, limit, cursor);
    if (!page) {
      return page.error();
    }
    return to_list(*page, [](const StoredRun& run) { return to_json(run, Steps::kWithout); });
  };
  co_return to_response(co_await api.pool->run(std::move(list)));
}

Answer get_run(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  const auto attempt = given.number("attempt", 1, UINT32_MAX);
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  const std::string run_id(request.path_parameter("run_id"));
  auto find = [run_id, attempt](Query& query) -> StoreResult<std::optional<boost::json::object>> {
    const auto run = query.run(run_id, attempt);
    if (!run) return run.error();
    if (!*run) return std::optional<boost::json::object>();
    auto json = to_json(**run, Steps::kWith);
    if (!json) return json.error();
    const auto attempts = query.attempts(run_id);
    if (!attempts) return attempts.error();
    json->emplace("attempts", boost::json::array(attempts->begin(), attempts->end()));
    return std::optional(std::move(*json));
  };
  const auto found = co_await api.pool->run(std::move(find));
  if (!found) {
    co_return to_response(found.error());
  }
  if (!*found) {
    co_return no_such_run(run_id, attempt);
  }
  co_return to_response(StoreResult<boost::json::object>(**found));
}

}  // namespace runfold::collector

// Operations: the list and one of them.
#include "collector/api/handlers.hpp"
#include "collector/api/json.hpp"

#include <utility>

namespace runfold::collector {

Answer list_operations(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  const OperationFilter filter{given.text("status"), given.text("name"), given.text("owner_id"), given.text("connector")};
  const std::size_t limit = given.limit(50);
  const std::string cursor = given.text("cursor");
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  auto list = [filter, limit, cursor](Query& query) -> StoreResult<boost::json::object> {
    auto page = query.operations(filter, limit, cursor);
    if (!page) {
      return page.error();
    }
    std::erase_if(page->items, [](const OperationRow& operation) { return !operation.payload; });
    return to_list(*page, [](const OperationRow& operation) { return to_json(operation); });
  };
  co_return to_response(co_await api.pool->run(std::move(list)));
}

Answer get_operation(const ApiOptions& api, const http::Request& request) {
  const std::string id(request.path_parameter("operation_id"));
  auto find = [id](Query& query) { return query.operation(id); };
  const auto operation = co_await api.pool->run(std::move(find));
  if (!operation) {
    co_return to_response(operation.error());
  }
  if (!*operation || !(*operation)->payload) {
    co_return http::Problem{404,
                            "No such operation",
                            "there is no operation " + id + " in this collector's store; GET /api/v1/operations lists those there are",
                            {{"operation_id", id}}}
        .to_response();
  }
  co_return to_response(to_json(**operation));
}

}  // namespace runfold::collector

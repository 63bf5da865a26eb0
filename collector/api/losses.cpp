// Losses: which records of the topics will never be in any run.
#include "collector/api/handlers.hpp"
#include "collector/api/rfc3339.hpp"

#include <limits>

namespace runfold::collector {
namespace {

StoreResult<boost::json::object> object_of_loss(const LossRow& loss) {
  boost::json::object to;
  to["topic"] = loss.topic;
  to["partition"] = loss.partition;
  to["from_offset"] = loss.from_offset;
  to["to_offset"] = loss.to_offset;
  if (loss.records) to["records"] = *loss.records;
  to["reason"] = loss.reason;
  to["at"] = rfc3339(loss.at_ns);
  return to;
}

}  // namespace

Answer list_losses(const ApiOptions& api, const http::Request& request) {
  Parameters given(request);
  LossFilter filter{given.text("topic"), std::nullopt};
  if (const auto partition = given.number("partition", 0, std::numeric_limits<std::int32_t>::max())) {
    filter.partition = static_cast<std::int32_t>(*partition);
  }
  const std::size_t limit = given.limit(50);
  const std::string cursor = given.text("cursor");
  if (given.problem()) {
    co_return given.problem()->to_response();
  }
  auto list = [filter, limit, cursor](Query& query) -> StoreResult<boost::json::object> {
    const auto page = query.losses(filter, limit, cursor);
    if (!page) {
      return page.error();
    }
    return to_list(*page, [](const LossRow& loss) { return object_of_loss(loss); });
  };
  co_return to_response(co_await api.pool->run(std::move(list)));
}

}  // namespace runfold::collector

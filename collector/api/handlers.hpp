// The handlers of the API's routes, a group a file.
#pragma once

#include "collector/api/api.hpp"
#include "collector/api/parameters.hpp"
#include "transport/http/message.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

using Answer = boost::asio::awaitable<http::Response>;

// runs.cpp
Answer list_runs(const ApiOptions& api, const http::Request& request);
Answer get_run(const ApiOptions& api, const http::Request& request);
// logs.cpp
Answer get_logs(const ApiOptions& api, const http::Request& request);
Answer get_output(const ApiOptions& api, const http::Request& request);
// api_failures.cpp
Answer list_run_api_failures(const ApiOptions& api, const http::Request& request);
Answer list_api_failures(const ApiOptions& api, const http::Request& request);
Answer list_api_failure_groups(const ApiOptions& api, const http::Request& request);
// operations.cpp
Answer list_operations(const ApiOptions& api, const http::Request& request);
Answer get_operation(const ApiOptions& api, const http::Request& request);
// losses.cpp
Answer list_losses(const ApiOptions& api, const http::Request& request);

/// The problem document of a store's error: a bad cursor is the client's fault, all else is not.
[[nodiscard]] http::Response to_response(const StoreError& error);

/// A run by the path's {run_id} and the attempt asked for; absent in the result: there is none.
[[nodiscard]] boost::asio::awaitable<StoreResult<std::optional<StoredRun>>> find_run(const ApiOptions& api, std::string run_id,
                                                                                     std::optional<std::uint32_t> attempt);
[[nodiscard]] http::Response no_such_run(std::string_view run_id, std::optional<std::uint32_t> attempt);

/// {"items": [...], "next_cursor": ...} of a page of rows; `to_item` gives a StoreResult of an object.
template <class T, class ToItem>
[[nodiscard]] StoreResult<boost::json::object> to_list(const Page<T>& page, ToItem to_item) {
  boost::json::object list;
  boost::json::array& items = list["items"].emplace_array();
  items.reserve(page.items.size());
  for (const T& row : page.items) {
    auto item = to_item(row);
    if (!item) {
      return item.error();
    }
    items.push_back(std::move(*item));
  }
  if (page.next_cursor) {
    list["next_cursor"] = *page.next_cursor;
  } else {
    list["next_cursor"] = nullptr;
  }
  return list;
}

/// The document, or the problem of the error.
[[nodiscard]] http::Response to_response(const StoreResult<boost::json::object>& document);

}  // namespace runfold::collector

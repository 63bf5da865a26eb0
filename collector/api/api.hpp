// The query API: what the store knows, as JSON over HTTP.
#pragma once

#include "collector/api/log_page.hpp"
#include "collector/api/query_pool.hpp"
#include "transport/http/router.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

struct ApiOptions {
  /// Does the blocking reads. Must be stopped before the event loop that serves the router is destroyed.
  std::shared_ptr<QueryPool> pool;
  /// How much one request for logs may read; what is left is behind the cursor.
  LogBounds logs;
};

/// Adds the routes of /api/v1 and /openapi.json.
///
/// Responses are never cached, errors are problem documents that name the parameter or the thing asked for, what was
/// given and what is allowed.
void add_api_routes(http::Router& router, ApiOptions options);

/// One route as it is added.
struct ApiRoute {
  std::string method;
  std::string pattern;
  std::vector<std::string> query;
};

/// All routes that add_api_routes() adds, for those who check them against the document.
[[nodiscard]] std::vector<ApiRoute> api_routes();

/// The OpenAPI 3.1 document, as served at /openapi.json.
extern const std::string_view kOpenApiDocument;

}  // namespace runfold::collector

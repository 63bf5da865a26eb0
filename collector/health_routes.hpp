// How others watch the collector: /livez, /readyz and /metrics.
#pragma once

#include "collector/health.hpp"
#include "transport/http/router.hpp"

#include <functional>
#include <string>

namespace runfold::collector {

/// Adds /livez (200 "ok" while the event loop runs), /readyz (200, or 503 with a reason a component) and /metrics
/// (what `metrics` gives, in Prometheus' text format).
///
/// `health` outlives the router.
void add_health_routes(http::Router& router, const Health& health, std::function<std::string()> metrics);

}  // namespace runfold::collector

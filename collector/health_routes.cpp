// How others watch the collector: /livez, /readyz and /metrics.
#include "collector/health_routes.hpp"

#include "transport/http/message.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <utility>

namespace runfold::collector {

namespace {

using Answer = boost::asio::awaitable<http::Response>;

http::Response to_response(const Health& health) {
  const auto reasons = health.reasons();
  boost::json::object document{{"ready", reasons.empty()}};
  if (!reasons.empty()) {
    boost::json::object& by_component = document["reasons"].emplace_object();
    for (const auto& [component, reason] : reasons) {
      by_component[component] = reason;
    }
  }
  return http::Response::json(boost::json::serialize(document), reasons.empty() ? 200 : 503);
}

}  // namespace

void add_health_routes(http::Router& router, const Health& health, std::function<std::string()> metrics) {
  const auto add = [&router](std::string_view path, std::function<http::Response()> answer) {
    auto handler = [answer = std::move(answer)](const http::Request&) -> Answer {
      http::Response response = answer();
      response.fields.set("Cache-Control", "no-store");
      co_return response;
    };
    router.add("GET", path, {}, std::move(handler));
  };
  add("/livez", [] { return http::Response::text("ok\n"); });
  add("/readyz", [&health] { return to_response(health); });
  add("/metrics", [metrics = std::move(metrics)] {
    http::Response response = http::Response::text(metrics());
    response.fields.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return response;
  });
}

}  // namespace runfold::collector

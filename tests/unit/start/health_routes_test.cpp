// /livez, /readyz and /metrics.
#include "collector/health_routes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

class HealthRoutes : public testing::Test {
 protected:
  HealthRoutes() {
    add_health_routes(router_, health_, [this] { return metrics_; });
  }

  http::Response get(const std::string& target) {
    http::Response response;
    boost::asio::io_context context;
    auto task = [&]() -> boost::asio::awaitable<void> {
      http::Request request;
      request.method = "GET";
      request.target = target;
      response = co_await router_.route(request);
    };
    boost::asio::co_spawn(context, task, boost::asio::detached);
    context.run();
    return response;
  }

  Health health_;
  std::string metrics_ = "runfold_build_info 1\n";
  http::Router router_;
};

TEST_F(HealthRoutes, ALivingCollectorSaysOkWhateverIsNotReady) {
  health_.not_ready("kafka", "away");
  EXPECT_EQ(get("/livez").status, 200U);
  EXPECT_EQ(get("/livez").body, "ok\n");
}

TEST_F(HealthRoutes, ReadinessNamesEveryComponentThatIsNotReadyAndWhy) {
  EXPECT_EQ(get("/readyz").status, 200U);
  EXPECT_EQ(boost::json::parse(get("/readyz").body), boost::json::parse(R"({"ready": true})"));
  health_.not_ready("kafka", "no broker answers at a:1");
  health_.not_ready("store", "the disk is full");
  EXPECT_EQ(get("/readyz").status, 503U);
  EXPECT_EQ(boost::json::parse(get("/readyz").body),
            boost::json::parse(R"({"ready": false, "reasons": {"kafka": "no broker answers at a:1", "store": "the disk is full"}})"));
  health_.ready("kafka");
  health_.ready("store");
  EXPECT_EQ(get("/readyz").status, 200U);
}

TEST_F(HealthRoutes, MetricsAreInPrometheusTextFormat) {
  EXPECT_EQ(get("/metrics").body, metrics_);
  EXPECT_TRUE(get("/metrics").fields.get("Content-Type").value_or("").starts_with("text/plain; version=0.0.4"));
}

TEST_F(HealthRoutes, NothingIsCached) {
  for (const char* path : {"/livez", "/readyz", "/metrics"}) {
    EXPECT_EQ(get(path).fields.get("Cache-Control"), "no-store");
  }
}

}  // namespace
}  // namespace runfold::collector

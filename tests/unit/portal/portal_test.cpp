// The portal's files over HTTP.
#include "collector/portal/portal.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <array>

namespace runfold::collector {
namespace {

constexpr std::array<PortalFile, 3> kFiles{{{"/assets/app-1a2b.js", "text/javascript; charset=utf-8", "code"},
                                            {"/favicon.svg", "image/svg+xml", "<svg/>"},
                                            {"/index.html", "text/html; charset=utf-8", "page"}}};

class PortalTest : public testing::Test {
 protected:
  PortalTest() { add_portal_routes(router_, kFiles); }

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

  http::Router router_;
};

TEST_F(PortalTest, EveryPageOfThePortalIsTheIndex) {
  for (const char* page :
       {"/", "/index.html", "/runs", "/runs/r1", "/runs/r1/logs", "/api-failures", "/operations", "/operations/o1", "/?status=running"}) {
    const auto response = get(page);
    EXPECT_EQ(response.status, 200U) << page;
    EXPECT_EQ(response.body, "page") << page;
    EXPECT_EQ(response.fields.get("Content-Type"), "text/html; charset=utf-8") << page;
    EXPECT_EQ(response.fields.get("Cache-Control"), "no-cache") << page;
  }
}

TEST_F(PortalTest, OnlyHashedFilesAreCachedForEver) {
  EXPECT_EQ(get("/assets/app-1a2b.js").fields.get("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(get("/favicon.svg").fields.get("Cache-Control"), "no-cache");
}

TEST_F(PortalTest, EveryResponseForbidsForeignContent) {
  for (const char* path : {"/", "/assets/app-1a2b.js"}) {
    const auto response = get(path);
    EXPECT_TRUE(response.fields.get("Content-Security-Policy").value_or("").starts_with("default-src 'self';"));
    EXPECT_EQ(response.fields.get("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(response.fields.get("X-Frame-Options"), "DENY");
    EXPECT_EQ(response.fields.get("Referrer-Policy"), "no-referrer");
  }
}

TEST_F(PortalTest, AFileThatIsNotThereIsNotTheIndex) {
  EXPECT_EQ(get("/assets/none.js").status, 404U);
  EXPECT_EQ(get("/api/v1/nope").status, 404U);
}

TEST(EmbeddedPortal, HoldsAnIndexAndAPathAndATypeForEveryFile) {
  bool index = false;
  for (const PortalFile& file : std::span(kPortalFiles, kPortalFileCount)) {
    EXPECT_TRUE(file.path.starts_with("/"));
    EXPECT_FALSE(file.content_type.empty());
    index = index || (file.path == "/index.html" && file.bytes.find("<!doctype html>") != std::string_view::npos);
  }
  EXPECT_TRUE(index);
}

}  // namespace
}  // namespace runfold::collector

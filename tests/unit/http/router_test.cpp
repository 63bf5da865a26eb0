// How requests find their handlers, and what the others are told.
#include "transport/http/router.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <optional>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::Pair;

Response run(const Router& router, Request& request) {
  asio::io_context context;
  std::optional<Response> response;
  auto work = [&]() -> asio::awaitable<void> { response = co_await router.route(request); };
  auto ended = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  asio::co_spawn(context, work, ended);
  context.run();
  return response.value();
}

Response run(const Router& router, const std::string& method, const std::string& target) {
  Request request;
  request.method = method;
  request.target = target;
  return run(router, request);
}

Handler answer(std::string text) {
  return [text](const Request& request) -> asio::awaitable<Response> {
    std::string said = text;
    for (const auto& [name, value] : request.path_parameters) said += " " + name + "=" + value;
    co_return Response::text(said);
  };
}

boost::json::object document(const Response& response) {
  EXPECT_EQ(response.fields.get("Content-Type"), "application/problem+json");
  return boost::json::parse(response.body).as_object();
}

TEST(Router, FindsLiteralNamedAndRestSegments) {
  Router router;
  router.add("GET", "/", {}, answer("root"));
  router.add("GET", "/runs", {}, answer("runs"));
  router.add("GET", "/runs/{run_id}", {}, answer("run"));
  router.add("GET", "/runs/{run_id}/logs", {}, answer("logs"));
  router.add("GET", "/runs/{run_id}/output/{stream}", {}, answer("output"));
  router.add("GET", "/files/{path...}", {}, answer("file"));
  EXPECT_EQ(run(router, "GET", "/").body, "root");
  EXPECT_EQ(run(router, "GET", "").body, "root");
  EXPECT_EQ(run(router, "GET", "/runs").body, "runs");
  EXPECT_EQ(run(router, "GET", "/runs/a").body, "run run_id=a");
  EXPECT_EQ(run(router, "GET", "/runs/a/logs").body, "logs run_id=a");
  EXPECT_EQ(run(router, "GET", "/runs/a/output/stdout").body, "output run_id=a stream=stdout");
  EXPECT_EQ(run(router, "GET", "/files").body, "file path=");
  EXPECT_EQ(run(router, "GET", "/files/").body, "file path=");
  EXPECT_EQ(run(router, "GET", "/files/a/b//c").body, "file path=a/b//c");
  EXPECT_EQ(run(router, "GET", "http://host:1/runs/a").body, "run run_id=a");
  EXPECT_EQ(run(router, "GET", "http://host").body, "root");
}

TEST(Router, PrefersLiteralOverNameAndNameOverRestWhateverTheirOrder) {
  Router router;
  router.add("GET", "/{rest...}", {}, answer("rest"));
  router.add("GET", "/a/{name}", {}, answer("name"));
  router.add("GET", "/a/b", {}, answer("literal"));
  router.add("GET", "/{x}/b/c", {}, answer("late literals"));
  router.add("GET", "/a/{y}/{z}", {}, answer("early literal"));
  EXPECT_EQ(run(router, "GET", "/a/b").body, "literal");
  EXPECT_EQ(run(router, "GET", "/a/c").body, "name name=c");
  EXPECT_EQ(run(router, "GET", "/a/b/c").body, "early literal y=b z=c");
  EXPECT_EQ(run(router, "GET", "/q/b/c").body, "late literals x=q");
  EXPECT_EQ(run(router, "GET", "/q").body, "rest rest=q");
}

TEST(Router, DecodesEachSegmentAfterSplitting) {
  Router router;
  router.add("GET", "/runs/{run_id}/logs", {"q", "x"}, answer("logs"));
  Request request;
  request.method = "GET";
  request.target = "/runs/a%2Fb%20c%C3%A9+/logs?q=%25+%26&x=&x=1=2&q";
  EXPECT_EQ(run(router, request).body, "logs run_id=a/b cé+");
  EXPECT_EQ(request.path, "/runs/a/b cé+/logs");
  EXPECT_THAT(request.query, ElementsAre(Pair("q", "% &"), Pair("x", ""), Pair("x", "1=2"), Pair("q", "")));
  EXPECT_EQ(request.query_value("x"), "");
  EXPECT_EQ(request.query_value("y"), std::nullopt);
}

TEST(Router, RefusesTargetsThatCannotBeDecoded) {
  Router router;
  router.add("GET", "/{rest...}", {"*"}, answer("never"));
  for (const char* target :
       {"/%", "/%4", "/%g0", "/%00", "/%ff", "/%C0%80", "/%ED%A0%80", "/ok?%=1", "/ok?a=%F5%80%80%80", "no-slash", "*"}) {
    const Response response = run(router, "GET", target);
    EXPECT_EQ(response.status, 400U) << target;
    EXPECT_EQ(document(response).at("title").as_string(), "Malformed request") << target;
  }
}

TEST(Router, SaysThatAPathIsUnknown) {
  Router router;
  router.add("GET", "/runs/{run_id}", {}, answer("run"));
  for (const char* target : {"/", "/run", "/runs", "/runs/", "/runs/a/", "/runs/a/b", "/Runs/a"}) {
    const Response response = run(router, "GET", target);
    EXPECT_EQ(response.status, 404U) << target;
    const auto problem = document(response);
    EXPECT_EQ(problem.at("type").as_string(), "about:blank");
    EXPECT_EQ(problem.at("title").as_string(), "Not Found");
    EXPECT_EQ(problem.at("detail").as_string(), "There is nothing at " + std::string(target) + ".");
  }
}

TEST(Router, SaysWhichMethodsAPathTakes) {
  Router router;
  router.add("GET", "/things/{id}", {}, answer("get"));
  router.add("DELETE", "/things/{thing}", {}, answer("delete"));
  router.add("POST", "/events", {}, answer("post"));
  router.add("GET", "/{page...}", {}, answer("page"));
  EXPECT_EQ(run(router, "DELETE", "/things/1").body, "delete thing=1");
  const Response response = run(router, "PUT", "/things/1");
  EXPECT_EQ(response.status, 405U);
  EXPECT_EQ(response.fields.get("Allow"), "DELETE, GET, HEAD");
  EXPECT_EQ(document(response).at("title").as_string(), "Method Not Allowed");
  EXPECT_EQ(run(router, "GET", "/events").status, 405U) << "the wider pattern does not hide it";
  EXPECT_EQ(run(router, "get", "/things/1").status, 405U) << "methods have a case";
}

TEST(Router, ServesHeadWithTheGetHandlerUnlessThereIsAnother) {
  Router router;
  router.add("GET", "/a", {}, answer("get"));
  router.add("GET", "/b", {}, answer("get"));
  router.add("HEAD", "/b", {}, answer("head"));
  EXPECT_EQ(run(router, "HEAD", "/a").body, "get");
  EXPECT_EQ(run(router, "HEAD", "/b").body, "head");
}

TEST(Router, TakesEveryMethodAndParameterWhereTheRouteSaysSo) {
  Router router;
  router.add("*", "/proxy/{path...}", {"*"}, answer("proxy"));
  EXPECT_EQ(run(router, "PATCH", "/proxy/a/b?anything=goes").body, "proxy path=a/b");
  EXPECT_EQ(run(router, "HEAD", "/proxy/").body, "proxy path=");
}

TEST(Router, LeavesWhatCannotBeDecodedToARouteThatTakesEverything) {
  Router router;
  router.add("*", "/{path...}", {"*"}, answer("proxy"));
  router.add("*", "/named/{name}", {"*"}, answer("never"));
  EXPECT_EQ(run(router, "GET", "/p/%FF/a%20b").body, "proxy path=p/%FF/a b");
  Request request;
  request.method = "GET";
  request.target = "/%00?d=caf%E9&e=%20";
  EXPECT_EQ(run(router, request).body, "proxy path=%00");
  EXPECT_THAT(request.query, ElementsAre(Pair("d", "caf%E9"), Pair("e", " ")));
  EXPECT_EQ(run(router, "GET", "/named/%FF").status, 400U);
  EXPECT_EQ(run(router, "GET", "*").status, 400U);
}

TEST(Router, NamesAnUnknownParameterAndTheNearestKnownOne) {
  Router router;
  router.add("GET", "/logs", {"level", "stream", "limit"}, answer("logs"));
  router.add("GET", "/none", {}, answer("none"));
  EXPECT_EQ(run(router, "GET", "/logs?level=3&limit=1").status, 200U);

  const Response near = run(router, "GET", "/logs?limit=1&levle=3");
  EXPECT_EQ(near.status, 400U);
  const auto problem = document(near);
  EXPECT_EQ(problem.at("title").as_string(), "Unknown query parameter");
  EXPECT_EQ(problem.at("parameter").as_string(), "levle");
  EXPECT_EQ(problem.at("suggestion").as_string(), "level");
  EXPECT_EQ(problem.at("detail").as_string(), "GET /logs takes no parameter \"levle\"; did you mean \"level\"?");

  const auto far = document(run(router, "GET", "/logs?colour=red"));
  EXPECT_FALSE(far.contains("suggestion"));
  EXPECT_EQ(far.at("detail").as_string(), "GET /logs takes no parameter \"colour\"; it takes level, stream, limit.");
  EXPECT_EQ(document(run(router, "GET", "/none?x")).at("detail").as_string(), "GET /none takes no parameter \"x\"; it takes none.");
}

TEST(Router, CutsWhatItQuotes) {
  Router router;
  const Response response = run(router, "GET", "/" + std::string(10'000, 'a'));
  EXPECT_LT(response.body.size(), 500U);
}

}  // namespace
}  // namespace runfold::http

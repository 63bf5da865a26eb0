// What the server does for clients that are slow, greedy, rude or gone.
#include "transport/http/server.hpp"

#include "tests/support/gate.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/wait_until.hpp"
#include "tests/unit/http/echo.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

#include <atomic>
#include <memory>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using test::echo;
using test::echo_router;
using test::Gate;
using test::get;
using test::HttpServer;
using test::RawSocket;
using testing::HasSubstr;
using namespace std::chrono_literals;
using namespace std::string_literals;

/// What echo says before a body.
constexpr std::size_t kAsked = std::string_view("POST /echo ").size();

/// Expects a problem document of that status, and the end of the connection.
void expect_refused(RawSocket& client, int status, std::string_view detail = "") {
  const auto response = client.response();
  EXPECT_EQ(response.status, status) << response.head << response.body;
  EXPECT_TRUE(response.has("application/problem+json"));
  EXPECT_TRUE(response.has("Connection: close"));
  ASSERT_THAT(response.body, testing::StartsWith("{"));
  const auto document = boost::json::parse(response.body).as_object();
  EXPECT_EQ(document.at("status").as_int64(), status);
  EXPECT_THAT(std::string(document.at("detail").as_string()), HasSubstr(std::string(detail)));
  client.shutdown_send();
  EXPECT_TRUE(client.is_ended());
}

TEST(ServerLimits, ARequestsDeadlineIsNotRenewedByEachByte) {
  ServerLimits limits;
  limits.request_time = 500ms;
  HttpServer server(echo_router(), limits);
  RawSocket client = RawSocket::connect(server.port());
  ASSERT_TRUE(client.send("GET /echo HTTP/1.1\r\nHost: h\r\nX-Slow: "));
  int sent = 0;
  while (!client.is_readable(5) && client.send("x")) ++sent;
  EXPECT_GT(sent, 1);
  expect_refused(client, 408, "500 ms");
}

TEST(ServerLimits, ABodyThatDoesNotComeIs408) {
  ServerLimits limits;
  limits.request_time = 30ms;
  HttpServer server(echo_router(), limits);
  RawSocket client = RawSocket::connect(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
  expect_refused(client, 408);
}

TEST(ServerLimits, AnIdleConnectionIsClosedWithoutAWord) {
  ServerLimits limits;
  limits.idle_time = 500ms;
  HttpServer server(echo_router(), limits);
  RawSocket fresh = RawSocket::connect(server.port());
  EXPECT_TRUE(fresh.is_ended());
  RawSocket used = RawSocket::connect(server.port());
  used.send(get("/echo") + "\r\n");
  EXPECT_EQ(used.response().status, 200);
  EXPECT_TRUE(used.is_ended());
}

TEST(ServerLimits, HeadersLargerThanTheLimitAre431) {
  ServerLimits limits;
  limits.header_bytes = 1000;
  HttpServer server(echo_router(), limits);
  RawSocket fits = RawSocket::connect(server.port());
  const std::string frame = get("/echo", "X: \r\n");
  fits.send(get("/echo", "X: " + std::string(1000 - frame.size(), 'a') + "\r\n"));
  EXPECT_EQ(fits.response().status, 200);
  RawSocket one_more = RawSocket::connect(server.port());
  one_more.send(get("/echo", "X: " + std::string(1001 - frame.size(), 'a') + "\r\n"));
  expect_refused(one_more, 431, "1000 bytes");
  RawSocket unfinished = RawSocket::connect(server.port());
  unfinished.send("GET /echo HTTP/1.1\r\nX: " + std::string(2000, 'a'));
  expect_refused(unfinished, 431);
  RawSocket long_target = RawSocket::connect(server.port());
  long_target.send("GET /" + std::string(100'000, 'a'));
  expect_refused(long_target, 431);
}

TEST(ServerLimits, ManySmallFieldsAreBoundedTogether) {
  ServerLimits limits;
  limits.header_bytes = 1000;
  HttpServer server(echo_router(), limits);
  RawSocket client = RawSocket::connect(server.port());
  client.send("GET /echo HTTP/1.1\r\nHost: h\r\n");
  int sent = 0;
  while (!client.is_readable(1) && client.send("A: b\r\n")) ++sent;
  EXPECT_LT(sent, 1000);
  expect_refused(client, 431);
}

TEST(ServerLimits, BodiesLargerThanTheLimitAre413BeforeTheyAreRead) {
  ServerLimits limits;
  limits.body_bytes = 100;
  HttpServer server(echo_router(), limits);
  RawSocket fits = RawSocket::connect(server.port());
  fits.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x'));
  EXPECT_EQ(fits.response().body.size(), kAsked + 100);
  RawSocket announced = RawSocket::connect(server.port());
  announced.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n");
  expect_refused(announced, 413, "100 bytes");
  RawSocket polite = RawSocket::connect(server.port());
  polite.send("POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
  expect_refused(polite, 413);
  RawSocket chunked = RawSocket::connect(server.port());
  chunked.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + std::string(64, 'x') + "\r\n40\r\n");
  expect_refused(chunked, 413);
}

TEST(ServerLimits, BodiesThatComeAtOnceAreBoundedTogetherAndSmallOnesAreAlwaysTaken) {
  ServerLimits limits;
  limits.bodies_bytes = 100'000;
  HttpServer server(echo_router(), limits);
  const auto begin = [&](std::size_t size, std::size_t sent) {
    RawSocket client = RawSocket::connect(server.port());
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(sent, 'x'));
    return client;
  };
  EXPECT_EQ(begin(500'000, 500'000).response().status, 200) << "alone it may be larger";
  RawSocket slow = begin(90'000, 89'999);
  RawSocket greedy = begin(90'000, 89'999);
  // Whichever was read later is refused.
  bool first = false;
  ASSERT_TRUE(runfold::test::wait_until([&] { return (first = slow.is_readable(1)) || greedy.is_readable(1); }));
  expect_refused(first ? slow : greedy, 503, "try again");
  EXPECT_EQ(begin(16'384, 16'384).response().body.size(), kAsked + 16'384);
  RawSocket& other = first ? greedy : slow;
  other.send("x");
  EXPECT_EQ(other.response().body.size(), kAsked + 90'000);
  EXPECT_EQ(begin(500'000, 500'000).response().status, 200) << "what was answered and what was refused is let go";
}

TEST(ServerLimits, AClientStillSendingItsBodyGetsToReadTheRefusal) {
  ServerLimits limits;
  limits.body_bytes = 100;
  HttpServer server(echo_router(), limits);
  RawSocket client = RawSocket::connect(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n");
  client.send(std::string(3'000'000, 'x'));
  expect_refused(client, 413);
}

TEST(ServerLimits, WhatTheHeadAloneRefusesIsAnsweredWithoutTheBody) {
  Router router = echo_router();
  const auto gate = [](const Request& head) -> std::optional<Response> {
    EXPECT_FALSE(head.peer.empty());
    if (head.fields.get("key") == "right" && head.path_parameter("name") == "mine") return std::nullopt;
    Response refused = Problem{401, "Not authorised", "Send the right key.", {}}.to_response();
    refused.fields.set("WWW-Authenticate", "Bearer");
    return refused;
  };
  router.add("POST", "/guarded/{name}", {}, echo, gate);
  ServerLimits limits;
  limits.body_bytes = 100;
  HttpServer server(std::move(router), limits);
  const auto client = [&](const std::string& text) {
    RawSocket made = RawSocket::connect(server.port());
    made.send(text);
    return made;
  };
  const std::string guarded = "POST /guarded/mine HTTP/1.1\r\nHost: h\r\n";
  for (const char* body : {"Content-Length: 100\r\n\r\n", "Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf",
                           "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"}) {
    RawSocket refused = client(guarded + "Key: wrong\r\n" + body);
    expect_refused(refused, 401, "right key");
  }
  RawSocket anothers = client("POST /guarded/yours HTTP/1.1\r\nHost: h\r\nKey: right\r\nContent-Length: 100\r\n\r\n");
  EXPECT_TRUE(anothers.response().has("WWW-Authenticate: Bearer"));
  RawSocket nowhere = client("POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
  expect_refused(nowhere, 404);
  RawSocket too_large = client(guarded + "Key: right\r\nContent-Length: 101\r\n\r\n");
  expect_refused(too_large, 413);

  // Where the body has come with the head, the connection goes on.
  RawSocket whole = client(guarded + "Content-Length: 4\r\n\r\nbody");
  EXPECT_EQ(whole.response().status, 401);
  whole.send(guarded + "Key: right\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(whole.response().body, "POST /guarded/mine body");
}

TEST(ServerLimits, AnEndlessChunkLineIsRefused) {
  ServerLimits limits;
  limits.header_bytes = 1000;
  HttpServer server(echo_router(), limits);
  RawSocket extension = RawSocket::connect(server.port());
  extension.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(20'000, 'x'));
  expect_refused(extension, 400);
  RawSocket trailer = RawSocket::connect(server.port());
  trailer.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + std::string(20'000, 'x'));
  expect_refused(trailer, 400);
}

TEST(ServerLimits, MalformedRequestsAre400AndEndTheConnection) {
  HttpServer server(echo_router());
  const std::vector<std::string> malformed{
      "nonsense\r\n\r\n",
      "GET\r\n\r\n",
      "GET /echo\r\n\r\n",
      "GET /echo HTTP/2.0\r\nHost: h\r\n\r\n",
      "GET /echo HTTP/1.1\nHost: h\n\n",
      "GET /echo HTTP/1.1\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: h\r\nName : x\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
      "GET /echo HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"s,
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
      "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
      "GET echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  };
  for (const std::string& bytes : malformed) {
    SCOPED_TRACE(bytes);
    RawSocket client = RawSocket::connect(server.port());
    client.send(bytes);
    client.shutdown_send();
    expect_refused(client, 400);
  }
}

TEST(ServerLimits, WhatItCannotDoIsSaid) {
  HttpServer server(echo_router());
  RawSocket coding = RawSocket::connect(server.port());
  coding.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
  expect_refused(coding, 501, "gzip, chunked");
  RawSocket expectation = RawSocket::connect(server.port());
  expectation.send(get("/echo", "Expect: coffee\r\n"));
  expect_refused(expectation, 417, "coffee");
}

TEST(ServerLimits, AClientThatIsGoneHarmsNobody) {
  Router router = echo_router();
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    Response response = Response::text("");
    response.next_chunk = []() -> asio::awaitable<std::optional<std::string>> { co_return std::string(65536, 'x'); };
    co_return response;
  };
  router.add("GET", "/endless", {}, handler);
  ServerLimits limits;
  limits.connections = 1;  // each must have been let go of before the next is served
  HttpServer server(std::move(router), limits);
  const std::vector<std::string> begun{"GET /ec", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf", get("/endless")};
  for (const std::string& bytes : begun) {
    RawSocket closes = RawSocket::connect(server.port());
    closes.send(bytes);
    closes.close();
    RawSocket resets = RawSocket::connect(server.port());
    resets.send(bytes);
    resets.reset();
  }
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/echo"));
  EXPECT_EQ(client.response().status, 200);
}

TEST(ServerLimits, ConnectionsOverTheLimitWaitTheirTurn) {
  auto gate = std::make_shared<Gate>();
  auto most = std::make_shared<std::atomic<int>>(0);
  Router router;
  auto handler = [gate, most](const Request&) -> asio::awaitable<Response> {
    *most = std::max(most->load(), gate->waiting + 1);
    co_await gate->pass();
    co_return Response::text("served");
  };
  router.add("GET", "/slow", {}, handler);
  ServerLimits limits;
  limits.connections = 2;
  HttpServer server(std::move(router), limits);
  std::vector<RawSocket> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(RawSocket::connect(server.port()));
    clients.back().send(get("/slow", "Connection: close\r\n"));
  }
  gate->wait_for(2);
  gate->open = true;
  for (auto& client : clients) EXPECT_EQ(client.response().body, "served");
  EXPECT_EQ(*most, 2);
}

TEST(ServerLimits, TheLongestIdleConnectionGivesWayWhenTheLastPlaceIsTaken) {
  ServerLimits limits;
  limits.connections = 3;
  HttpServer server(echo_router(), limits);
  RawSocket first = RawSocket::connect(server.port());
  first.send(get("/echo"));
  EXPECT_EQ(first.response().status, 200);
  RawSocket second = RawSocket::connect(server.port());
  second.send(get("/echo"));
  EXPECT_EQ(second.response().status, 200);
  RawSocket third = RawSocket::connect(server.port());
  third.send(get("/echo"));
  EXPECT_EQ(third.response().status, 200);
  EXPECT_TRUE(first.is_ended());
  second.send(get("/echo"));
  EXPECT_EQ(second.response().status, 200);
}

TEST(ServerLimits, AHandlerThatTakesTooLongIsCancelledAndIs503) {
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  Router router;
  auto handler = [cancelled](const Request&) -> asio::awaitable<Response> {
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    try {
      co_await never.async_wait(asio::use_awaitable);
    } catch (const boost::system::system_error&) {
      *cancelled = true;
      throw;
    }
    co_return Response();
  };
  router.add("GET", "/stuck", {}, handler);
  ServerLimits limits;
  limits.response_time = 30ms;
  HttpServer server(std::move(router), limits);
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/stuck"));
  expect_refused(client, 503, "30 ms");
  EXPECT_TRUE(*cancelled);
  EXPECT_THAT(server.errors(), testing::ElementsAre(HasSubstr("GET /stuck: no response within 30 ms")));
}

TEST(ServerLimits, AClientThatDoesNotReadIsLetGo) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> { co_return Response::text(std::string(32 * 1024 * 1024, 'x')); };
  router.add("GET", "/large", {}, handler);
  router.add("GET", "/echo", {}, echo);
  ServerLimits limits;
  limits.response_time = 500ms;
  limits.connections = 1;
  HttpServer server(std::move(router), limits);
  RawSocket deaf = RawSocket::connect(server.port());
  deaf.send(get("/large"));
  ASSERT_TRUE(deaf.is_readable(20'000));
  RawSocket next = RawSocket::connect(server.port());
  next.send(get("/echo"));
  EXPECT_EQ(next.response().status, 200);
  EXPECT_EQ(deaf.response().status, 0) << "its response was broken off";
}

TEST(ServerLimits, AStreamHasItsTimeAChunkEach) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    Response response = Response::text("");
    auto chunks = std::make_shared<int>(0);
    response.next_chunk = [chunks]() -> asio::awaitable<std::optional<std::string>> {
      asio::steady_timer timer(co_await asio::this_coro::executor);
      if (++*chunks <= 12) {
        timer.expires_after(100ms);
      } else {
        timer.expires_at(asio::steady_timer::time_point::max());
      }
      co_await timer.async_wait(asio::use_awaitable);
      co_return "x";
    };
    co_return response;
  };
  router.add("GET", "/stream", {}, handler);
  ServerLimits limits;
  limits.response_time = 1s;  // the chunks together take longer
  HttpServer server(std::move(router), limits);
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/stream"));
  const std::string all = client.rest();
  EXPECT_THAT(all, testing::Not(testing::EndsWith("0\r\n\r\n")));
  std::size_t chunks = 0;
  for (std::size_t at = all.find("\r\n1\r\nx"); at != std::string::npos; at = all.find("\r\n1\r\nx", at + 1)) ++chunks;
  EXPECT_EQ(chunks, 12U);
  EXPECT_THAT(server.errors(), testing::ElementsAre(HasSubstr("GET /stream")));
}

}  // namespace
}  // namespace runfold::http

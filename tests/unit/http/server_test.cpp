// What the server does for well-behaved clients.
#include "transport/http/server.hpp"

#include "tests/support/gate.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/unit/http/echo.hpp"
#include "transport/http/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include <future>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using test::echo_router;
using test::Gate;
using test::get;
using test::HttpServer;
using test::RawSocket;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Server, AnswersARequestAndKeepsTheConnectionForTheNext) {
  HttpServer server(echo_router());
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/echo"));
  const auto first = client.response();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "GET /echo ");
  EXPECT_TRUE(first.has("Date: "));
  EXPECT_FALSE(first.has("Connection: close"));
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(client.response().body, "POST /echo body");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  HttpServer server(echo_router());
  RawSocket client = RawSocket::connect(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none" + get("/echo") +
              "\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\no\r\n0\r\n\r\n" +
              get("/nowhere"));
  EXPECT_EQ(client.response().body, "POST /echo one");
  EXPECT_EQ(client.response().body, "GET /echo ");
  EXPECT_EQ(client.response().body, "POST /echo two");
  EXPECT_EQ(client.response().status, 404);
}

TEST(Server, ReadsARequestThatComesAByteAtATime) {
  HttpServer server(echo_router());
  RawSocket client = RawSocket::connect(server.port());
  for (const char byte :
       std::string("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: t\r\n\r\n")) {
    ASSERT_TRUE(client.send(std::string(1, byte)));
  }
  EXPECT_EQ(client.response().body, "POST /echo abc");
}

TEST(Server, ClosesWhenTheClientAsksAndForHttp10) {
  HttpServer server(echo_router());
  RawSocket asks = RawSocket::connect(server.port());
  asks.send(get("/echo", "Connection: close\r\n"));
  EXPECT_TRUE(asks.response().has("Connection: close"));
  EXPECT_TRUE(asks.is_ended());
  RawSocket old = RawSocket::connect(server.port());
  old.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.response().body, "GET /echo ");
  EXPECT_TRUE(old.is_ended());
  RawSocket old_but_kept = RawSocket::connect(server.port());
  old_but_kept.send("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(old_but_kept.response().has("Connection: keep-alive"));
  old_but_kept.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old_but_kept.response().status, 200);
}

TEST(Server, AnswersAClientThatHasShutDownItsSendingSide) {
  HttpServer server(echo_router());
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/echo"));
  client.shutdown_send();
  EXPECT_EQ(client.response().status, 200);
  EXPECT_TRUE(client.is_ended());
}

TEST(Server, AnswersHeadWithTheHeaderAlone) {
  HttpServer server(echo_router());
  RawSocket client = RawSocket::connect(server.port());
  client.send("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n" + get("/echo"));
  const auto head = client.response(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.has("Content-Length: 11"));  // "HEAD /echo "
  EXPECT_EQ(client.response().body, "GET /echo ");
}

TEST(Server, InvitesABodyThatWaitsForOneHundredContinue) {
  HttpServer server(echo_router());
  RawSocket client = RawSocket::connect(server.port());
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.response().status, 100);
  client.send("body");
  EXPECT_EQ(client.response().body, "POST /echo body");
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nhere");
  EXPECT_EQ(client.response().body, "POST /echo here");  // no invitation: the body was there already
}

TEST(Server, StreamsChunksUntilThereAreNoMore) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    Response response = Response::text("first,");
    auto left = std::make_shared<int>(3);
    response.next_chunk = [left]() -> asio::awaitable<std::optional<std::string>> {
      if (*left == 0) co_return std::nullopt;
      const int now = (*left)--;
      co_return now == 2 ? std::string() : std::to_string(now) + ",";
    };
    co_return response;
  };
  router.add("GET", "/stream", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/stream") + "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n" + get("/stream"));
  EXPECT_EQ(client.response().body, "first,3,1,");
  EXPECT_TRUE(client.response(true).has("Transfer-Encoding: chunked"));
  EXPECT_EQ(client.response().body, "first,3,1,");
  RawSocket old = RawSocket::connect(server.port());
  old.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto whole = old.response();
  EXPECT_FALSE(whole.has("chunked"));
  EXPECT_EQ(whole.body, "first,3,1,");
}

TEST(Server, SendsAStreamOfKnownLengthUnchunkedAndBreaksOffAWrongOne) {
  Router router;
  auto handler = [](const Request& request) -> asio::awaitable<Response> {
    Response response = Response::text("");
    response.fields.set("Content-Length", "6");
    auto left = std::make_shared<int>(request.path == "/right" ? 2 : 1);
    response.next_chunk = [left]() -> asio::awaitable<std::optional<std::string>> {
      if ((*left)-- == 0) co_return std::nullopt;
      co_return "abc";
    };
    co_return response;
  };
  router.add("GET", "/right", {}, handler);
  router.add("GET", "/short", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/right") + get("/short"));
  EXPECT_EQ(client.response().body, "abcabc");
  EXPECT_EQ(client.response().status, 0);
  EXPECT_THAT(server.errors(), ElementsAre(HasSubstr("Content-Length")));
}

TEST(Server, TurnsAHandlersExceptionIntoA500ThatDoesNotShowIt) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    throw std::runtime_error("password=hunter2");
    co_return Response();
  };
  router.add("GET", "/throws", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/throws"));
  const auto response = client.response();
  EXPECT_EQ(response.status, 500);
  EXPECT_TRUE(response.has("application/problem+json"));
  EXPECT_THAT(response.body, testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(server.errors(), ElementsAre(HasSubstr("GET /throws: password=hunter2")));
  client.send(get("/throws"));
  EXPECT_EQ(client.response().status, 500) << "the connection goes on";
}

TEST(Server, BreaksOffAStreamWhoseHandlerThrows) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    Response response = Response::text("begun");
    response.next_chunk = []() -> asio::awaitable<std::optional<std::string>> { throw std::runtime_error("no more"); };
    co_return response;
  };
  router.add("GET", "/stream", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/stream"));
  EXPECT_THAT(client.rest(), testing::AllOf(HasSubstr("begun"), testing::Not(testing::EndsWith("0\r\n\r\n"))));
  EXPECT_THAT(server.errors(), ElementsAre(HasSubstr("no more")));
}

TEST(Server, NeverWritesAFieldThatWouldEndItsLine) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    Response response = Response::text("ok");
    response.fields.set("Location", "/a\r\nSet-Cookie: evil");
    co_return response;
  };
  router.add("GET", "/split", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/split"));
  const auto response = client.response();
  EXPECT_EQ(response.status, 500);
  EXPECT_FALSE(response.has("evil"));
  EXPECT_THAT(server.errors(), ElementsAre(HasSubstr("Location")));
}

TEST(Server, TellsTheHandlerThePeer) {
  Router router;
  auto handler = [](const Request& request) -> asio::awaitable<Response> { co_return Response::text(request.peer); };
  router.add("GET", "/peer", {}, handler);
  HttpServer server(std::move(router));
  EXPECT_THAT(send_blocking({"GET", server.url("/peer")}, 20s).value().body, testing::StartsWith("127.0.0.1:"));
}

TEST(Server, ServesManyClientsAtOnce) {
  auto gate = std::make_shared<Gate>();
  Router router;
  auto handler = [gate](const Request& request) -> asio::awaitable<Response> {
    co_await gate->pass();
    co_return Response::text(std::string(request.query_value("n").value()));
  };
  router.add("GET", "/n", {"n"}, handler);
  HttpServer server(std::move(router));
  std::vector<RawSocket> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(RawSocket::connect(server.port()));
    clients.back().send(get("/n?n=" + std::to_string(i)));
  }
  gate->wait_for(50);
  gate->open = true;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(clients[static_cast<std::size_t>(i)].response().body, std::to_string(i));
}

TEST(Server, StopLetsARequestUnderWayFinishAndClosesIdleConnections) {
  auto gate = std::make_shared<Gate>();
  Router router = echo_router();
  auto handler = [gate](const Request&) -> asio::awaitable<Response> {
    co_await gate->pass();
    co_return Response::text("finished");
  };
  router.add("GET", "/slow", {}, handler);
  HttpServer server(std::move(router));
  RawSocket idle = RawSocket::connect(server.port());
  idle.send(get("/echo"));
  ASSERT_EQ(idle.response().status, 200);
  RawSocket busy = RawSocket::connect(server.port());
  busy.send(get("/slow"));
  gate->wait_for(1);
  server.stop(20s);
  EXPECT_TRUE(idle.is_ended());
  EXPECT_FALSE(server.ends_within(0ms));
  gate->open = true;
  const auto response = busy.response();
  EXPECT_EQ(response.body, "finished");
  EXPECT_TRUE(response.has("Connection: close"));
  EXPECT_TRUE(server.ends_within(20s));
}

TEST(Server, StopEndsWhatDoesNotFinishWithinTheGrace) {
  auto gate = std::make_shared<Gate>();
  Router router;
  auto handler = [gate](const Request&) -> asio::awaitable<Response> {
    co_await gate->pass();
    co_return Response::text("never");
  };
  router.add("GET", "/stuck", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/stuck"));
  gate->wait_for(1);
  server.stop(10ms);
  EXPECT_TRUE(client.is_ended());
  EXPECT_TRUE(server.ends_within(20s));
}

TEST(Server, StopEndsAnEventStreamInGoodOrder) {
  Router router;
  auto handler = [](const Request&) -> asio::awaitable<Response> {
    Response response;
    response.fields.set("Content-Type", "text/event-stream");
    response.body = ": hello\n\n";
    response.next_chunk = []() -> asio::awaitable<std::optional<std::string>> {
      asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      co_await never.async_wait(asio::use_awaitable);
      co_return "unreachable";
    };
    co_return response;
  };
  router.add("GET", "/live", {}, handler);
  HttpServer server(std::move(router));
  RawSocket client = RawSocket::connect(server.port());
  client.send(get("/live"));
  ASSERT_NE(client.until("hello"), std::string::npos);
  server.stop(1h);
  EXPECT_EQ(client.response().body, ": hello\n\n");
  EXPECT_TRUE(server.ends_within(20s));
}

TEST(Server, SaysWhichAddressIsInUseAndHowToChooseAnother) {
  HttpServer server(echo_router());
  asio::io_context context;
  const auto second = Server::listen(context.get_executor(), server.address(), Router());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAddressInUse);
  EXPECT_THAT(second.error().message, testing::AllOf(HasSubstr(server.address()), HasSubstr("choose another with --listen")));
}

/// A label longer than 63 bytes has no address, and no name server is asked for it.
const std::string kNoSuchHost = std::string(70, 'x') + ":0";

TEST(Server, SaysWhatIsWrongWithAListenAddress) {
  asio::io_context context;
  const std::vector<std::string> wrongs{"8730",  "127.0.0.1", "127.0.0.1:",  "127.0.0.1:http", "127.0.0.1:65536",
                                        ":8730", "::1:8730",  "192.0.2.1:0", kNoSuchHost};
  for (const std::string& wrong : wrongs) {
    const auto server = Server::listen(context.get_executor(), wrong, Router());
    ASSERT_FALSE(server) << wrong;
    EXPECT_EQ(server.error().code, Errc::kInvalid) << wrong;
    EXPECT_THAT(server.error().message, testing::AllOf(HasSubstr(wrong), HasSubstr("--listen")));
  }
}

TEST(Server, ListensOnIpv6AndSaysItsAddressInBrackets) {
  asio::io_context context;
  const auto server = Server::listen(context.get_executor(), "[::1]:0", Router());
  if (!server) GTEST_SKIP() << "no IPv6 loopback here: " << server.error().message;
  EXPECT_THAT((*server)->address(), testing::MatchesRegex("\\[::1\\]:[1-9][0-9]*"));
}

}  // namespace
}  // namespace runfold::http

// The proxy between a client and an upstream that are both played word by word: what passes, when, and how it is framed.
#include "tests/unit/agent/proxy_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace runfold::agent {
namespace {

using runfold::test::RawListener;
using runfold::test::RawSocket;
using test::kGet;
using test::ProxyRig;
using testing::HasSubstr;
using testing::Not;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ProxyStreamTest : public ::testing::Test {
 protected:
  std::string read(RawSocket& from, std::string_view marker) {
    const std::size_t end = from.until(marker);
    EXPECT_NE(end, std::string::npos) << "the connection ended before " << marker;
    return end == std::string::npos ? std::string() : from.take(end);
  }

  RawListener upstream_;
  ProxyRig proxy_{upstream_.url("")};
};

TEST_F(ProxyStreamTest, PassesAChunkedRequestOnWhileItComes) {
  RawSocket client = proxy_.connect();
  client.send("POST /a HTTP/1.1\r\nHost: proxy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  RawSocket upstream = upstream_.accept();
  EXPECT_THAT(read(upstream, "\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_EQ(read(upstream, "hello\r\n"), "5\r\nhello\r\n") << "the rest is not sent yet";
  client.send("6;ext=1\r\n world\r\n0\r\nTrailer-Field: x\r\n\r\n");
  EXPECT_EQ(read(upstream, "0\r\n\r\n"), "6\r\n world\r\n0\r\n\r\n");
  upstream.send(kOk);
  EXPECT_EQ(client.response().body, "ok");
}

TEST_F(ProxyStreamTest, PassesARequestOfKnownLengthOnWhileItComes) {
  RawSocket client = proxy_.connect();
  client.send("PUT /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 10\r\n\r\nhello");
  RawSocket upstream = upstream_.accept();
  EXPECT_THAT(read(upstream, "\r\n\r\nhello"), HasSubstr("Content-Length: 10\r\n"));
  client.send("world");
  EXPECT_EQ(read(upstream, "world"), "world");
  upstream.send(kOk);
  EXPECT_EQ(client.response().status, 200);
}

TEST_F(ProxyStreamTest, PassesAResponseOnWhileItComes) {
  RawSocket client = proxy_.connect();
  client.send(kGet);
  RawSocket upstream = upstream_.accept();
  static_cast<void>(read(upstream, "\r\n\r\n"));
  upstream.send("HTTP/1.1 200 OK\r\nX-Own: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_THAT(read(client, "\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n")) << "the head comes before any of the body";
  upstream.send("3\r\nabc\r\n");
  EXPECT_EQ(read(client, "abc\r\n"), "3\r\nabc\r\n");
  upstream.send("2\r\nde\r\n1\r\nf\r\n0\r\n\r\n");
  EXPECT_THAT(read(client, "0\r\n\r\n"), testing::AnyOf("3\r\ndef\r\n0\r\n\r\n", "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"));
  EXPECT_TRUE(proxy_.logs().empty());
}

TEST_F(ProxyStreamTest, ABodyThatEndsWithTheUpstreamsConnectionLeavesTheClientsOpen) {
  RawSocket client = proxy_.connect();
  for (int i = 0; i < 2; ++i) {
    client.send(kGet);
    RawSocket upstream = upstream_.accept();
    static_cast<void>(read(upstream, "\r\n\r\n"));
    upstream.send("HTTP/1.0 200 OK\r\n\r\nto the end");
    upstream.close();
    const auto response = client.response();
    EXPECT_TRUE(response.has("Transfer-Encoding: chunked"));
    EXPECT_EQ(response.body, "to the end");
  }
  EXPECT_TRUE(proxy_.logs().empty());
}

TEST_F(ProxyStreamTest, AnHttp10ClientGetsABodyWithoutChunks) {
  RawSocket client = proxy_.connect();
  client.send("GET /a HTTP/1.0\r\n\r\n");
  RawSocket upstream = upstream_.accept();
  EXPECT_THAT(read(upstream, "\r\n\r\n"), HasSubstr("GET /a HTTP/1.1\r\n"));
  upstream.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  const std::string all = client.rest();
  EXPECT_THAT(all, testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(all, testing::EndsWith("Connection: close\r\n\r\nabc"));
}

TEST_F(ProxyStreamTest, KeepsOneUpstreamConnectionForAClient) {
  RawSocket client = proxy_.connect();
  client.send("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 1\r\n\r\nx");
  RawSocket upstream = upstream_.accept();
  EXPECT_THAT(read(upstream, "\r\n\r\nx"), HasSubstr("POST /a"));
  upstream.send(kOk);
  EXPECT_EQ(client.response().status, 200);
  for (const auto& [answer, status] :
       {std::pair{"HTTP/1.1 204 No Content\r\n\r\n", 204}, std::pair{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304},
        std::pair{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200}}) {
    client.send(kGet);
    EXPECT_THAT(read(upstream, "\r\n\r\n"), HasSubstr("GET /a"));
    upstream.send(answer);
    const auto response = client.response();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.has("Content-Length: 9"), status == 304);
    EXPECT_FALSE(response.has("chunked")) << response.head;
  }
}

TEST_F(ProxyStreamTest, ServesPipelinedRequestsInOrder) {
  RawSocket client = proxy_.connect();
  client.send("GET /1 HTTP/1.1\r\nHost: proxy\r\n\r\nPOST /2 HTTP/1.1\r\nHost: proxy\r\nContent-Length: 3\r\n\r\ntwo" +
              std::string("GET /3 HTTP/1.1\r\nHost: proxy\r\n\r\n"));
  RawSocket upstream = upstream_.accept();
  for (const std::string number : {"1", "2", "3"}) {
    const std::string request = read(upstream, number == "2" ? "\r\n\r\ntwo" : "\r\n\r\n");
    EXPECT_THAT(request, HasSubstr(" /" + number + " "));
    EXPECT_THAT(request, Not(HasSubstr(number == "3" ? "/2" : "/3"))) << "one at a time";
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number);
  }
  for (const char* number : {"1", "2", "3"}) EXPECT_EQ(client.response().body, number);
}

TEST_F(ProxyStreamTest, LetsTheUpstreamSayWhetherToGoOn) {
  RawSocket client = proxy_.connect();
  client.send("PUT /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  RawSocket upstream = upstream_.accept();
  EXPECT_THAT(read(upstream, "\r\n\r\n"), HasSubstr("Expect: 100-continue\r\n"));
  upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.response().status, 100);
  client.send("body");
  EXPECT_EQ(read(upstream, "body"), "body");
  upstream.send(kOk);
  const auto response = client.response();
  EXPECT_EQ(response.body, "ok");
  EXPECT_FALSE(response.has("Connection: close"));
}

TEST_F(ProxyStreamTest, EndsTheConnectionOfAClientThatWasNotToldToGoOn) {
  RawSocket client = proxy_.connect();
  client.send("PUT /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  RawSocket upstream = upstream_.accept();
  static_cast<void>(read(upstream, "\r\n\r\n"));
  upstream.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
  const auto response = client.response();
  EXPECT_EQ(response.status, 417);
  EXPECT_TRUE(response.has("Connection: close"));
  EXPECT_TRUE(client.is_ended());
  EXPECT_TRUE(upstream.is_ended());
}

TEST_F(ProxyStreamTest, PassesAnAnswerBackBeforeTheRequestIsWhole) {
  RawSocket client = proxy_.connect();
  client.send("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 1000000\r\n\r\nbegun");
  RawSocket upstream = upstream_.accept();
  static_cast<void>(read(upstream, "begun"));
  upstream.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much");
  upstream.close();
  const auto response = client.response();
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(response.body, "too much");
  EXPECT_TRUE(client.is_ended()) << "nobody reads the rest";
  ASSERT_EQ(proxy_.logs(1).size(), 1U);
  EXPECT_EQ(proxy_.logs()[0].api_call().response_body(), "too much");
}

TEST_F(ProxyStreamTest, RequestAndResponseMayPassEachOther) {
  RawSocket client = proxy_.connect();
  client.send("POST /echo HTTP/1.1\r\nHost: proxy\r\nTransfer-Encoding: chunked\r\n\r\n");
  RawSocket upstream = upstream_.accept();
  static_cast<void>(read(upstream, "\r\n\r\n"));
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  static_cast<void>(read(client, "\r\n\r\n"));
  for (const std::string text : {"1\r\na\r\n", "1\r\nb\r\n", "1\r\nc\r\n"}) {
    client.send(text);
    EXPECT_EQ(read(upstream, text), text);
    upstream.send(text);
    EXPECT_EQ(read(client, text), text);
  }
  upstream.send("0\r\n\r\n");
  EXPECT_EQ(read(client, "0\r\n\r\n"), "0\r\n\r\n");
  client.send("1\r\nd\r\n0\r\n\r\n" + kGet);
  EXPECT_EQ(read(upstream, "0\r\n\r\n"), "1\r\nd\r\n0\r\n\r\n") << "an upstream that stays gets the rest";
  EXPECT_THAT(read(upstream, "\r\n\r\n"), HasSubstr("GET /a")) << "and the next request";
  upstream.send(kOk);
  EXPECT_EQ(client.response().body, "ok");
}

TEST_F(ProxyStreamTest, RemovesHopByHopFieldsOfAResponse) {
  RawSocket client = proxy_.connect();
  client.send(kGet);
  RawSocket upstream = upstream_.accept();
  static_cast<void>(read(upstream, "\r\n\r\n"));
  upstream.send("HTTP/1.1 200 Fine\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n");
  const auto response = client.response();
  EXPECT_EQ(response.head, "HTTP/1.1 200 Fine\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(ProxyStreamTest, AKeptConnectionThatTheUpstreamClosedIsReplaced) {
  RawSocket client = proxy_.connect();
  for (int i = 0; i < 3; ++i) {
    client.send("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 1\r\n\r\nx");
    RawSocket upstream = upstream_.accept();
    static_cast<void>(read(upstream, "\r\n\r\nx"));
    upstream.send(kOk);
    upstream.close();
    EXPECT_EQ(client.response().status, 200);
  }
  EXPECT_TRUE(proxy_.logs().empty());
}

TEST_F(ProxyStreamTest, RepeatsOnAFreshConnectionWhatMayBeRepeated) {
  RawSocket client = proxy_.connect();
  client.send(kGet);
  RawSocket first = upstream_.accept();
  static_cast<void>(read(first, "\r\n\r\n"));
  first.send(kOk);
  EXPECT_EQ(client.response().status, 200);
  client.send(kGet);
  static_cast<void>(read(first, "\r\n\r\n"));
  first.close();  // as if it had been closing when the request came
  RawSocket second = upstream_.accept();
  static_cast<void>(read(second, "\r\n\r\n"));
  second.send(kOk);
  EXPECT_EQ(client.response().status, 200);
  EXPECT_TRUE(proxy_.logs().empty());

  client.send("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 1\r\n\r\nx");
  static_cast<void>(read(second, "\r\n\r\nx"));
  second.close();
  EXPECT_EQ(client.response().status, 502) << "a POST may have been carried out";
  EXPECT_EQ(proxy_.logs().size(), 1U);
}

}  // namespace
}  // namespace runfold::agent

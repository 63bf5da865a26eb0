// What the proxy makes of upstreams that break off, lie, stall or hold too long a speech, and of clients that do.
#include "tests/support/unanswered_address.hpp"
#include "tests/unit/agent/proxy_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>

namespace runfold::agent {
namespace {

using runfold::test::RawListener;
using runfold::test::RawSocket;
using test::ProxyRig;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kSecretGet = "GET /a?token=s3cret HTTP/1.1\r\nHost: proxy\r\n\r\n";

/// A call that got as far as the upstream.
struct Call {
  explicit Call(const std::string& request = kSecretGet, ProxyOptions options = {})
      : proxy(listener.url(""), std::move(options)), client(proxy.connect()), upstream(reached_by(request)) {
    const std::size_t head = upstream.until("\r\n\r\n");
    EXPECT_NE(head, std::string::npos);
    static_cast<void>(upstream.take(head));
  }
  /// The one record of it.
  v1::LogRecord record() {
    const auto logs = proxy.logs(1);
    EXPECT_EQ(logs.size(), 1U);
    return logs.empty() ? v1::LogRecord() : logs.front();
  }

  RawListener listener;
  ProxyRig proxy;
  RawSocket client;
  RawSocket upstream;

 private:
  RawSocket reached_by(const std::string& request) {
    client.send(request);
    return listener.accept();
  }
};

TEST(ProxyFailure, ABodyThatBreaksOffCutsTheClientsConnection) {
  for (const char* begun : {"Content-Length: 100\r\n\r\n0123456789", "Transfer-Encoding: chunked\r\n\r\n64\r\n0123456789",
                            "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n"}) {
    for (const bool reset : {false, true}) {
      Call call;
      call.upstream.send(std::string("HTTP/1.1 200 OK\r\n") + begun);
      EXPECT_NE(call.client.until("0123456789"), std::string::npos);
      reset ? call.upstream.reset() : call.upstream.close();
      EXPECT_EQ(call.client.response().status, 0) << begun;
      const v1::LogRecord record = call.record();
      EXPECT_FALSE(record.api_call().has_response_code());
      EXPECT_THAT(record.message(), HasSubstr("GET /a answered 200 and broke off: "));
      EXPECT_NE(record.api_call().transport_error(), "");
      EXPECT_EQ(test::delivered(record).SerializeAsString().find("s3cret"), std::string::npos);
    }
  }
}

TEST(ProxyFailure, AnHttp10ClientIsResetWhenABodyBreaksOff) {
  Call call("GET /a HTTP/1.0\r\n\r\n");
  call.upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n");
  EXPECT_NE(call.client.until("0123456789"), std::string::npos);
  call.upstream.close();
  EXPECT_EQ(call.client.until("more"), std::string::npos);
  EXPECT_EQ(errno, ECONNRESET) << "a plain end would look like that of the body";
}

TEST(ProxyFailure, AFailingAnswerThatBreaksOffIsRecordedAsFarAsItCame) {
  Call call;
  call.upstream.send("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n0123456789");
  EXPECT_NE(call.client.until("0123456789"), std::string::npos);
  call.upstream.close();
  const v1::LogRecord record = call.record();
  EXPECT_EQ(record.api_call().response_code(), 500U);
  EXPECT_EQ(record.api_call().response_body(), "0123456789");
  EXPECT_TRUE(record.api_call().response_body_truncated());
}

TEST(ProxyFailure, AnswersForAnUpstreamThatClosesOrTalksNonsense) {
  for (const std::string said :
       {"", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Long: "}) {
    Call call("POST /a?token=s3cret HTTP/1.1\r\nHost: proxy\r\nContent-Length: 0\r\n\r\n");
    call.upstream.send(said);
    if (said.ends_with("X-Long: ")) call.upstream.send(std::string(70'000, 'x'));
    if (said.empty()) call.upstream.close();
    const auto response = call.client.response();
    EXPECT_EQ(response.status, 502) << said;
    EXPECT_TRUE(response.has("application/problem+json"));
    EXPECT_FALSE(call.record().api_call().has_response_code());
    EXPECT_THAT(call.record().message(), HasSubstr("POST /a got no response: "));
    EXPECT_EQ(test::delivered(call.record()).SerializeAsString().find("s3cret"), std::string::npos);
  }
}

TEST(ProxyFailure, ASecretThatGoesOnBehindThePathLeavesNothingInTheMessage) {
  auto redactor = std::make_shared<redact::Redactor>();
  ASSERT_TRUE(redactor->add("abcd?efgh"));
  ProxyOptions options;
  options.redactor = redactor;
  Call call("GET /x/abcd?efgh&page=2 HTTP/1.1\r\nHost: proxy\r\n\r\n", options);
  call.upstream.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(call.client.response().status, 404);
  const auto record = test::delivered(call.record(), *redactor);
  EXPECT_EQ(record.message(), "GET /x/[redacted]&page=2 answered 404");
  EXPECT_EQ(record.SerializeAsString().find("abcd"), std::string::npos);
}

TEST(ProxyFailure, TheClientsConnectionOutlivesAFailedCall) {
  Call call("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 0\r\n\r\n");
  call.upstream.close();
  EXPECT_EQ(call.client.response().status, 502);
  call.client.send(kSecretGet);
  RawSocket again = call.listener.accept();
  EXPECT_NE(again.until("\r\n\r\n"), std::string::npos);
  again.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(call.client.response().body, "ok");
}

TEST(ProxyFailure, AnUpstreamThatNeverAnswersIsATimeout) {
  ProxyOptions options;
  options.limits.response_time = 50ms;
  Call call(kSecretGet, options);
  EXPECT_EQ(call.client.response().status, 504);
  EXPECT_THAT(call.record().api_call().transport_error(), HasSubstr("gave no response within 50 ms"));
}

TEST(ProxyFailure, AnUpstreamThatDoesNotAgreeOnTlsIsATimeout) {
  const runfold::test::UnansweredAddress silent(runfold::test::UnansweredAddress::Kind::kSilent);
  ProxyOptions options;
  options.limits.connect_time = 50ms;
  ProxyRig proxy("https://" + silent.text(), options);
  RawSocket client = proxy.connect();
  client.send(kSecretGet);
  EXPECT_EQ(client.response().status, 504);
  ASSERT_EQ(proxy.logs(1).size(), 1U);
  EXPECT_THAT(proxy.logs()[0].api_call().transport_error(), HasSubstr("agreeing on TLS"));
}

TEST(ProxyFailure, ATransferThatStandsStillIsCut) {
  ProxyOptions options;
  options.limits.stall_time = 300ms;
  Call call(kSecretGet, options);
  call.upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
  EXPECT_EQ(call.client.response().status, 0);
  EXPECT_THAT(call.record().api_call().transport_error(), HasSubstr("Nothing moved for 300 ms"));
  EXPECT_TRUE(call.upstream.is_ended());
}

TEST(ProxyFailure, ASlowTransferLivesLongerThanAnyOfItsWaits) {
  ProxyOptions options;
  options.limits.stall_time = 1s;
  options.limits.response_time = 1s;
  Call call(kSecretGet, options);
  call.upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  const auto until = std::chrono::steady_clock::now() + 1500ms;
  const std::string byte = "1\r\nx\r\n";
  while (std::chrono::steady_clock::now() < until) {
    call.upstream.send(byte);
    const std::size_t end = call.client.until("x\r\n");
    ASSERT_NE(end, std::string::npos);
    static_cast<void>(call.client.take(end));
  }
  call.upstream.send("0\r\n\r\n");
  EXPECT_NE(call.client.until("0\r\n\r\n"), std::string::npos);
}

TEST(ProxyFailure, AClientThatStopsInItsBodyIsToldSo) {
  ProxyOptions options;
  options.limits.stall_time = 300ms;
  Call call("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 10\r\n\r\nbegun", options);
  EXPECT_EQ(call.client.response().status, 408);
  EXPECT_NE(call.upstream.until("begun"), std::string::npos);
  static_cast<void>(call.upstream.rest());
  EXPECT_THAT(call.record().api_call().transport_error(), HasSubstr("Nothing of the request's body came for 300 ms"));
}

TEST(ProxyFailure, TheUpstreamNoticesAClientThatLeavesInItsBody) {
  Call call("POST /a HTTP/1.1\r\nHost: proxy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n");
  EXPECT_NE(call.upstream.until("begun"), std::string::npos);
  call.client.close();
  EXPECT_EQ(call.upstream.rest().find("0\r\n\r\n"), std::string::npos) << "it must not take that for the whole";
  EXPECT_THAT(call.record().api_call().transport_error(), HasSubstr("closed the connection before there was a response"));
}

TEST(ProxyFailure, TheUpstreamNoticesAClientThatWaitsNoLonger) {
  Call call;
  call.client.close();
  EXPECT_TRUE(call.upstream.is_ended());
  EXPECT_THAT(call.record().api_call().transport_error(), HasSubstr("closed the connection before there was a response"));
}

TEST(ProxyFailure, AMalformedBodyIsRefused) {
  Call call("POST /a HTTP/1.1\r\nHost: proxy\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
  EXPECT_EQ(call.client.response().status, 400);
  EXPECT_EQ(call.upstream.rest().find("0\r\n\r\n"), std::string::npos);
}

TEST(ProxyFailure, RefusesHeadsThatAreTooLargeOrTooSlowOrNone) {
  RawListener upstream;
  ProxyOptions options;
  options.limits.header_bytes = 1000;
  options.limits.header_time = 50ms;
  ProxyRig proxy(upstream.url(""), options);
  const auto answer_to = [&](const std::string& sent) {
    RawSocket client = proxy.connect();
    client.send(sent);
    return client.response().status;
  };
  EXPECT_EQ(answer_to("GET /a HTTP/1.1\r\nHost: proxy\r\nX-Long: " + std::string(2000, 'x') + "\r\n\r\n"), 431);
  EXPECT_EQ(answer_to("GET /a HTTP/1.1\r\nHost:"), 408);
  EXPECT_EQ(answer_to("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(answer_to("GET /a HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(answer_to("GET /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(answer_to("GET /a HTTP/1.1\r\nHost: proxy\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_TRUE(proxy.logs().empty()) << "none of them was a call to the Container API";
}

TEST(ProxyFailure, AnIdleConnectionEnds) {
  ProxyOptions options;
  options.limits.idle_time = 50ms;
  RawListener upstream;
  ProxyRig proxy(upstream.url(""), options);
  EXPECT_TRUE(proxy.connect().is_ended());
}

TEST(ProxyFailure, AnIdleConnectionGivesItsPlaceToANewOne) {
  RawListener upstream;
  ProxyOptions options;
  options.connections = 2;
  ProxyRig proxy(upstream.url(""), options);
  RawSocket idle = proxy.connect();
  RawSocket busy = proxy.connect();
  EXPECT_TRUE(idle.is_ended());
  busy.send(kSecretGet);
  RawSocket accepted = upstream.accept();
  accepted.send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(busy.response().status, 204);
}

}  // namespace
}  // namespace runfold::agent

// The proxy: what goes through unchanged, and what is recorded of a call that fails.
#include "producer/agent/proxy.hpp"

#include "tests/support/http_server.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/unanswered_address.hpp"
#include "tests/unit/agent/recorded.hpp"
#include "transport/http/client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

/// A Container API that remembers what it was sent last and answers as its path says.
class ContainerApi {
 public:
  ContainerApi() : server_(router()) {}
  [[nodiscard]] std::string url(const std::string& path = "") const { return server_.url(path); }
  [[nodiscard]] std::string address() const { return server_.address(); }
  [[nodiscard]] http::Request last() {
    const std::scoped_lock lock(mutex_);
    return last_;
  }

 private:
  http::Router router() {
    http::Router router;
    router.add("*", "/{path...}", {"*"}, [this](const http::Request& request) -> boost::asio::awaitable<http::Response> {
      {
        const std::scoped_lock lock(mutex_);
        last_ = request;
      }
      http::Response response = http::Response::text("body of " + request.path);
      response.fields.add("X-Upstream", "yes");
      response.fields.add("Set-Cookie", "a=1");
      response.fields.add("Set-Cookie", "b=2");
      if (request.path == "/stream")
        response.next_chunk = []() -> boost::asio::awaitable<std::optional<std::string>> { co_return std::nullopt; };
      if (request.path.starts_with("/v2/files/")) response.status = 404;
      if (request.path == "/v2/long") {
        response.status = 500;
        response.body = std::string(100'000, 'e');
      }
      if (request.path == "/v2/binary") {
        response.status = 500;
        response.body = std::string("\x1f\x8b\0\xff", 4);
      }
      co_return response;
    });
    return router;
  }
  std::mutex mutex_;
  http::Request last_;
  runfold::test::HttpServer server_;
};

class ProxyTest : public ::testing::Test {
 protected:
  void start(const std::string& upstream, std::function<std::string()> step = {}) {
    ProxyOptions options;
    options.upstream = upstream;
    options.step = std::move(step);
    proxy_ = Proxy::listen(io_.get_executor(), recorded_.sink(), std::move(options)).value();
    running_ = std::make_unique<test::Running<Proxy>>(*proxy_, io_);
  }
  http::Response send(const std::string& method, const std::string& path, http::Fields fields = {}, const std::string& body = {}) {
    const std::string url = proxy_->url();
    const std::size_t at = url.find('@');
    http::ClientRequest request;
    request.method = method;
    request.url = (at == std::string::npos ? url : "http://" + url.substr(at + 1)) + path;
    request.fields = std::move(fields);
    request.body = body;
    return http::send_blocking(std::move(request), std::chrono::seconds(60)).value();
  }

  /// A request line that no client of ours would write.
  runfold::test::RawSocket::Response send_raw(const std::string& method, const std::string& target, bool to_head = false) {
    const std::string url = proxy_->url();
    auto socket = runfold::test::RawSocket::connect(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
    socket.send(method + " " + target + " HTTP/1.1\r\nHost: proxy\r\n\r\n");
    return socket.response(to_head);
  }

  ContainerApi api_;
  boost::asio::io_context io_{1};
  test::Recorded recorded_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<test::Running<Proxy>> running_;
};

TEST_F(ProxyTest, PassesRequestAndResponseOn) {
  start(api_.url("/v2"));
  http::Fields fields;
  fields.set("Authorization", "Bearer connector-token");
  fields.set("X-Own", "1");
  const auto response = send("PUT", "/items/a%2Fb?page=2&q=x%20y", fields, "the body");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, "body of /v2/items/a/b");
  EXPECT_EQ(response.fields.get("x-upstream"), "yes");
  EXPECT_EQ(std::count_if(response.fields.all().begin(), response.fields.all().end(),
                          [](const auto& field) { return field.first == "Set-Cookie"; }),
            2);
  const http::Request seen = api_.last();
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/v2/items/a%2Fb?page=2&q=x%20y");
  EXPECT_EQ(seen.body, "the body");
  EXPECT_EQ(seen.fields.get("authorization"), "Bearer connector-token");
  EXPECT_EQ(seen.fields.get("x-own"), "1");
  EXPECT_EQ(seen.fields.get("host"), api_.address());
  EXPECT_TRUE(recorded_.logs().empty()) << "a call that went well is not recorded";
}

TEST_F(ProxyTest, PassesEveryTargetOnAsItIs) {
  start(api_.url());
  const std::string host = proxy_->url().substr(std::string("http://").size());
  const std::vector<std::pair<std::string, std::string>> targets{{"/a|b[1]{2}\"^?q=[x]|{\"^}", "/a|b[1]{2}\"^?q=[x]|{\"^}"},
                                                                 {"/p/%FF", "/p/%FF"},
                                                                 {"/p?d=caf%E9&z=%00", "/p?d=caf%E9&z=%00"},
                                                                 {"http://" + host + "/v1/item/7?a=b", "/v1/item/7?a=b"},
                                                                 {"HTTP://other.example/v1/item/8", "/v1/item/8"},
                                                                 {"http://other.example?a=b", "/?a=b"},
                                                                 {"http://other.example", "/"}};
  for (const auto& [sent, seen] : targets) {
    const auto response = send_raw("DELETE", sent);
    EXPECT_EQ(response.status, 200) << sent;
    EXPECT_EQ(api_.last().method, "DELETE");
    EXPECT_EQ(api_.last().target, seen) << sent;
  }
}

TEST_F(ProxyTest, RefusesATargetThatIsNoPath) {
  start(api_.url());
  for (const char* target : {"*", "host:80", "ftp://host/a", "v1/item/7"}) {
    EXPECT_EQ(send_raw("DELETE", target).status, 400) << target;
    EXPECT_EQ(api_.last().method, "") << target << " reached the upstream";
  }
}

TEST_F(ProxyTest, KeepsTheLengthThatAHeadAnswers) {
  start(api_.url());
  const auto known = send_raw("HEAD", "/ok", true);
  EXPECT_EQ(known.status, 200);
  EXPECT_TRUE(known.has("Content-Length: 11\r\n")) << known.head;
  const auto unknown = send_raw("HEAD", "/stream", true);
  EXPECT_EQ(unknown.status, 200);
  EXPECT_FALSE(unknown.has("Content-Length")) << unknown.head;
}

TEST_F(ProxyTest, TellsTheLengthThatAHeadAskedFor) {
  start(api_.url());
  const auto response = send("HEAD", "/ok");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.fields.get("content-length"), std::to_string(std::string_view("body of /ok").size()));
  EXPECT_EQ(response.body, "");
}

TEST_F(ProxyTest, RemovesHopByHopHeaders) {
  start(api_.url());
  http::Fields fields;
  fields.set("Connection", "X-Hop, keep-alive");
  fields.set("X-Hop", "1");
  fields.set("TE", "trailers");
  fields.set("Proxy-Authorization", "Basic eHg=");
  EXPECT_EQ(send("GET", "/ok", fields).status, 200U);
  for (const char* name : {"x-hop", "te", "proxy-authorization"}) EXPECT_FALSE(api_.last().fields.get(name).has_value()) << name;
}

TEST_F(ProxyTest, RecordsACallThatFails) {
  start(api_.url("/v2"), [] { return std::string("upload"); });
  EXPECT_EQ(send("GET", "/files/42?page=1").status, 404U);
  const auto logs = recorded_.logs();
  ASSERT_EQ(logs.size(), 1U);
  const v1::LogRecord& record = logs.front();
  EXPECT_EQ(record.stream(), v1::LOG_STREAM_CONTAINER_API);
  EXPECT_EQ(record.severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(record.message(), "GET /v2/files/42 answered 404");
  EXPECT_EQ(record.step_id(), "upload");
  EXPECT_EQ(record.api_call().method(), "GET");
  EXPECT_EQ(record.api_call().request_uri(), api_.url("/v2/files/42?page=1"));
  EXPECT_EQ(record.api_call().response_code(), 404U);
  EXPECT_EQ(record.api_call().response_body(), "body of /v2/files/42");
  EXPECT_FALSE(record.api_call().response_body_truncated());
  EXPECT_TRUE(record.api_call().has_duration());
  EXPECT_EQ(record.api_call().transport_error(), "");
}

TEST_F(ProxyTest, RecordsNoCredentials) {
  start("http://user:hunter2@" + api_.address() + "/v2");
  EXPECT_TRUE(proxy_->url().starts_with("http://user:hunter2@127.0.0.1:")) << "the connector's own client sends them";
  http::Fields fields;
  fields.set("Authorization", "Bearer s3cret-header");
  fields.set("Cookie", "session=s3cret-cookie");
  EXPECT_EQ(send("GET", "/files/42?access_token=s3cret-query&page=1", fields).status, 404U);
  EXPECT_EQ(api_.last().query_value("access_token"), "s3cret-query");
  const auto logs = recorded_.logs();
  ASSERT_EQ(logs.size(), 1U);
  const std::string everything = test::delivered(logs.front()).SerializeAsString();
  for (const char* secret : {"s3cret", "hunter2", "user:"}) EXPECT_EQ(everything.find(secret), std::string::npos) << secret;
  EXPECT_NE(everything.find("page=1"), std::string::npos);
}

TEST_F(ProxyTest, LeavesTheRequestsUriToTheRunsOwnRules) {
  start(api_.url("/v2"));
  EXPECT_EQ(send("GET", "/files/42?csrf_token=kept&token=a/hunter2").status, 404U);
  const auto logs = recorded_.logs();
  ASSERT_EQ(logs.size(), 1U);
  redact::Redactor redactor({.kept_keys = {"csrf_token"}});
  ASSERT_TRUE(redactor.add("kept&token=a"));
  EXPECT_EQ(test::delivered(logs.front(), redactor).api_call().request_uri(), api_.url("/v2/files/42?csrf_token=[redacted]"))
      << "a registered secret is found whole, whatever else is found in it";
  const redact::Redactor keeping({.kept_keys = {"csrf_token"}});
  EXPECT_EQ(test::delivered(logs.front(), keeping).api_call().request_uri(), api_.url("/v2/files/42?csrf_token=kept&token=[redacted]"));
}

TEST_F(ProxyTest, BoundsTheRecordedBodyAndNotTheConnectors) {
  start(api_.url("/v2"));
  EXPECT_EQ(send("GET", "/long").body.size(), 100'000U);
  const auto logs = recorded_.logs();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs.front().api_call().response_body().size(), 16U * 1024);
  EXPECT_TRUE(logs.front().api_call().response_body_truncated());
}

TEST_F(ProxyTest, RecordsABinaryBodyAsText) {
  start(api_.url("/v2"));
  EXPECT_EQ(send("GET", "/binary").body, std::string("\x1f\x8b\0\xff", 4));
  const auto logs = recorded_.logs();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs.front().api_call().response_body(), std::string("\x1f\uFFFD\0\uFFFD", 8));
}

TEST_F(ProxyTest, AnswersForAnUpstreamThatDoesNot) {
  const runfold::test::UnansweredAddress nobody(runfold::test::UnansweredAddress::Kind::kRefuses);
  start("http://" + nobody.text());
  EXPECT_EQ(send("POST", "/files?token=s3cret", {}, "x").status, 502U);
  const auto logs = recorded_.logs();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_FALSE(logs.front().api_call().has_response_code());
  EXPECT_FALSE(logs.front().api_call().transport_error().empty());
  EXPECT_TRUE(logs.front().message().starts_with("POST /files got no response: ")) << logs.front().message();
  EXPECT_EQ(test::delivered(logs.front()).SerializeAsString().find("s3cret"), std::string::npos);
}

TEST_F(ProxyTest, RefusesAnUpstreamThatIsNoHttpUrl) {
  for (const char* upstream : {"", "api.example.com", "ftp://example.com", "http://", "https://example.com/?a=b"}) {
    ProxyOptions options;
    options.upstream = upstream;
    const auto proxy = Proxy::listen(io_.get_executor(), recorded_.sink(), std::move(options));
    ASSERT_FALSE(proxy.has_value()) << upstream;
    EXPECT_EQ(proxy.error().code, Errc::kInvalid) << upstream;
  }
}

}  // namespace
}  // namespace runfold::agent

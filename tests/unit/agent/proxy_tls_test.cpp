// The proxy in front of a Container API that speaks TLS: whom it trusts, and what it says of those whom it does not.
#include "tests/support/tls_server.hpp"
#include "tests/unit/agent/proxy_rig.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace runfold::agent {
namespace {

using runfold::test::make_certificate;
using runfold::test::PemFile;
using runfold::test::RawSocket;
using runfold::test::TlsServer;
using test::kGet;
using test::ProxyRig;
using testing::HasSubstr;

ProxyOptions trusting(const PemFile& file) {
  ProxyOptions options;
  options.ca_file = file.path();
  return options;
}

TEST(ProxyTls, SpeaksTlsToTheUpstreamOverOneConnection) {
  const auto certificate = make_certificate("DNS:localhost");
  const PemFile file(certificate.certificate_pem);
  const std::string body(3'000'000, 'b');
  TlsServer server(certificate, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  ProxyRig proxy("https://localhost:" + server.port(), trusting(file));
  RawSocket client = proxy.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(kGet);
    EXPECT_EQ(client.response().body, body);
  }
  EXPECT_THAT(server.server_names(), testing::ElementsAre("localhost")) << "one handshake, with the name";
  EXPECT_TRUE(proxy.logs().empty());
}

TEST(ProxyTls, CarriesARequestsBodyPastItsAnswer) {
  const auto certificate = make_certificate("DNS:localhost");
  const PemFile file(certificate.certificate_pem);
  TlsServer server(certificate);
  ProxyRig proxy("https://localhost:" + server.port(), trusting(file));
  RawSocket client = proxy.connect();
  const std::string body = std::string(3'000'000, 'b') + "\r\n\r\n";
  client.send("POST /a HTTP/1.1\r\nHost: proxy\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(client.response().body, "ok") << "this server answers heads";
  client.send(body);
  EXPECT_TRUE(runfold::test::wait_until([&] { return server.received().ends_with("\r\n\r\n" + body); }));
  client.send(kGet);
  EXPECT_EQ(client.response().body, "ok") << "on a new connection: on the old one there is an answer that nobody asked for";
  EXPECT_TRUE(proxy.logs().empty());
}

TEST(ProxyTls, CallsNobodyWhoseCertificateDoesNotHold) {
  const auto other = make_certificate("DNS:other.example");
  const PemFile file(other.certificate_pem);
  TlsServer wrong_name(other);
  TlsServer unknown_authority(make_certificate("DNS:localhost"));
  for (const auto& [server, why] : {std::pair{&wrong_name, "hostname mismatch"}, std::pair{&unknown_authority, "self-signed"}}) {
    ProxyRig proxy("https://localhost:" + server->port(), trusting(file));
    RawSocket client = proxy.connect();
    client.send(kGet);
    const auto response = client.response();
    EXPECT_EQ(response.status, 502);
    EXPECT_THAT(response.body, HasSubstr(why));
    ASSERT_EQ(proxy.logs(1).size(), 1U);
    EXPECT_THAT(proxy.logs()[0].api_call().transport_error(), HasSubstr(why));
  }
}

TEST(ProxyTls, AnEndThatTlsDidNotAnnounceIsNotTheEndOfABody) {
  const auto certificate = make_certificate("DNS:localhost");
  const PemFile file(certificate.certificate_pem);
  for (const bool polite : {true, false}) {
    TlsServer server(certificate, "HTTP/1.1 200 OK\r\n\r\nto the end", false, polite);
    ProxyRig proxy("https://localhost:" + server.port(), trusting(file));
    RawSocket client = proxy.connect();
    client.send(kGet);
    EXPECT_EQ(client.response().status, polite ? 200 : 0);
    EXPECT_EQ(proxy.logs(polite ? 0 : 1).size(), polite ? 0U : 1U);
  }
}

TEST(ProxyTls, SaysAtOnceThatAFileOfAuthoritiesIsNone) {
  boost::asio::io_context io;
  test::Recorded recorded;
  ProxyOptions options;
  options.upstream = "https://localhost";
  options.ca_file = "/nowhere/ca.pem";
  const auto proxy = Proxy::listen(io.get_executor(), recorded.sink(), std::move(options));
  ASSERT_FALSE(proxy.has_value());
  EXPECT_EQ(proxy.error().code, Errc::kInvalid);
  EXPECT_THAT(proxy.error().message, HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace runfold::agent

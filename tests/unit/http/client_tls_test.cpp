// Whom the client trusts, and what it says of those whom it does not.
#include "transport/http/client.hpp"

#include "tests/support/http_server.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/tls_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace runfold::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using test::PemFile;
using test::TlsServer;
using testing::AllOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

Result<Response> fetch(const std::string& url, const std::string& ca_file) {
  ClientOptions options;
  options.ca_file = ca_file;
  return send_blocking({"GET", url}, 20s, options);
}

TEST(ClientTls, TrustsAnAuthorityOfTheFileForTheNamesOfItsCertificate) {
  const auto certificate = test::make_certificate("DNS:localhost,IP:127.0.0.1");
  const PemFile file(certificate.certificate_pem);
  TlsServer server(certificate);
  const auto by_name = fetch("https://localhost:" + server.port() + "/", file.path());
  ASSERT_TRUE(by_name) << by_name.error().message;
  EXPECT_EQ(by_name->body, "ok");
  const auto by_address = fetch("https://127.0.0.1:" + server.port() + "/", file.path());
  ASSERT_TRUE(by_address) << by_address.error().message;
  EXPECT_THAT(server.server_names(), testing::ElementsAre("localhost", "none"));
}

TEST(ClientTls, RefusesAnAuthorityThatItDoesNotKnow) {
  TlsServer server(test::make_certificate("DNS:localhost"));
  const auto response = fetch("https://user:secret@localhost:" + server.port() + "/", "");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTls);
  EXPECT_FALSE(response.error().retryable());
  EXPECT_THAT(response.error().message,
              AllOf(HasSubstr("localhost:" + server.port()), HasSubstr("self-signed"), testing::Not(HasSubstr("secret"))));
}

TEST(ClientTls, RefusesACertificateForAnotherName) {
  const auto certificate = test::make_certificate("DNS:other.example,IP:127.0.0.2");
  const PemFile file(certificate.certificate_pem);
  TlsServer server(certificate);
  const auto by_name = fetch("https://localhost:" + server.port() + "/", file.path());
  ASSERT_FALSE(by_name);
  EXPECT_EQ(by_name.error().code, Errc::kTls);
  EXPECT_THAT(by_name.error().message, HasSubstr("hostname mismatch"));
  const auto by_address = fetch("https://127.0.0.1:" + server.port() + "/", file.path());
  ASSERT_FALSE(by_address);
  EXPECT_THAT(by_address.error().message, HasSubstr("IP address mismatch"));
}

TEST(ClientTls, RefusesACertificateOutOfItsTime) {
  for (const long from_s : {-7200L, 3600L}) {
    const auto certificate = test::make_certificate("DNS:localhost", from_s);
    const PemFile file(certificate.certificate_pem);
    TlsServer server(certificate);
    const auto response = fetch("https://localhost:" + server.port() + "/", file.path());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::kTls);
    EXPECT_THAT(response.error().message, HasSubstr(from_s < 0 ? "expired" : "not yet valid"));
  }
}

TEST(ClientTls, SaysThatAServerSpeaksNoTls) {
  test::HttpServer server{Router()};
  const auto response = fetch("https://" + server.address() + "/", "");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTls);
}

TEST(ClientTls, TheDeadlineHoldsInTheHandshake) {
  test::RawListener listener;
  const auto response = send_blocking({"GET", "https://127.0.0.1:" + std::to_string(listener.port()) + "/"}, 500ms);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::kTimedOut);
  EXPECT_THAT(response.error().message, HasSubstr("agreeing on TLS"));
}

TEST(ClientTls, SaysWhichFileOfAuthoritiesCannotBeUsed) {
  const PemFile nonsense("no certificate");
  for (const std::string& file : {nonsense.path(), std::string("/nonexistent/ca.pem")}) {
    const auto response = fetch("https://127.0.0.1:1/", file);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::kInvalid);
    EXPECT_THAT(response.error().message, HasSubstr(file));
  }
}

TEST(ClientTls, ReusesAConnection) {
  const auto certificate = test::make_certificate("DNS:localhost");
  const PemFile file(certificate.certificate_pem);
  TlsServer server(certificate);
  asio::io_context context;
  ClientOptions options;
  options.ca_file = file.path();
  const auto client = Client::create(context.get_executor(), options);
  int good = 0;
  auto work = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      ClientRequest request{"GET", "https://localhost:" + server.port() + "/"};
      const auto response = co_await client->send(request, 20s);
      good += response ? 1 : 0;
    }
  };
  asio::co_spawn(context, work, asio::detached);
  context.run();
  EXPECT_EQ(good, 3);
  EXPECT_EQ(server.server_names().size(), 1U);
}

TEST(ClientTls, TakesTheEndOfABodyOnlyFromAPoliteEnd) {
  const auto certificate = test::make_certificate("DNS:localhost");
  const PemFile file(certificate.certificate_pem);
  for (const bool polite : {true, false}) {
    TlsServer server(certificate, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it?", false, polite);
    const auto response = fetch("https://localhost:" + server.port() + "/", file.path());
    ASSERT_EQ(response.has_value(), polite);
    if (!polite) {
      EXPECT_EQ(response.error().code, Errc::kBroken);
    }
  }
}

}  // namespace
}  // namespace runfold::http

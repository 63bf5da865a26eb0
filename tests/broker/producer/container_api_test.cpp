// Calls to a Container API over TLS through the proxy of runfold exec, as they stand on a real Apache Kafka.
#include "tests/broker/producer/exec_run.hpp"
#include "tests/broker/producer/topic_scan.hpp"
#include "tests/support/certificate.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/tls_server.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <openssl/evp.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::ExecRun;
using test::make_certificate;
using test::PemFile;
using test::TlsServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string base64(const std::string& text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string answer(const std::string& status, const std::string& body, const std::string& fields = "") {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ContainerApi : public ::testing::Test {
 protected:
  ContainerApi() { test::remember_secret("a call's Basic credentials", base64("me:" + password)); }

  /// A command that begins a step and then calls, with credentials in every place where they can stand. It says what it got.
  ExecRun call(const std::string& authority, const std::vector<std::string>& flags, const std::map<std::string, std::string>& environment) {
    std::vector<std::string> all{"--container-api", "https://me:" + password + "@" + authority + "/v2", "--no-record-stdout"};
    all.insert(all.end(), flags.begin(), flags.end());
    const std::string script = "'" RUNFOLD_BINARY_DIR
                               "/runfold' emit step-started --step upload\n"
                               R"(curl -sS -m 60 -w '\n%{http_code} %{content_type}' -X PUT -H "X-Api-Key: $1" -H "Cookie: session=$2" \
                                       -d "the body has $3" "$CONTAINER_API_URL/files/a.csv?sig=$4&page=2")";
    const auto began = std::chrono::steady_clock::now();
    ExecRun run(all, {"/bin/sh", "-c", script, "sh", api_key, session, body, signature}, environment);
    took_at_most = std::chrono::steady_clock::now() - began;
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.told.end().result(), v1::RUN_RESULT_SUCCESS) << "a call that fails fails no run";
    return run;
  }
  /// The record of the one call that failed; of whatever kind, this much is the same.
  v1::ApiCall recorded(const ExecRun& run, const std::string& authority) const {
    EXPECT_EQ(run.told.logs.size(), 1U);
    if (run.told.logs.size() != 1) return {};
    const v1::LogRecord& record = run.told.logs[0];
    EXPECT_EQ(record.stream(), v1::LOG_STREAM_CONTAINER_API);
    EXPECT_EQ(record.severity(), v1::SEVERITY_ERROR);
    EXPECT_EQ(record.step_id(), "upload");
    EXPECT_THAT(record.message(), ::testing::StartsWith("PUT /v2/files/a.csv "));
    const v1::ApiCall& told = record.api_call();
    EXPECT_EQ(told.method(), "PUT");
    EXPECT_EQ(told.request_uri(), "https://" + authority + "/v2/files/a.csv?sig=[redacted]&page=2");
    const std::chrono::nanoseconds took =
        std::chrono::seconds(told.duration().seconds()) + std::chrono::nanoseconds(told.duration().nanos());
    EXPECT_GT(took.count(), 0);
    EXPECT_LT(took, took_at_most);
    return told;
  }
  [[nodiscard]] std::vector<std::string> in_the_head() const { return {base64("me:" + password), api_key, session, signature}; }

  const std::string password = test::new_secret("the password in a Container API's URL");
  const std::string api_key = test::new_secret("a call's API key");
  const std::string session = test::new_secret("a call's cookie");
  const std::string body = test::new_secret("a call's body");
  const std::string signature = test::new_secret("a call's signature");
  std::chrono::nanoseconds took_at_most{0};
};

TEST_F(ContainerApi, WhatItRefusesIsRecordedWithCodeBodyAndDurationAndWithoutCredentials) {
  const auto certificate = make_certificate("DNS:localhost");
  const PemFile authorities(certificate.certificate_pem);
  const std::string large(20'000, 'x');
  struct Refusal {
    std::string answer;
    unsigned code;
    std::string got;
    std::string recorded;
    bool truncated = false;
  };
  const std::string packed("\x1f\x8b\x08 no text", 11);
  const std::vector<Refusal> refusals{
      {answer("404 Not Found", R"({"detail":"no a.csv"})"), 404, R"({"detail":"no a.csv"})", R"({"detail":"no a.csv"})"},
      {answer("503 Service Unavailable", large), 503, large, large.substr(0, 16 * 1024), true},
      {answer("500 Internal Server Error", ""), 500, "", ""},
      {answer("422 Unprocessable Content", packed, "Content-Encoding: gzip\r\n"), 422, packed, "(11 bytes, content-encoding gzip)"}};
  for (const Refusal& refusal : refusals) {
    const TlsServer server(certificate, refusal.answer);
    const std::string authority = "localhost:" + server.port();
    const ExecRun run = call(authority, {"--container-api-ca", authorities.path()}, {});
    EXPECT_EQ(run.out, refusal.got + "\n" + std::to_string(refusal.code) + " ") << "the command gets what the API answered";
    for (const auto& secret : in_the_head()) EXPECT_THAT(server.received(), HasSubstr(secret)) << "and the API what the command sent";
    const v1::ApiCall told = recorded(run, authority);
    EXPECT_EQ(told.response_code(), refusal.code);
    EXPECT_EQ(told.response_body(), refusal.recorded);
    EXPECT_EQ(told.response_body_truncated(), refusal.truncated) << refusal.code;
    EXPECT_EQ(told.transport_error(), "");
  }
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

TEST_F(ContainerApi, OneThatCannotBeTrustedHearsNothingAndTheFailureIsRecorded) {
  const auto trusted = make_certificate("DNS:localhost");
  const PemFile authorities(trusted.certificate_pem);
  const auto other_name = make_certificate("DNS:other.example", -60, &trusted);
  const auto expired = make_certificate("DNS:localhost", -7'200, &trusted);
  struct Impostor {
    test::Certificate certificate;
    std::string why;
  };
  const std::vector<Impostor> impostors{
      {make_certificate("DNS:localhost"), "self-signed"}, {other_name, "hostname mismatch"}, {expired, "expired"}};
  for (const Impostor& impostor : impostors) {
    const TlsServer server(impostor.certificate);
    const std::string authority = "localhost:" + server.port();
    const ExecRun run = call(authority, {"--container-api-ca", authorities.path()}, {});
    EXPECT_THAT(run.out, ::testing::EndsWith("\n502 application/problem+json"));
    EXPECT_THAT(run.out, HasSubstr(impostor.why));
    EXPECT_EQ(server.received(), "") << impostor.why;
    const v1::ApiCall told = recorded(run, authority);
    EXPECT_FALSE(told.has_response_code());
    EXPECT_EQ(told.response_body(), "");
    EXPECT_THAT(told.transport_error(), HasSubstr(impostor.why));
  }
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

TEST_F(ContainerApi, OneThatIsNotThereIsRecordedAsSuch) {
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  const ExecRun run = call(nobody.text(), {}, {});
  EXPECT_THAT(run.out, ::testing::EndsWith("\n502 application/problem+json"));
  const v1::ApiCall told = recorded(run, nobody.text());
  EXPECT_FALSE(told.has_response_code());
  EXPECT_THAT(told.transport_error(), HasSubstr("refused"));
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

TEST_F(ContainerApi, OneThatTheSystemsAuthoritiesVouchForIsTrustedAndACallThatSucceedsIsNotRecorded) {
  const auto certificate = make_certificate("DNS:localhost");
  const PemFile authorities(certificate.certificate_pem);
  const TlsServer server(certificate);
  const ExecRun run = call("localhost:" + server.port(), {}, {{"SSL_CERT_FILE", authorities.path()}});
  EXPECT_EQ(run.out, "ok\n200 ");
  EXPECT_THAT(run.told.logs, IsEmpty());
  test::expect_no_secret_in_any_topic(test::kafka_at(test::broker_address()));
}

}  // namespace
}  // namespace runfold

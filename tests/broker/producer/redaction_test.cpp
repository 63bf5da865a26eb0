// A command that prints, logs and calls with secrets, on a real Apache Kafka, and with it down: no topic has them, nor the spool.
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/broker/producer/topic_scan.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/program.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold {
namespace {

using test::kPatience;

constexpr const char* kConnector = R"(
import json, os, sys, urllib.error, urllib.parse, urllib.request
secret = os.environ["JOB_SECRET"]
whole = (secret + "\n").encode()
for stream in (1, 2):
    os.write(stream, whole)
    for i in range(len(whole)):  # a read a byte, unless they come together
        os.write(stream, whole[i:i + 1])
os.write(1, b"x" * 65530 + whole)
os.write(2, ("2026-05-16 14:32:11 UTC [ERROR] login as " + secret + " failed\n").encode())
os.write(2, (json.dumps({"level": "warn", "msg": "as " + secret, "with": secret}) + "\n").encode())
os.write(2, ("2026-05-16 14:32:11 UTC [DEBUG] held back: " + secret + "\n").encode())
os.write(2, ("level=info key=" + secret + " " + secret + "=key\n").encode())
looks = os.environ["NOT_REGISTERED"]
for line in ("password=" + looks, "GET /v1 Authorization: Bearer " + looks, "from https://me:" + looks + "@host/path",
             json.dumps({"level": "error", "msg": "refused", "apiKey": looks}), "-----BEGIN PRIVATE KEY-----", looks, "-----END PRIVATE KEY-----"):
    os.write(2, (line + "\n").encode())
os.write(2, ("the intake's is " + os.environ["RUNFOLD_INTAKE_TOKEN"] + "\n").encode())
os.write(2, ("Traceback (most recent call last):\n  File \"a\", line 1\nValueError: " + secret + "\n").encode())
def post(path, body):
    request = urllib.request.Request(os.environ["RUNFOLD_INTAKE_URL"] + path, json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + os.environ["RUNFOLD_INTAKE_TOKEN"])
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request).read()
post("/v1/job/log", {"level": "error", "message": secret, "step": secret, "detail": {secret: [secret], "url": "https://h/" + urllib.parse.quote(secret)}})
post("/v1/events", [{"step_started": {"step_id": secret}}, {"step_failed": {"step_id": secret, "error": secret}}])
post("/v1/events", {"completed": {"error": "gave up: " + secret, "result": "RUN_RESULT_FAILURE"}})
target = "/files/" + urllib.parse.quote(secret, safe="") + "?" + urllib.parse.urlencode({"as": secret})
call = urllib.request.Request(os.environ["CONTAINER_API_URL"] + target)
call.add_header("Authorization", "Basic " + looks)
try:
    urllib.request.urlopen(call)
except urllib.error.HTTPError as refusal:
    refusal.read()
os.write(1, whole[:-1])  # and no newline at the end
)";

/// Secrets of this run alone, and a Container API that tells one.
struct Secrets {
  Secrets() {
    http::Router router;
    router.add("*", "/{path...}", {"*"}, [told = text](const http::Request& request) -> boost::asio::awaitable<http::Response> {
      http::Response response = http::Response::json("{\"detail\":\"no file for " + told + " at " + request.target + "\"}", 404);
      co_return response;
    });
    api.emplace(std::move(router));
  }
  /// Runs the connector with it to its end.
  void tell(const std::string& run_id, const std::string& servers, const std::vector<std::string>& flags) {
    std::vector<std::string> command{
        RUNFOLD_BINARY_DIR "/runfold", "exec",  "--connector",     "redaction",  "--run-id",        run_id, "--redact-env", "JOB_SECRET",
        "--bootstrap-servers",         servers, "--container-api", api->url(""), "--flush-timeout", "60s"};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"--", "python3", "-c", kConnector});
    test::Program exec(command, {{"JOB_SECRET", text}, {"NOT_REGISTERED", looks}, {"CONTAINER_API_URL", ""}});
    ASSERT_EQ(exec.wait(kPatience).value().exit_code, 0) << exec.err();
    EXPECT_TRUE(exec.out().starts_with(text + "\n" + text + "\n")) << "what the command prints passes through as it is";
    EXPECT_TRUE(exec.out().ends_with("x" + text + "\n" + text));
    EXPECT_NE(exec.err().find("login as " + text + " failed\n"), std::string::npos);
    const std::string words = "the intake's is ";
    test::remember_secret("an intake's token", test::line_with(exec.err(), words).substr(words.size()));
  }
  /// That nothing was found is worth something only if it was all recorded.
  static void expect_all_recorded(const std::string& recorded) {
    for (const char* part :
         {"login as [redacted] failed", "as [redacted]", "ValueError: [redacted]", "gave up: [redacted]", "/files/[redacted]?as=[redacted]",
          "no file for [redacted] at /files/[redacted]", "\"url\":\"https://h/[redacted]\"", "answered 404", "password=[redacted]",
          "the intake's is [redacted]", "from https://[redacted]@host", "\"apiKey\":\"[redacted]\""}) {
      EXPECT_NE(recorded.find(part), std::string::npos) << part;
    }
  }

  /// The whole of it has characters that look different in every encoding; where it is, its core is as it is.
  std::string text = "Zx \"" + test::new_secret("a registered secret") + "\\/é+%41";
  std::string looks = test::new_secret("a secret by its name or looks");
  std::optional<test::HttpServer> api;
};

TEST(Redaction, ARegisteredSecretIsInNoByteOfAnyTopic) {
  const std::string servers = test::broker_address();
  const kafka::Properties properties = test::kafka_at(servers);
  test::create_topics(servers);
  Secrets secrets;
  secrets.tell("redaction-run", servers, {});

  std::size_t records = 0;
  std::string recorded;
  const auto scan = test::scan_topics(properties, test::all_topics(properties), test::SecretFinder(test::remembered_secrets()),
                                      [&](const kafka::Message& message) {
                                        if (message.record().key != "redaction-run") return;
                                        ++records;
                                        recorded += message.record().value.value_or("");
                                      });
  EXPECT_THAT(scan.found, ::testing::IsEmpty());
  EXPECT_GE(records, 5U) << "Started, two of the step, Completed, and the logs";
  Secrets::expect_all_recorded(recorded);
}

TEST(Redaction, ARegisteredSecretIsInNoByteOfTheSpool) {
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  const test::TemporaryFolder spool;
  Secrets secrets;
  secrets.tell("spooled-run", nobody.text(), {"--spool", spool.path().string()});
  std::string kept;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(spool.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    kept.append(std::istreambuf_iterator<char>(in), {});
  }
  EXPECT_THAT(test::SecretFinder(test::remembered_secrets()).names_in_files(spool.path()), ::testing::IsEmpty());
  Secrets::expect_all_recorded(kept);
}

}  // namespace
}  // namespace runfold

// A command that prints, logs and calls with a registered secret, on a real Apache Kafka, and with it down: no topic has it, nor the spool.
#include "tests/support/broker.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/program.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unanswered_address.hpp"
#include "transport/kafka/ranges.hpp"

#include <gtest/gtest.h>

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold {
namespace {

constexpr std::chrono::seconds kPatience{60};

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
try:
    urllib.request.urlopen(os.environ["CONTAINER_API_URL"] + target)
except urllib.error.HTTPError as refusal:
    refusal.read()
os.write(1, whole[:-1])  # and no newline at the end
)";

/// Every topic that the broker knows, but for Kafka's own.
std::vector<std::string> all_topics(const std::string& servers) {
  std::array<char, 256> why{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  EXPECT_EQ(rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), why.data(), why.size()), RD_KAFKA_CONF_OK) << why.data();
  const std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)> client(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()),
                                                                        rd_kafka_destroy);
  const rd_kafka_metadata_t* metadata = nullptr;
  EXPECT_EQ(rd_kafka_metadata(client.get(), 1, nullptr, &metadata, 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  std::vector<std::string> topics;
  for (int i = 0; metadata != nullptr && i < metadata->topic_cnt; ++i) topics.emplace_back(metadata->topics[i].topic);
  if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
  std::erase_if(topics, [](const std::string& topic) { return topic.starts_with("__"); });
  return topics;
}

/// A secret of this run alone, and a Container API that tells it.
struct Secret {
  Secret() {
    std::erase(core, '-');
    text = "Zx \"" + core + "\\/é+%41";
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
    test::Program exec(command, {{"JOB_SECRET", text}, {"CONTAINER_API_URL", ""}});
    ASSERT_EQ(exec.wait(kPatience).value().exit_code, 0) << exec.err();
    EXPECT_TRUE(exec.out().starts_with(text + "\n" + text + "\n")) << "what the command prints passes through as it is";
    EXPECT_TRUE(exec.out().ends_with("x" + text + "\n" + text));
    EXPECT_NE(exec.err().find("login as " + text + " failed\n"), std::string::npos);
  }
  /// That nothing was found is worth something only if it was all recorded.
  static void expect_all_recorded(const std::string& recorded) {
    for (const char* part :
         {"login as [redacted] failed", "as [redacted]", "ValueError: [redacted]", "gave up: [redacted]", "/files/[redacted]?as=[redacted]",
          "no file for [redacted] at /files/[redacted]", "\"url\":\"https://h/[redacted]\"", "answered 404"}) {
      EXPECT_NE(recorded.find(part), std::string::npos) << part;
    }
  }

  /// Letters and digits look the same in every encoding: where the secret is, this is.
  std::string core = test::unique_name("q");
  std::string text;
  std::optional<test::HttpServer> api;
};

TEST(Redaction, ARegisteredSecretIsInNoByteOfAnyTopic) {
  const std::string servers = test::broker_address();
  kafka::Properties properties;
  properties.set("bootstrap.servers", servers).value();
  test::Program create({RUNFOLD_BINARY_DIR "/runfold", "topics", "create", "--bootstrap-servers", servers, "--replication", "1"});
  ASSERT_EQ(create.wait().value().exit_code, 0) << create.err();
  Secret secret;
  secret.tell("redaction-run", servers, {});

  std::size_t records = 0;
  std::string recorded;
  const auto ranges = kafka::find_ranges(properties, all_topics(servers), {}, kPatience).value();
  const auto read = kafka::read_ranges(
      properties, ranges,
      [&](const kafka::Message& message) {
        const auto& record = message.record();
        std::string bytes =
            std::string(record.topic) + '\n' + std::string(record.key.value_or("")) + '\n' + std::string(record.value.value_or(""));
        for (const auto& header : message.headers()) bytes.append("\n").append(header.name).append("=").append(header.value.value_or(""));
        EXPECT_EQ(bytes.find(secret.core), std::string::npos) << record.topic << " at " << record.offset;
        if (record.key == "redaction-run") ++records;
        recorded += bytes;
        return true;
      },
      kPatience);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_GE(records, 5U) << "Started, two of the step, Completed, and the logs";
  Secret::expect_all_recorded(recorded);
}

TEST(Redaction, ARegisteredSecretIsInNoByteOfTheSpool) {
  const test::UnansweredAddress nobody(test::UnansweredAddress::Kind::kRefuses);
  const test::TemporaryFolder spool;
  Secret secret;
  secret.tell("spooled-run", nobody.text(), {"--spool", spool.path().string()});
  std::string kept;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(spool.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    kept.append(std::istreambuf_iterator<char>(in), {});
  }
  EXPECT_EQ(kept.find(secret.core), std::string::npos);
  Secret::expect_all_recorded(kept);
}

}  // namespace
}  // namespace runfold

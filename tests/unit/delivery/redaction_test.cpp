// What delivery hands to Kafka, or to the disk, holds no secret, whatever came in and wherever it stood.
#include "producer/delivery/delivery.hpp"

#include "tests/support/delivery_rig.hpp"
#include "tests/support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>

namespace runfold::delivery::test {
namespace {

using runfold::test::FakeKafka;

/// Texts with a secret at a random place, of lengths up to far beyond what a record may hold.
class Texts {
 public:
  explicit Texts(std::uint64_t seed) : random_(seed) {
    const std::size_t size = 4 + up_to(60);
    while (secret.size() < size) secret.push_back(static_cast<char>(' ' + up_to('~' - ' ')));
    secret.front() = 'k';
    secret.back() = '9';
  }
  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random_); }
  std::string padding() { return std::string(up_to(3) == 0 ? up_to(6000) : up_to(40), up_to(9) == 0 ? '\xff' : '.'); }
  std::string text() { return up_to(4) == 0 ? padding() : padding() + secret + padding(); }
  /// As a JSON writer would have it.
  std::string json() {
    std::string escaped;
    for (const char c : secret) {
      if (c == '"' || c == '\\' || (c == '/' && up_to(1) == 0)) escaped.push_back('\\');
      escaped.push_back(c);
    }
    return R"({"a":")" + std::string(up_to(3) == 0 ? up_to(6000) : up_to(40), '.') + escaped + R"("})";
  }
  std::string secret;

 private:
  std::mt19937_64 random_;
};

v1::LogRecord a_record(Texts& texts) {
  v1::LogRecord record;
  record.set_message(texts.text());
  record.set_step_id(texts.text());
  record.set_detail_json(texts.json());
  record.set_raw(texts.text());
  auto& call = *record.mutable_api_call();
  call.set_method(texts.text());
  call.set_request_uri("https://user:" + texts.text() + "@host/" + texts.text());
  call.set_response_body(texts.text());
  call.set_transport_error(texts.text());
  return record;
}

v1::SyncEvent an_event(Texts& texts) {
  v1::SyncEvent event;
  switch (texts.up_to(4)) {
    case 0:
      event.mutable_started()->set_host(texts.text());
      event.mutable_started()->set_account(texts.text());
      break;
    case 1:
      event.mutable_step_started()->set_step_id(texts.text());
      break;
    case 2:
      event.mutable_step_completed()->set_step_id(texts.text());
      break;
    case 3:
      event.mutable_step_failed()->set_step_id(texts.text());
      event.mutable_step_failed()->set_error(texts.text());
      break;
    default:
      event.mutable_progress()->set_step_id(texts.text());
      event.mutable_progress()->set_message(texts.text());
      break;
  }
  if (texts.up_to(3) == 0) event.mutable_trace()->set_tracestate("v=" + texts.secret);
  return event;
}

/// Says one of everything, some times over, and ends the run. Gives how many records that are.
std::size_t tell(Delivery& delivery, RunAccount& run, Texts& texts) {
  const std::size_t times = 1 + texts.up_to(8);
  for (std::size_t i = 0; i < times; ++i) {
    const std::string message = texts.text();
    const std::string step_id = texts.text();
    const std::string detail = texts.json();
    // What is too large even when cut is dropped, and that is well.
    static_cast<void>(delivery.log(run, {.logged_at_ns = 1, .message = message, .step_id = step_id, .detail_json = detail}));
    static_cast<void>(delivery.log(run, a_record(texts), 1));
    static_cast<void>(delivery.event(run, an_event(texts), {.occurred_at_ns = 1}));
  }
  auto end = completed();
  end.mutable_completed()->set_error(texts.text());
  EXPECT_TRUE(delivery.finish(run, std::move(end)));
  return 3 * times + 1;
}

TEST(Redaction, ARegisteredSecretIsInNoByteHandedToKafka) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Texts texts(seed);
    auto redactor = std::make_shared<redact::Redactor>();
    ASSERT_TRUE(redactor->add(texts.secret)) << texts.secret;
    FakeKafka cluster;
    auto delivery = Delivery::start({.record_bytes = 4096, .redactor = redactor}, cluster.factory(), {}).value();
    RunAccount& run = delivery->open_run({.run_id = "run", .connector_id = "c", .source_id = "s"});
    const std::size_t records = tell(*delivery, run, texts);
    const auto report = delivery->close(std::chrono::seconds(30));
    EXPECT_EQ(report.acknowledged + report.dropped_records(), records);
    delivery->release_run(run);
    bool redacted = false;
    for (const auto& record : cluster.taken()) {
      std::string bytes = record.key + '\0' + record.value;
      for (const auto& [name, value] : record.headers) bytes += '\0' + name + '\0' + value;
      EXPECT_EQ(bytes.find(texts.secret), std::string::npos) << "seed " << seed << ", secret " << texts.secret;
      redacted = redacted || bytes.find(redact::kRedacted) != std::string::npos;
    }
    EXPECT_TRUE(redacted) << "seed " << seed;
  }
}

TEST(Redaction, ARegisteredSecretIsInNoByteOfTheSpool) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Texts texts(seed);
    auto redactor = std::make_shared<redact::Redactor>();
    ASSERT_TRUE(redactor->add(texts.secret)) << texts.secret;
    FakeKafka cluster;
    cluster.acknowledge_by_itself(false);
    const runfold::test::TemporaryFolder folder;
    const SpoolSettings spool{.folder = folder.path(), .name = "p", .on_trouble = [](const std::string& said) { FAIL() << said; }};
    auto delivery = Delivery::start({.record_bytes = 4096, .spool = spool, .redactor = redactor}, cluster.factory(), {}).value();
    RunAccount& run = delivery->open_run({.run_id = "run", .connector_id = "c", .source_id = "s"});
    const std::size_t records = tell(*delivery, run, texts);
    const auto report = delivery->close(std::chrono::milliseconds(0));
    EXPECT_EQ(report.kept + report.dropped_records(), records);
    EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kDeliveryTimeout), 0U);
    delivery->release_run(run);
    std::string bytes;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(in), {});
    }
    EXPECT_EQ(bytes.find(texts.secret), std::string::npos) << "seed " << seed << ", secret " << texts.secret;
    EXPECT_NE(bytes.find(redact::kRedacted), std::string::npos) << "seed " << seed;
  }
}

}  // namespace
}  // namespace runfold::delivery::test

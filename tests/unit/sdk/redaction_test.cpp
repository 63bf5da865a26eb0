// Secrets that a connector registers, in what its runs say and in what names them.
#include "producer/sdk/producer.hpp"

#include "tests/support/fake_kafka_client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

namespace runfold {
namespace {

const std::string kSecret = "hunter2-and-more";

class SdkRedaction : public ::testing::Test {
 protected:
  SdkRedaction() {
    EXPECT_TRUE(settings_.kafka.set("bootstrap.servers", "127.0.0.1:1").has_value());
    settings_.connector_id = "invoices";
  }
  std::string all_bytes() {
    std::string bytes;
    for (const auto& record : cluster_.taken()) {
      bytes += record.key + '\n' + record.value + '\n';
      for (const auto& [name, value] : record.headers) bytes += name + '=' + value + '\n';
    }
    return bytes;
  }
  test::FakeKafka cluster_;
  Settings settings_;
};

TEST_F(SdkRedaction, ASecretRegisteredDuringTheRunIsRecordedNowhereAndNotPrinted) {
  auto producer = Producer::create(settings_, cluster_.factory()).value();
  auto run = producer->start_run({.run_id = "run-1", .account = kSecret + "-seen"});
  run.finish({});
  ASSERT_TRUE(settings_.redactor->add(kSecret)) << "the producer's, though these are other settings by now";
  auto second = producer->start_run({.run_id = "run-2", .account = kSecret + "-hidden"});
  ::testing::internal::CaptureStderr();
  second.logger().info("connected with " + kSecret, {.step = kSecret, .detail = {{"used", kSecret}}});
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("[INFO] connected with [redacted]\n"), std::string::npos);
  auto step = second.step("read");
  step.progress(1, 2, "as " + kSecret);
  step.fail("refused: " + kSecret);
  second.finish({.result = v1::RUN_RESULT_FAILURE, .error = kSecret});
  producer->close(std::chrono::seconds(30));
  const std::string bytes = all_bytes();
  EXPECT_NE(bytes.find(kSecret + "-seen"), std::string::npos) << "said before it was registered";
  EXPECT_EQ(bytes.find(kSecret, bytes.find(kSecret + "-seen") + 1), std::string::npos);
  EXPECT_NE(bytes.find("[redacted]-hidden"), std::string::npos);
}

TEST_F(SdkRedaction, WhatASubscriberThrowsIsPrintedWithoutSecrets) {
  ASSERT_TRUE(settings_.redactor->add(kSecret));
  auto producer = Producer::create(settings_, cluster_.factory()).value();
  ::testing::internal::CaptureStderr();
  producer->start_run({.run_id = "run-1", .on_event = [](const v1::SyncEvent&) { throw std::runtime_error("no " + kSecret); }}).finish({});
  EXPECT_TRUE(::testing::internal::GetCapturedStderr().ends_with(" threw and is not called again: no [redacted]\n"));
  producer->close(std::chrono::seconds(30));
}

TEST_F(SdkRedaction, NamesThatHoldASecretNameNoRun) {
  ASSERT_TRUE(settings_.redactor->add(kSecret));
  for (std::string Settings::*name : {&Settings::connector_id, &Settings::version, &Settings::site}) {
    Settings named = settings_;
    named.*name = "a-" + kSecret;
    const auto made = Producer::create(named, cluster_.factory());
    ASSERT_FALSE(made.has_value());
    EXPECT_NE(made.error().message.find("holds a registered secret"), std::string::npos) << made.error().message;
    EXPECT_EQ(made.error().message.find(kSecret), std::string::npos);
  }
  ::setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 1);
  ::setenv("TRACESTATE", ("vendor=" + kSecret).c_str(), 1);
  auto producer = Producer::create(settings_, cluster_.factory()).value();
  {
    auto run = producer->start_run({.run_id = "run-" + kSecret});
    EXPECT_FALSE(run.run_id().empty());
    EXPECT_EQ(run.run_id().find(kSecret), std::string::npos);
    EXPECT_NE(run.traceparent().find("0af7651916cd43dd8448eb211c80319c"), std::string::npos);
  }
  ::unsetenv("TRACEPARENT");
  ::unsetenv("TRACESTATE");
  producer->close(std::chrono::seconds(30));
  EXPECT_EQ(all_bytes().find(kSecret), std::string::npos);
}

TEST_F(SdkRedaction, NoRedactorIsAnErrorAndNotNoRedaction) {
  settings_.redactor = nullptr;
  EXPECT_FALSE(Producer::create(settings_, cluster_.factory()).has_value());
}

}  // namespace
}  // namespace runfold

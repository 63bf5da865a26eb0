// The SDK on Kafka in memory, in an environment of the test's own.
#pragma once

#include "producer/sdk/producer.hpp"
#include "tests/support/fake_kafka_client.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::test {

/// Sets variables for one test and puts back what was there.
class Environment {
 public:
  Environment() {
    for (const char* name : {"RUNFOLD_BOOTSTRAP_SERVERS", "RUNFOLD_KAFKA_CONFIG", "RUNFOLD_CONNECTOR", "RUNFOLD_VERSION", "RUNFOLD_SITE",
                             "RUNFOLD_RUN_ID", "RUNFOLD_ATTEMPT", "RUNFOLD_DEBUG", "RUNFOLD_INTAKE_URL", "RUNFOLD_INTAKE_TOKEN",
                             "RUNFOLD_AGENT_RUN", "TRACEPARENT", "TRACESTATE"}) {
      const char* value = std::getenv(name);
      before_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      ::unsetenv(name);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_) value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
  }
  void set(const char* name, const char* value) { ::setenv(name, value, 1); }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

inline Settings good_settings() {
  Settings settings;
  EXPECT_TRUE(settings.kafka.set("bootstrap.servers", "127.0.0.1:1").has_value());
  settings.connector_id = "invoices";
  settings.version = "1.2.3";
  settings.site = "north";
  return settings;
}

class Sdk : public ::testing::Test {
 protected:
  std::unique_ptr<Producer> make(Settings settings = good_settings()) {
    auto made = Producer::create(std::move(settings), cluster.factory());
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return std::move(made).value();
  }
  std::vector<v1::SyncEvent> events() {
    std::vector<v1::SyncEvent> out;
    for (const auto& record : cluster.acknowledged()) {
      if (record.topic != "runfold.events") continue;
      EXPECT_TRUE(out.emplace_back().ParseFromString(record.value));
    }
    return out;
  }
  std::vector<v1::LogBatch> batches() {
    std::vector<v1::LogBatch> out;
    for (const auto& record : cluster.acknowledged()) {
      if (record.topic != "runfold.logs") continue;
      EXPECT_TRUE(out.emplace_back().ParseFromString(record.value));
    }
    return out;
  }
  std::vector<v1::LogRecord> logs() {
    std::vector<v1::LogRecord> out;
    for (const auto& batch : batches()) out.insert(out.end(), batch.records().begin(), batch.records().end());
    return out;
  }
  static std::uint64_t dropped(const ProducerReport& report) {
    std::uint64_t sum = 0;
    for (const auto& [reason, records] : report.dropped) sum += records;
    return sum;
  }

  Environment environment;
  FakeKafka cluster;
};

}  // namespace runfold::test

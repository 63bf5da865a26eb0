// What the topics tell of one run: its events and log records in their order, and the headers of all that carried them.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/ranges.hpp"
#include "transport/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace runfold::test {

struct Told {
  std::vector<v1::SyncEvent> events;
  std::vector<v1::LogRecord> logs;
  /// Of each batch of them.
  std::vector<std::string> log_traces;
  /// Of each Kafka record, by their names.
  std::vector<std::map<std::string, std::string>> headers;

  /// Its terminal event; the test fails without one.
  [[nodiscard]] v1::Completed end() const {
    const auto at = std::find_if(events.begin(), events.end(), [](const auto& event) { return event.has_completed(); });
    EXPECT_NE(at, events.end()) << "no end was told";
    return at == events.end() ? v1::Completed() : at->completed();
  }
  [[nodiscard]] std::vector<std::string> messages() const {
    std::vector<std::string> out;
    for (const auto& log : logs) out.push_back(log.message());
    return out;
  }
};

/// Reads the topics until the run's end, and all log records that its source says were sent, are there.
inline Told told_of(const std::string& run_id, const std::string& servers = broker_address()) {
  const kafka::Properties properties = kafka_at(servers);
  const kafka::TopicNames topics;
  const std::vector<std::string> names{topics.events, topics.logs};
  Told told;
  std::map<std::string, std::uint64_t> logs_of;
  const auto take = [&](const kafka::Message& message) {
    const kafka::InRecord& record = message.record();
    if (record.key != run_id) return true;
    auto& headers = told.headers.emplace_back();
    for (const kafka::Header& header : message.headers()) headers.emplace(header.name, header.value.value_or(""));
    const std::string value(record.value.value_or(""));
    if (record.topic == topics.events) {
      EXPECT_TRUE(told.events.emplace_back().ParseFromString(value));
      return true;
    }
    v1::LogBatch batch;
    EXPECT_TRUE(batch.ParseFromString(value));
    std::uint64_t& numbered = logs_of[batch.identity().source_id()];
    EXPECT_EQ(batch.first_sequence(), numbered + 1);
    numbered += static_cast<std::uint64_t>(batch.records_size());
    told.logs.insert(told.logs.end(), batch.records().begin(), batch.records().end());
    told.log_traces.push_back(batch.trace().traceparent());
    return true;
  };
  const auto all_there = [&] {
    told = {};
    logs_of.clear();
    const auto ranges = kafka::find_ranges(properties, names, {}, kPatience);
    const auto read = ranges ? kafka::read_ranges(properties, *ranges, take, kPatience) : ranges.error();
    EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().message);
    return std::any_of(told.events.begin(), told.events.end(), [&](const v1::SyncEvent& event) {
      return event.has_completed() &&
             (event.completed().totals_size() < 2 || logs_of[event.identity().source_id()] >= event.completed().totals(1).last_sequence());
    });
  };
  EXPECT_TRUE(wait_until(all_there)) << told.events.size() << " events, " << told.logs.size() << " log records of " << run_id;
  return told;
}

}  // namespace runfold::test

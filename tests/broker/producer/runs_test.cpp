// A run with steps and logs on a real Apache Kafka: what lands there, byte for byte readable by anybody.
#include "producer/sdk/producer.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/kafka_member.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace runfold {
namespace {

using kafka::test::Member;
using kafka::test::Received;
using test::broker_address;
using test::kPatience;
using test::unique_name;

/// Two topics of this test's own, and a producer of them.
struct Topics {
  Topics() {
    names.events = unique_name("events");
    names.logs = unique_name("logs");
    std::vector<kafka::TopicPolicy> policies;
    for (const auto& name : {names.events, names.logs}) {
      policies.push_back({.name = name, .partitions = 4, .replication = -1, .config = {}});
    }
    const auto created = kafka::create_topics(properties, policies, kPatience);
    EXPECT_TRUE(created.has_value()) << (created ? "" : created.error().message);
  }
  std::unique_ptr<Producer> producer() const {
    Settings settings;
    settings.kafka = properties;
    settings.topics = names;
    settings.connector_id = "invoices";
    settings.version = "1.2.3";
    settings.site = "north";
    auto made = Producer::create(std::move(settings));
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return std::move(made).value();
  }
  /// Reads until there are so many Kafka records, all topics together.
  std::vector<Received> read(std::size_t records) const {
    Member member(broker_address(), unique_name("readers"), {names.events, names.logs});
    EXPECT_TRUE(member.run_until([&] { return member.received.size() >= records; }, kPatience)) << member.received.size();
    return member.received;
  }
  kafka::TopicNames names;
  kafka::Properties properties = test::kafka_at(broker_address());
};

std::map<std::string, std::string> headers_of(const Received& record) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : record.headers) out.emplace(name, value.value_or(""));
  return out;
}

v1::SyncEvent event_of(const Received& record) {
  v1::SyncEvent out;
  EXPECT_TRUE(out.ParseFromString(record.value.value_or("")));
  return out;
}

v1::LogBatch batch_of(const Received& record) {
  v1::LogBatch out;
  EXPECT_TRUE(out.ParseFromString(record.value.value_or("")));
  return out;
}

TEST(Runs, ARunWithStepsAndLogsLandsWholeWithKeysHeadersAndContiguousNumbers) {
  const Topics topics;
  auto producer = topics.producer();
  std::string run_traceparent;
  {
    runfold::Run run = producer->start_run({.run_id = "run-1", .attempt = 2});
    run_traceparent = run.traceparent();
    for (const char* name : {"read", "upload"}) {
      Step step = run.step(name);
      for (int i = 0; i < 500; ++i) {
        v1::LogRecord record;
        record.set_severity(v1::SEVERITY_INFO);
        record.set_message(std::string(name) + " " + std::to_string(i));
        record.set_step_id(name);
        EXPECT_TRUE(run.log(record));
      }
      step.complete(500, 10);
    }
    run.finish({.result = v1::RUN_RESULT_SUCCESS, .exit_code = 0});
  }
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.emitted, 1'006U);
  EXPECT_EQ(report.acknowledged, 1'006U);
  EXPECT_TRUE(report.dropped.empty());

  std::uint64_t events = 0;
  std::uint64_t logs = 0;
  std::set<std::int32_t> partitions;
  v1::Completed end;
  // Batches are made by size and age, so their number is not known: read until all 1,000 records are there.
  Member member(broker_address(), unique_name("readers"), {topics.names.events, topics.names.logs});
  std::size_t seen = 0;
  const auto all_there = [&] {
    for (; seen < member.received.size(); ++seen) {
      const Received& record = member.received[seen];
      const auto headers = headers_of(record);
      EXPECT_EQ(record.key, "run-1");
      EXPECT_EQ(headers.at("content-type"), "application/protobuf");
      EXPECT_EQ(headers.at("ce_specversion"), "1.0");
      EXPECT_EQ(headers.at("ce_source"), "invoices");
      EXPECT_EQ(headers.at("traceparent").substr(0, 36), run_traceparent.substr(0, 36));
      partitions.insert(record.at.partition);
      std::string id = "run-1/2/";
      if (record.at.topic == topics.names.events) {
        const auto event = event_of(record);
        EXPECT_EQ(event.sequence(), ++events);
        EXPECT_EQ(headers.at("ce_type"), "runfold.v1.SyncEvent");
        EXPECT_EQ(headers.at("traceparent"), event.trace().traceparent());
        EXPECT_EQ(record.timestamp_ms, event.occurred_at().seconds() * 1000 + event.occurred_at().nanos() / 1'000'000);
        id += event.identity().source_id() + "/" + topics.names.events + "/" + std::to_string(event.sequence());
        if (event.has_completed()) end = event.completed();
      } else {
        const auto batch = batch_of(record);
        EXPECT_EQ(batch.first_sequence(), logs + 1);
        EXPECT_EQ(headers.at("ce_type"), "runfold.v1.LogBatch");
        id += batch.identity().source_id() + "/" + topics.names.logs + "/" + std::to_string(batch.first_sequence());
        for (const auto& log : batch.records()) {
          EXPECT_EQ(log.message(), (logs < 500 ? "read " : "upload ") + std::to_string(logs % 500));
          ++logs;
        }
      }
      EXPECT_EQ(headers.at("ce_id"), id);
    }
    return events >= 6 && logs >= 1'000;
  };
  ASSERT_TRUE(member.run_until(all_there, kPatience)) << events << " events, " << logs << " log records";
  EXPECT_EQ(events, 6U);
  EXPECT_EQ(logs, 1'000U);
  EXPECT_EQ(partitions.size(), 1U);  // one key, one partition in each topic
  ASSERT_EQ(end.totals_size(), 2);
  EXPECT_EQ(end.totals(0).emitted(), 6U);
  EXPECT_EQ(end.totals(1).emitted(), 1'000U);
  EXPECT_EQ(end.totals(1).last_sequence(), 1'000U);
}

TEST(Runs, ManyRunsOnManyThreadsArriveWholeAndEachInItsOrder) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kRunsEach = 10;
  constexpr std::uint64_t kSteps = 20;
  const Topics topics;
  auto producer = topics.producer();
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < kRunsEach; ++i) {
        runfold::Run run = producer->start_run();
        for (std::uint64_t step = 0; step < kSteps; ++step) run.progress("s", step);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  constexpr std::size_t kEvents = kThreads * kRunsEach * (kSteps + 2);
  EXPECT_EQ(producer->close(kPatience).acknowledged, kEvents);

  std::map<std::string, std::uint64_t> last;
  for (const Received& record : topics.read(kEvents)) {
    const auto event = event_of(record);
    EXPECT_EQ(event.sequence(), ++last[event.identity().run_id()]);
    if (event.has_progress()) {
      EXPECT_EQ(event.progress().done() + 2, event.sequence());
    }
  }
  EXPECT_EQ(last.size(), kThreads * kRunsEach);
  for (const auto& [run, sequence] : last) EXPECT_EQ(sequence, kSteps + 2) << run;
}

TEST(Runs, AStormOfOneCallSiteStaysOffTheTopicAndErrorsPassIt) {
  const Topics topics;
  auto producer = topics.producer();
  ::testing::internal::CaptureStderr();
  producer->run({}, [](runfold::Run& run) {
    for (int i = 0; i < 20'000; ++i) {
      run.logger().info("Saving " + std::to_string(i));
      if (i % 1'000 == 0) run.logger().error("Failed " + std::to_string(i));
    }
  });
  ::testing::internal::GetCapturedStderr();
  const auto report = producer->close(kPatience);
  const auto held = report.dropped.at("rate_limited");
  EXPECT_EQ(report.acknowledged + held, 20'023U);  // with the two ends of the run and one warning

  std::map<v1::Severity, std::uint64_t> arrived;
  v1::Completed end;
  Member member(broker_address(), unique_name("readers"), {topics.names.events, topics.names.logs});
  std::size_t seen = 0;
  const auto all_there = [&] {
    for (; seen < member.received.size(); ++seen) {
      const Received& record = member.received[seen];
      if (record.at.topic == topics.names.events) {
        if (const auto event = event_of(record); event.has_completed()) end = event.completed();
        continue;
      }
      const v1::LogBatch batch = batch_of(record);
      for (const auto& log : batch.records()) ++arrived[log.severity()];
    }
    return end.totals_size() == 2 &&
           arrived[v1::SEVERITY_INFO] + arrived[v1::SEVERITY_WARNING] + arrived[v1::SEVERITY_ERROR] >= end.totals(1).last_sequence();
  };
  ASSERT_TRUE(member.run_until(all_there, kPatience));
  EXPECT_EQ(arrived[v1::SEVERITY_INFO], 20'000 - held);
  EXPECT_EQ(arrived[v1::SEVERITY_WARNING], 1U);
  EXPECT_EQ(arrived[v1::SEVERITY_ERROR], 20U);
  EXPECT_EQ(end.totals(1).emitted(), 20'021U);
  ASSERT_EQ(end.totals(1).drops_size(), 1);
  EXPECT_EQ(end.totals(1).drops(0).reason(), v1::DROP_REASON_RATE_LIMITED);
  EXPECT_EQ(end.totals(1).drops(0).records(), held);
}

TEST(Runs, WhatTheBrokerFindsTooLargeIsCountedAndTheRestArrives) {
  const Topics topics;
  // The broker's limit for this topic is below the client's, so the broker is the one to refuse.
  kafka::TopicNames names = topics.names;
  names.logs = unique_name("small-logs");
  const kafka::TopicPolicy small{.name = names.logs, .partitions = 1, .replication = -1, .config = {{"max.message.bytes", "2000"}}};
  ASSERT_TRUE(kafka::create_topics(topics.properties, {small}, kPatience).has_value());
  Settings settings;
  settings.kafka = topics.properties;
  settings.topics = names;
  settings.connector_id = "invoices";
  auto producer = std::move(Producer::create(std::move(settings))).value();
  {
    runfold::Run run = producer->start_run();
    v1::LogRecord record;
    std::string noise(20'000, ' ');  // does not compress
    std::uint32_t state = 1;
    for (char& c : noise) c = static_cast<char>('!' + (state = state * 1'664'525 + 1'013'904'223) % 90);
    record.set_message(noise);
    EXPECT_TRUE(run.log(record));
  }
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.emitted, 3U);
  EXPECT_EQ(report.acknowledged, 2U);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"too_large", 1}}));
}

TEST(Runs, DebugRecordsReachTheTopicBeforeTheErrorOfARunThatFailsAndNeverOfOneThatSucceeds) {
  const Topics topics;
  auto producer = topics.producer();
  ::testing::internal::CaptureStderr();
  const auto work = [](runfold::Run& run) {
    for (int i = 0; i < 100; ++i) run.logger().debug("Row " + std::to_string(i));
    run.logger().info("Saved 100 rows");
  };
  producer->run({.run_id = "well"}, work);
  producer->run({.run_id = "badly"}, [&](runfold::Run& run) {
    work(run);
    run.logger().error("Cannot commit");
  });
  ::testing::internal::GetCapturedStderr();
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.acknowledged, 107U);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"not_needed", 100}}));

  std::map<std::string, std::vector<std::string>> lines;
  std::map<std::string, v1::Completed> ends;
  Member member(broker_address(), unique_name("readers"), {topics.names.events, topics.names.logs});
  std::size_t seen = 0;
  const auto all_there = [&] {
    for (; seen < member.received.size(); ++seen) {
      const Received& record = member.received[seen];
      if (record.at.topic == topics.names.events) {
        if (const auto event = event_of(record); event.has_completed()) ends[event.identity().run_id()] = event.completed();
        continue;
      }
      const v1::LogBatch batch = batch_of(record);
      auto& of_run = lines[batch.identity().run_id()];
      EXPECT_EQ(batch.first_sequence(), of_run.size() + 1);
      for (const auto& line : batch.records()) of_run.push_back(line.message());
    }
    return ends.size() == 2 && lines["badly"].size() >= 102 && !lines["well"].empty();
  };
  ASSERT_TRUE(member.run_until(all_there, kPatience));
  EXPECT_EQ(lines["well"], std::vector<std::string>{"Saved 100 rows"});
  EXPECT_EQ(ends["well"].totals(1).emitted(), 1U);
  ASSERT_EQ(ends["well"].totals(1).drops_size(), 1);
  EXPECT_EQ(ends["well"].totals(1).drops(0).reason(), v1::DROP_REASON_NOT_NEEDED);
  EXPECT_EQ(ends["well"].totals(1).drops(0).records(), 100U);
  std::vector<std::string> expected{"Saved 100 rows"};
  for (int i = 0; i < 100; ++i) expected.push_back("Row " + std::to_string(i));
  expected.emplace_back("Cannot commit");
  EXPECT_EQ(lines["badly"], expected);
  EXPECT_EQ(ends["badly"].totals(1).emitted(), 102U);
  EXPECT_EQ(ends["badly"].totals(1).drops_size(), 0);
}

}  // namespace
}  // namespace runfold

// A real Apache Kafka that comes back without the end of its log breaks the client that had written it: nothing unacknowledged is lost.
#include "producer/sdk/producer.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/arrived.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/restartable_broker.hpp"
#include "tests/support/temporary_folder.hpp"
#include "transport/kafka/topics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

namespace runfold {
namespace {

namespace fs = std::filesystem;
using test::Arrived;
using test::kPatience;
using ::testing::HasSubstr;

/// What the producer says of Kafka. Thread: any.
class SaidByClient {
 public:
  void take(const kafka::Error& error) {
    const std::lock_guard lock(mutex_);
    (error.code == kafka::Errc::kFatal ? fatal_ : other_).push_back(error.message);
  }
  std::vector<std::string> fatal() const {
    const std::lock_guard lock(mutex_);
    return fatal_;
  }
  std::vector<std::string> other() const {
    const std::lock_guard lock(mutex_);
    return other_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> fatal_;
  std::vector<std::string> other_;
};

/// With a spool or without.
class BrokenClient : public ::testing::TestWithParam<bool> {
 protected:
  BrokenClient() {
    std::vector<kafka::TopicPolicy> policies;
    for (const auto& name : {names_.events, names_.logs})
      policies.push_back({.name = name, .partitions = 1, .replication = 1, .config = {}});
    EXPECT_TRUE(kafka::create_topics(kafka_, policies, kPatience).has_value());
    Settings settings;
    settings.kafka = kafka_;
    settings.topics = names_;
    settings.connector_id = "broken";
    settings.on_trouble = [this](const kafka::Error& error) { said_.take(error); };
    if (GetParam()) settings.spool_folder = (folder_.path() / "spool").string();
    producer_ = Producer::create(std::move(settings)).value();
  }
  void say(runfold::Run& run, std::uint64_t lines) {
    for (std::uint64_t i = 0; i < lines; ++i) {
      v1::LogRecord record;
      record.set_message("line " + std::to_string(said_lines_++));
      ASSERT_TRUE(run.log(std::move(record)));
    }
  }
  bool all_acknowledged() {
    return producer_->wait([](const ProducerReport& report) { return report.pending == 0; }, kPatience);
  }
  fs::path log_file() const { return broker_.partition(names_.logs) / "00000000000000000000.log"; }

  test::RestartableBroker broker_;
  const kafka::Properties kafka_ = test::kafka_at(broker_.address());
  const kafka::TopicNames names_{};
  const test::TemporaryFolder folder_;
  SaidByClient said_;
  std::uint64_t said_lines_ = 0;
  std::unique_ptr<Producer> producer_;
};

TEST_P(BrokenClient, IsMadeAnewAndEveryRecordThatKafkaHadNotAcknowledgedArrivesInOrder) {
  runfold::Run run = producer_->start_run({.run_id = "goes-on"});
  say(run, 1'000);
  ASSERT_TRUE(all_acknowledged());
  const auto kept = fs::file_size(log_file());
  {
    // What the broker will have forgotten: another run's, so that nothing of the first is missing there.
    runfold::Run forgotten = producer_->start_run({.run_id = "forgotten"});
    v1::LogRecord record;
    record.set_message("nobody will read this");
    ASSERT_TRUE(forgotten.log(std::move(record)));
    ASSERT_TRUE(all_acknowledged());
    forgotten.abandon();
  }
  ASSERT_GT(fs::file_size(log_file()), kept);

  // As after a power failure: Kafka leaves it to the kernel when its log is written to disk.
  broker_.kill();
  fs::resize_file(log_file(), kept);
  say(run, 1'000);
  EXPECT_THAT(said_.fatal(), ::testing::IsEmpty());
  broker_.start();
  // The client numbers its batches; this one does not follow on what the broker remembers of it.
  ASSERT_TRUE(test::wait_until([&] { return !said_.fatal().empty(); })) << ::testing::PrintToString(said_.other());
  say(run, 1'000);
  ASSERT_TRUE(all_acknowledged());
  run.finish({.result = v1::RUN_RESULT_SUCCESS});
  const auto report = producer_->close(kPatience);
  EXPECT_EQ(report.acknowledged, report.emitted);
  EXPECT_TRUE(report.dropped.empty());
  ASSERT_EQ(said_.fatal().size(), 1U) << ::testing::PrintToString(said_.fatal());
  EXPECT_THAT(said_.fatal().front(), HasSubstr("OUT_OF_ORDER_SEQUENCE_NUMBER"));
  EXPECT_THAT(said_.fatal().front(), HasSubstr("a new one is made, and what Kafka had not acknowledged is sent again"));

  Arrived arrived(kafka_, names_);
  const auto& lines = arrived.lines("goes-on");
  ASSERT_EQ(lines.size(), 3'000U);
  for (std::uint64_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], "line " + std::to_string(i));
  ASSERT_NE(arrived.completed("goes-on"), nullptr);
  EXPECT_EQ(arrived.completed("goes-on")->result(), v1::RUN_RESULT_SUCCESS);
  for (const auto& row : arrived.rows_of("goes-on")) {
    EXPECT_EQ(arrived.contiguous(row), arrived.completed("goes-on")->totals(std::get<2>(row) == names_.logs ? 1 : 0).last_sequence());
  }
  EXPECT_EQ(arrived.lines("forgotten").size(), 0U) << "the broker did lose the end of its log";
}

INSTANTIATE_TEST_SUITE_P(Delivered, BrokenClient, ::testing::Bool(),
                         [](const auto& spool) { return spool.param ? "WithASpool" : "FromMemory"; });

}  // namespace
}  // namespace runfold

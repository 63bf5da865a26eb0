// No Kafka: nothing fails, nothing waits, everything is counted. What is asserted is that the calls come back, not how fast.
#include "producer/sdk/producer.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace runfold {
namespace {

using test::UnansweredAddress;

class NoKafka : public ::testing::TestWithParam<UnansweredAddress::Kind> {};

TEST_P(NoKafka, CreatingEmittingAndClosingComeBackAndEveryRecordIsCounted) {
  const UnansweredAddress address(GetParam());
  Settings settings;
  settings.kafka = test::kafka_at(address.text());
  settings.connector_id = "invoices";
  settings.on_trouble = [](const kafka::Error&) {};
  auto made = Producer::create(std::move(settings));
  ASSERT_TRUE(made.has_value());
  Producer& producer = **made;
  runfold::Run run = producer.start_run();
  v1::LogRecord record;
  record.set_message("a line of the log");
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(run.log(record));
  run.finish({});
  const auto before = producer.report();
  EXPECT_EQ(before.emitted, 10'002U);
  EXPECT_EQ(before.pending, 10'002U);
  const auto report = producer.close(std::chrono::milliseconds(200));
  EXPECT_EQ(report.emitted, 10'002U);
  EXPECT_EQ(report.acknowledged, 0U);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.dropped, (std::map<std::string, std::uint64_t>{{"delivery_timeout", 10'002}}));
}

TEST_P(NoKafka, MemoryIsBoundedAndTheLeastImportantGoesFirst) {
  const UnansweredAddress address(GetParam());
  Settings settings;
  settings.kafka = test::kafka_at(address.text());
  settings.connector_id = "invoices";
  settings.queue_bytes = 256 * 1024;
  settings.debug_records = DebugRecords::kAlways;
  settings.on_trouble = [](const kafka::Error&) {};
  auto producer = std::move(Producer::create(std::move(settings))).value();
  runfold::Run run = producer->start_run();
  v1::LogRecord debug;
  debug.set_severity(v1::SEVERITY_DEBUG);
  debug.set_message(std::string(1000, 'd'));
  std::uint64_t refused = 0;
  for (int i = 0; i < 10'000; ++i) refused += run.log(debug) ? 0 : 1;
  EXPECT_GT(refused, 5'000U);
  v1::LogRecord error;
  error.set_severity(v1::SEVERITY_ERROR);
  error.set_message("what one wants to know");
  EXPECT_TRUE(run.log(error));
  run.finish({});
  const auto report = producer->close(std::chrono::milliseconds(50));
  EXPECT_EQ(report.emitted, 10'003U);
  EXPECT_EQ(report.dropped.at("queue_full"), refused);
  EXPECT_EQ(report.dropped.at("queue_full") + report.dropped.at("delivery_timeout"), 10'003U);
}

INSTANTIATE_TEST_SUITE_P(Loopback, NoKafka, ::testing::Values(UnansweredAddress::Kind::kRefuses, UnansweredAddress::Kind::kSilent),
                         [](const auto& kind) { return kind.param == UnansweredAddress::Kind::kRefuses ? "Refused" : "BlackHoled"; });

}  // namespace
}  // namespace runfold

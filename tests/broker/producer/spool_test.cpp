// Producers with a spool on a real Apache Kafka: it is down, it dies, the agent is killed, the disk is full; what the disk had arrives.
#include "producer/sdk/producer.hpp"
#include "tests/broker/producer/on_disk.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/arrived.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/restartable_broker.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace runfold {
namespace {

namespace fs = std::filesystem;
using test::Arrived;
using test::create_topics;
using test::kafka_at;
using test::kPatience;
using test::Program;
using test::UnansweredAddress;
using test::unique_name;
using ::testing::HasSubstr;

/// Prints numbered lines, as many as its argument says, without holding any back.
constexpr const char* kCount =
    "import sys\nfor i in range(int(sys.argv[1])): sys.stdout.write('line %d\\n' % i); i % 50 or sys.stdout.flush()";

class SpoolOnKafka : public ::testing::Test {
 protected:
  SpoolOnKafka() { create_topics(servers_); }

  std::vector<std::string> exec(const std::string& run_id, const std::string& servers, const std::vector<std::string>& command) const {
    std::vector<std::string> out{RUNFOLD_BINARY_DIR "/runfold",
                                 "exec",
                                 "--connector",
                                 "spool",
                                 "--run-id",
                                 run_id,
                                 "--bootstrap-servers",
                                 servers,
                                 "--spool",
                                 spool_.string(),
                                 "--flush-timeout",
                                 "60s",
                                 "--"};
    out.insert(out.end(), command.begin(), command.end());
    return out;
  }
  static std::vector<std::string> count_to(std::uint64_t lines) { return {"python3", "-c", kCount, std::to_string(lines)}; }
  /// A run with nothing to say but that it ran: it sends what lies in the spool.
  void send_what_is_left() {
    Program last(exec(unique_name("last"), servers_, {"true"}));
    ASSERT_EQ(last.wait().value().exit_code, 0) << last.err();
    EXPECT_EQ(last.err(), "");
    EXPECT_TRUE(fs::is_empty(spool_));
  }
  static void expect_whole(Arrived& arrived, const std::string& run_id, std::uint64_t lines) {
    ASSERT_NE(arrived.completed(run_id), nullptr) << run_id;
    const auto rows = arrived.rows_of(run_id);
    ASSERT_EQ(rows.size(), 2U) << run_id;
    EXPECT_EQ(arrived.contiguous(rows[0]), arrived.completed(run_id)->totals(0).last_sequence());
    EXPECT_EQ(arrived.contiguous(rows[1]), arrived.completed(run_id)->totals(1).last_sequence());
    const auto& told = arrived.lines(run_id);
    ASSERT_EQ(told.size(), lines);
    for (std::uint64_t i = 0; i < lines; ++i) ASSERT_EQ(told[i], "line " + std::to_string(i));
  }

  const std::string servers_ = test::broker_address();
  const UnansweredAddress nobody_{UnansweredAddress::Kind::kRefuses};
  const test::TemporaryFolder folder_;
  const fs::path spool_ = folder_.path() / "spool";
};

TEST_F(SpoolOnKafka, ARunWhileKafkaIsDownArrivesWithTheNextOneOnceEachAndInOrder) {
  const std::string run_id = unique_name("down");
  Program down(exec(run_id, nobody_.text(), count_to(20'000)));
  ASSERT_EQ(down.wait().value().exit_code, 0) << down.err();
  EXPECT_THAT(down.err(), HasSubstr("20002 of 20002 records of run " + run_id + " are kept in " + spool_.string()));
  send_what_is_left();
  Arrived arrived(kafka_at(servers_));
  expect_whole(arrived, run_id, 20'000);
}

TEST_F(SpoolOnKafka, KilledFiftyTimesAtRandomMomentsNothingThatWasOnDiskIsLost) {
  constexpr std::size_t kRounds = test::kSanitized ? 10 : 50;
  constexpr std::size_t kMostBytes = 300;  // of a record on disk, even one alone in its frame
  std::mt19937 random(20'261'121);
  std::uint64_t awaited = 0;
  std::map<Arrived::Row, std::uint64_t> promised;
  for (std::size_t round = 0; round < kRounds; ++round) {
    // With Kafka there or not, while a predecessor's records are being sent or not.
    const bool away = random() % 3 == 0;
    const std::uintmax_t before = test::bytes_on_disk(spool_);
    Program agent(exec(unique_name("killed"), away ? nobody_.text() : servers_, count_to(100'000'000)));
    const std::size_t bytes = random() % 2 == 0 ? random() % 3'000 : random() % 300'000;
    // So much was printed; or, where Kafka takes nothing, so much is on disk.
    ASSERT_TRUE(test::wait_until([&] { return away ? test::bytes_on_disk(spool_) >= before + bytes : agent.out().size() >= bytes; }))
        << agent.err();
    if (away) awaited += bytes;
    agent.signal(SIGKILL);
    ASSERT_EQ(agent.wait().value().signal, SIGKILL);
    for (const auto& [row, highest] : test::on_disk(spool_)) promised[row] = std::max(promised[row], highest);
  }
  send_what_is_left();
  ASSERT_GE(promised.size(), kRounds * 2 / 5) << "not all were killed before they had said anything";
  Arrived arrived(kafka_at(servers_));
  std::uint64_t records = 0;
  for (const auto& [row, highest] : promised) {
    // No gap, and at least what the disk had; more when Kafka had it by then.
    EXPECT_GE(arrived.contiguous(row), highest) << std::get<0>(row) << " " << std::get<2>(row);
    records += highest;
    const auto& lines = arrived.lines(std::get<0>(row));
    for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], "line " + std::to_string(i));
  }
  EXPECT_GT(records, awaited / kMostBytes);
}

TEST_F(SpoolOnKafka, TwoAgentsAtOnceShareAFolderAndNoRecord) {
  for (const auto& servers : {nobody_.text(), servers_}) {
    const std::vector<std::string> runs{unique_name("one"), unique_name("other")};
    {
      Program one(exec(runs[0], servers, count_to(30'000)));
      Program other(exec(runs[1], servers, count_to(30'000)));
      ASSERT_EQ(one.wait().value().exit_code, 0) << one.err();
      ASSERT_EQ(other.wait().value().exit_code, 0) << other.err();
    }
    // Both look for what was left at the same time.
    {
      Program one(exec(unique_name("last"), servers_, {"true"}));
      Program other(exec(unique_name("last"), servers_, {"true"}));
      ASSERT_EQ(one.wait().value().exit_code, 0) << one.err();
      ASSERT_EQ(other.wait().value().exit_code, 0) << other.err();
      EXPECT_EQ(one.err() + other.err(), "");
    }
    EXPECT_TRUE(fs::is_empty(spool_));
    Arrived arrived(kafka_at(servers_));
    for (const auto& run : runs) expect_whole(arrived, run, 30'000);
  }
}

TEST_F(SpoolOnKafka, AFullDiskIsSaidAndWhatItTookArrives) {
  if (std::system("unshare --mount --map-root-user sh -c 'mount -t tmpfs -o size=1m none /mnt' >/dev/null 2>&1") != 0) {  // NOLINT
    GTEST_SKIP() << "no mount namespace can be had here, so no disk can be made full";
  }
  const std::string run_id = unique_name("full");
  fs::create_directory(spool_);
  std::vector<std::string> first = exec(run_id, nobody_.text(), count_to(1'000'000));
  std::vector<std::string> second = exec(unique_name("last"), servers_, {"true"});
  const auto quoted = [](const std::vector<std::string>& command) {
    std::string out;
    for (const auto& word : command) out += "'" + word + "' ";
    return out;
  };
  std::ofstream(folder_.path() / "count.py") << kCount;
  std::replace(first.begin(), first.end(), std::string("-c"), std::string("-u"));
  std::replace(first.begin(), first.end(), std::string(kCount), (folder_.path() / "count.py").string());
  const std::string script = "mount -t tmpfs -o size=1m none " + spool_.string() + " && " + quoted(first) + " >/dev/null && " +
                             quoted(second) + " && ls -A " + spool_.string();
  Program both({"/usr/bin/unshare", "--mount", "--map-root-user", "/bin/sh", "-c", script});
  ASSERT_EQ(both.wait(2 * kPatience).value().exit_code, 0) << both.err();
  EXPECT_EQ(both.out(), "") << "the spool is empty in the end";
  EXPECT_THAT(both.err(), HasSubstr("the spool " + spool_.string() + " cannot be written (No space left on device)"));
  const std::string kept = test::line_with(both.err(), "records of run " + run_id + " are kept in");
  // The other one may find the disk full as well, before it has sent what the first one left.
  const std::string said_first = both.err().substr(0, both.err().find(kept));
  EXPECT_EQ(test::lines_with(said_first, "cannot be written"), 1) << both.err();
  ASSERT_THAT(kept, HasSubstr("[WARN] "));
  EXPECT_THAT(both.err(), HasSubstr("records of run " + run_id + " did not reach Kafka"));
  Arrived arrived(kafka_at(servers_));
  EXPECT_EQ(arrived.records_of(run_id), std::stoull(kept.substr(kept.find("[WARN] ") + 7)));
  const auto& lines = arrived.lines(run_id);
  EXPECT_GT(lines.size(), 1'000U);
  // What came when there was no room is missing; what fitted in again stands behind it.
  std::uint64_t next = 0;
  for (const auto& line : lines) {
    const auto number = std::stoull(line.substr(line.find(' ')));
    ASSERT_GE(number, next);
    next = number + 1;
  }
}

TEST(SpoolAndARestartedKafka, MoreThanMemoryHoldsOutlastsABrokerThatDiesInMidRun) {
  test::RestartableBroker broker;
  create_topics(broker.address());
  const test::TemporaryFolder folder;
  Settings settings;
  settings.kafka = kafka_at(broker.address());
  settings.connector_id = "spool";
  constexpr std::size_t kQueueBytes = 1024 * 1024;
  settings.queue_bytes = kQueueBytes;
  settings.spool_folder = (folder.path() / "spool").string();
  settings.on_trouble = [](const kafka::Error&) {};
  auto producer = Producer::create(std::move(settings)).value();
  runfold::Run run = producer->start_run({.run_id = "outlasts"});

  constexpr std::uint64_t kChunk = 100;
  constexpr std::uint64_t kChunks = 100;
  const std::string filler(2'000, '.');
  std::uint64_t lines = 0;
  const auto say_more = [&] {
    for (std::uint64_t i = 0; i < kChunk; ++i) {
      v1::LogRecord record;
      record.set_stream(v1::LOG_STREAM_STDOUT);
      record.set_message("line " + std::to_string(lines++) + filler);
      ASSERT_TRUE(run.log(std::move(record)));
    }
  };
  const auto wait_for = [&](const auto& enough) { return test::wait_until([&] { return enough(producer->report()); }); };
  say_more();
  ASSERT_TRUE(wait_for([](const ProducerReport& report) { return report.pending == 0; }));
  broker.kill();
  const auto before = producer->report();
  for (std::uint64_t chunk = 1; chunk <= kChunks; ++chunk) {
    say_more();
    // All of it is on disk before more comes: no ring could hold that. A record has 20 bytes beside its text, at least.
    const std::uint64_t written = chunk * kChunk * (filler.size() + 20);
    ASSERT_TRUE(wait_for([&](const ProducerReport& report) { return report.spool_bytes >= written; })) << chunk;
  }
  const auto down = producer->report();
  EXPECT_EQ(down.acknowledged, before.acknowledged);
  EXPECT_EQ(down.pending, kChunk * kChunks);
  EXPECT_GT(down.spool_bytes, 18 * kQueueBytes) << "of memory for one of each in the ring and in flight";
  EXPECT_TRUE(down.dropped.empty());
  broker.start();
  ASSERT_TRUE(wait_for([](const ProducerReport& report) { return report.pending == 0; }));
  run.finish({.result = v1::RUN_RESULT_SUCCESS});
  const auto report = producer->close(kPatience);
  EXPECT_EQ(report.acknowledged, report.emitted);
  EXPECT_EQ(report.kept, 0U);
  producer.reset();
  EXPECT_TRUE(fs::is_empty(folder.path() / "spool"));

  Arrived arrived(kafka_at(broker.address()));
  const auto& told = arrived.lines("outlasts");
  ASSERT_EQ(told.size(), lines);
  for (std::uint64_t i = 0; i < lines; ++i) ASSERT_EQ(told[i], "line " + std::to_string(i) + filler);
  ASSERT_NE(arrived.completed("outlasts"), nullptr);
  EXPECT_EQ(arrived.completed("outlasts")->totals(1).last_sequence(), lines);
}

}  // namespace
}  // namespace runfold

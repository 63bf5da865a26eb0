// Two gigabytes of output under runfold exec, on a real Apache Kafka: passed on whole, in bounded memory, what is not recorded counted.
//
// The last file of this program in the order of their names: no other test has all of this to read.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/broker/producer/exec_memory.hpp"
#include "tests/broker/producer/on_kafka.hpp"
#include "tests/support/broker.hpp"
#include "tests/support/program.hpp"
#include "tests/support/secrets.hpp"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/ranges.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold {
namespace {

using test::broker_address;
using test::kPatience;
using test::Program;
using test::unique_name;

constexpr std::size_t kChildren = 4;
/// A gigabyte to each of stdout and stderr; with sanitizers, which are slow, a sixteenth.
constexpr std::size_t kBlocksEach = (std::size_t{1} << 30) / 4096 / kChildren / (test::kSanitized ? 16 : 1);
/// What a pipe takes as a whole, so that blocks of several writers do not mix.
constexpr std::size_t kBlock = 4096;
constexpr std::size_t kLine = 512;
constexpr std::size_t kStreamBytes = kChildren * kBlocksEach * kBlock;

/// Every block begins with whose and the how manieth it is, and the secret; its lines have one size.
constexpr const char* kStorm = R"(
import os, sys
children, blocks, block, line, secret = *map(int, sys.argv[1:5]), os.environ["STORM_SECRET"]
def storm(child):
    rest = (b"." * (line - 1) + b"\n") * (block // line - 1)
    for i in range(blocks):
        whole = (b"%d %8d %s " % (child, i, secret.encode())).ljust(line - 1, b".") + b"\n" + rest
        for stream in (1, 2):
            if os.write(stream, whole) != block: os._exit(3)
    os._exit(0)
pids = [os.fork() or storm(child) for child in range(children)]
for pid in pids:
    if os.waitpid(pid, 0)[1]: sys.exit(4)
os.write(2, b"2026-05-16 14:32:11 UTC [ERROR] the last words\n")
sys.exit(7)
)";

/// Looks whether a stream consists of the blocks of all children, each whole, once, and in its child's order.
class Blocks {
 public:
  explicit Blocks(std::string secret) : secret_(std::move(secret)), next_(kChildren, 0) {}

  void take(std::string_view bytes) {
    rest_.append(bytes);
    std::string_view all = rest_;
    for (; all.size() >= kBlock && bytes_ < kStreamBytes; all.remove_prefix(kBlock), bytes_ += kBlock)
      if (!is_next(all.substr(0, kBlock)) && bad_.empty()) bad_ = std::to_string(bytes_) + ": " + readable(all.substr(0, kBlock));
    rest_.erase(0, rest_.size() - all.size());
  }
  [[nodiscard]] bool whole() const { return bad_.empty() && next_ == std::vector<std::size_t>(kChildren, kBlocksEach); }
  /// The first block that is not as it should be, behind its place, its secret left out; empty when all that came are.
  [[nodiscard]] const std::string& bad() const { return bad_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// What came behind the blocks.
  [[nodiscard]] const std::string& rest() const { return rest_; }

 private:
  [[nodiscard]] std::string readable(std::string_view block) const {
    std::string out(block);
    for (std::size_t at = 0; (at = out.find(secret_, at)) != std::string::npos;) out.replace(at, secret_.size(), "SECRET");
    return out;
  }
  bool is_next(std::string_view block) {
    const auto child = static_cast<std::size_t>(block[0] - '0');
    if (child >= kChildren) return false;
    std::string number = std::to_string(next_[child]++);
    number.insert(0, 8 - number.size(), ' ');
    std::string expected = std::to_string(child) + " " + number + " " + secret_ + " ";
    expected.append(kLine - 1 - expected.size(), '.').append("\n");
    static const std::string rest = [] {
      std::string lines;
      while (lines.size() < kBlock - kLine) lines.append(kLine - 1, '.').append("\n");
      return lines;
    }();
    return block.substr(0, kLine) == expected && block.substr(kLine) == rest;
  }

  std::string secret_;
  std::vector<std::size_t> next_;
  std::size_t bytes_ = 0;
  std::string bad_;
  std::string rest_;
};

/// What a stream says without the lines of exec itself ("TIME [LEVEL] Runfold: ..."), in the midst of whatever they stand.
class WithoutNotices {
 public:
  /// As much more of it as ends with a line; all of it does.
  std::string take(std::string_view bytes) {
    std::string out;
    rest_.append(bytes);
    std::string_view all = rest_;
    for (auto end = all.find('\n'); end != all.npos; end = all.find('\n')) {
      const std::string_view line = all.substr(0, end + 1);
      const auto words = line.find("] Runfold: ");
      const auto level = words == line.npos ? line.npos : line.rfind('[', words);
      out.append(level != line.npos && level >= kTime ? line.substr(0, level - kTime) : line);
      all.remove_prefix(line.size());
    }
    rest_.erase(0, rest_.size() - all.size());
    return out;
  }

 private:
  static constexpr std::size_t kTime = std::string_view("2026-05-16 14:32:11 UTC ").size();
  std::string rest_;
};

std::int64_t in_ms(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// What stands in the topics of a run, which did not begin before `since`.
struct StormTold {
  StormTold(const std::string& run_id, std::chrono::system_clock::time_point since) {
    const kafka::Properties properties = test::kafka_at(broker_address());
    const std::vector<std::string> topics{"runfold.events", "runfold.logs"};
    const auto ranges = kafka::find_ranges(properties, topics, {.from_ms = in_ms(since), .to_ms = std::nullopt}, kPatience).value();
    const auto take = [&](const kafka::Message& message) {
      const auto& record = message.record();
      if (record.key != run_id) return true;
      const std::string value(record.value.value_or(""));
      if (record.topic == "runfold.events") {
        v1::SyncEvent event;
        EXPECT_TRUE(event.ParseFromString(value));
        if (event.has_completed()) end = event.completed();
        return true;
      }
      v1::LogBatch batch;
      EXPECT_TRUE(batch.ParseFromString(value));
      EXPECT_EQ(batch.first_sequence(), logs + 1);
      logs += static_cast<std::uint64_t>(batch.records_size());
      for (const auto& log : batch.records()) errors += log.severity() == v1::SEVERITY_ERROR ? 1 : 0;
      return true;
    };
    EXPECT_TRUE(kafka::read_ranges(properties, ranges, take, kPatience).has_value());
  }
  v1::Completed end;
  std::uint64_t logs = 0;
  std::uint64_t errors = 0;
};

TEST(Storm, WhatExecSaysItselfIsLeftOutWhereverItStandsAndHoweverItComes) {
  const std::string notice = "2026-05-16 14:32:11 UTC [WARN] Runfold: no broker [1/1] answers\n";
  const std::string all = notice + "1 2 Runfold: [x] ...." + notice + notice + "....\n[ERROR] the end\n" + notice;
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    WithoutNotices stream;
    const std::string first = stream.take(all.substr(0, cut));
    EXPECT_EQ(first + stream.take(all.substr(cut)), "1 2 Runfold: [x] ........\n[ERROR] the end\n") << cut;
  }
}

TEST(Storm, GigabytesOfOutputPassThroughWholeInBoundedMemoryAndWhatIsNotRecordedIsCounted) {
  test::create_topics(broker_address());
  const auto began = std::chrono::system_clock::now();
  const std::string run_id = unique_name("storm");
  const std::string secret = test::new_secret("what a storm of output repeats");
  Blocks out(secret);
  Blocks err(secret);
  WithoutNotices without_notices;  // exec tells of trouble with Kafka in between
  Program exec(
      {RUNFOLD_BINARY_DIR "/runfold",
       "exec",
       "--connector",
       "storm",
       "--run-id",
       run_id,
       "--bootstrap-servers",
       broker_address(),
       "--flush-timeout",
       "60s",
       "--redact-env",
       "STORM_SECRET",
       "--",
       "/usr/bin/python3",
       "-c",
       kStorm,
       std::to_string(kChildren),
       std::to_string(kBlocksEach),
       std::to_string(kBlock),
       std::to_string(kLine)},
      {{"STORM_SECRET", secret}}, [&](std::string_view bytes) { out.take(bytes); },
      [&](std::string_view bytes) { err.take(without_notices.take(bytes)); });
  ASSERT_NO_FATAL_FAILURE(test::expect_bounded_memory_until_the_end(exec));
  EXPECT_EQ(exec.wait().value().exit_code, 7);
  EXPECT_EQ(out.bytes(), kStreamBytes);
  EXPECT_TRUE(out.whole()) << out.bad();
  EXPECT_EQ(out.rest(), "");
  EXPECT_EQ(err.bytes(), kStreamBytes);
  EXPECT_TRUE(err.whole()) << err.bad();
  EXPECT_TRUE(err.rest().starts_with("2026-05-16 14:32:11 UTC [ERROR] the last words\n")) << err.rest();

  const StormTold told(run_id, began);
  EXPECT_EQ(told.end.result(), v1::RUN_RESULT_FAILURE);
  EXPECT_EQ(told.end.exit_code(), 7);
  ASSERT_EQ(told.end.totals_size(), 2);
  const v1::TopicTotals& totals = told.end.totals(1);
  // Of stdout its first 16 MiB, the last 256 KiB but for the line that they begin with, and one record of what is between.
  const std::uint64_t stdout_lines = (std::uint64_t{16} << 20) / kLine + (std::uint64_t{256} << 10) / kLine - 1 + 1;
  EXPECT_EQ(totals.emitted(), kStreamBytes / kLine + 1 + stdout_lines);
  std::uint64_t dropped = 0;
  for (const auto& drop : totals.drops()) {
    EXPECT_EQ(drop.reason(), v1::DROP_REASON_QUEUE_FULL);
    dropped += drop.records();
  }
  EXPECT_EQ(told.logs, totals.last_sequence());
  EXPECT_EQ(told.logs + dropped, totals.emitted());
  EXPECT_GT(told.logs, stdout_lines / 2) << "Kafka was there: not all may be dropped";
  EXPECT_EQ(told.errors, 1U) << "the last words pass a full queue";
}

}  // namespace
}  // namespace runfold

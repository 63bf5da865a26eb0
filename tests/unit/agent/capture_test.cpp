// Capture: bytes come out as they went in, lines are recorded, and nobody hangs.
#include "producer/agent/capture.hpp"

#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace runfold::agent {
namespace {

using runfold::test::wait_until;

/// A capture between two pipes, and what it recorded.
class CaptureTest : public ::testing::Test {
 protected:
  CaptureTest() {
    std::signal(SIGPIPE, SIG_IGN);
    in_ = make_pipe().value();
    out_ = make_pipe().value();
  }
  ~CaptureTest() override {
    in_.write_end.close();
    out_.read_end.close();
  }

  void start(v1::LogStream stream = v1::LOG_STREAM_STDOUT, std::optional<HeadAndTail::Limits> limits = {}) {
    CaptureOptions options;
    options.stream = stream;
    options.to = out_.write_end.get();
    options.limits = limits;
    capture_ = Capture::start(
                   std::move(in_.read_end), options,
                   [this](v1::LogRecord record) {
                     const std::scoped_lock lock(mutex_);
                     records_.push_back(std::move(record));
                   },
                   [this] { ended_ = true; })
                   .value();
  }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(in_.write_end.get(), bytes.data(), bytes.size());
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  std::string read(std::size_t size) {
    std::string all;
    char buffer[65536];
    while (all.size() < size) {
      const ssize_t n = ::read(out_.read_end.get(), buffer, std::min(sizeof buffer, size - all.size()));
      if (n <= 0) break;
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }
  bool ended() {
    return wait_until([this] { return ended_.load(); });
  }
  std::vector<v1::LogRecord> records() {
    const std::scoped_lock lock(mutex_);
    return records_;
  }
  std::vector<std::string> messages() {
    std::vector<std::string> all;
    for (const auto& record : records()) all.push_back(record.message());
    return all;
  }

  Pipe in_;
  Pipe out_;
  std::mutex mutex_;
  std::vector<v1::LogRecord> records_;
  std::atomic<bool> ended_{false};
  std::unique_ptr<Capture> capture_;
};

TEST_F(CaptureTest, RecordsTheBeginningAndTheEndOfALongStreamAndPassesAllOfItOn) {
  start(v1::LOG_STREAM_STDOUT, HeadAndTail::Limits{.head_bytes = 10, .tail_bytes = 14});
  std::string bytes;
  for (int i = 100; i < 200; ++i) bytes += "line " + std::to_string(i) + "\n";
  write(bytes + "last words");
  in_.write_end.close();
  EXPECT_EQ(read(bytes.size() + 10), bytes + "last words");
  ASSERT_TRUE(ended());
  EXPECT_EQ(messages(), (std::vector<std::string>{"line 100", "line 101",
                                                  "98 lines (882 bytes) are left out here: the output is longer than is recorded of it",
                                                  "last words"}));
  const v1::LogRecord gap = records().at(2);
  EXPECT_EQ(gap.stream(), v1::LOG_STREAM_STDOUT);
  EXPECT_EQ(gap.severity(), v1::SEVERITY_NOTICE);
  EXPECT_TRUE(gap.truncated());
  EXPECT_EQ(gap.detail_json(), R"({"left_out_bytes":882,"left_out_lines":98})");
}

TEST_F(CaptureTest, PassesBytesOnAsTheyAreAndRecordsLines) {
  start();
  const std::string bytes("one\n\0two\xff\nno newline", 20);
  write(bytes);
  in_.write_end.close();
  ASSERT_TRUE(ended());
  EXPECT_EQ(read(bytes.size()), bytes);
  const auto all = records();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].message(), "one");
  EXPECT_FALSE(all[0].partial());
  EXPECT_EQ(all[1].raw(), std::string("\0two\xff", 5));
  EXPECT_TRUE(all[2].partial());
}

TEST_F(CaptureTest, PassesOnWithoutWaitingForALineToEnd) {
  start();
  write("Password: ");
  EXPECT_EQ(read(10), "Password: ");
}

TEST_F(CaptureTest, RecordsAnUnfinishedLineThatStaysQuiet) {
  start();
  write("working...");
  EXPECT_TRUE(wait_until([this] { return !records().empty(); }));
  EXPECT_TRUE(records().front().partial());
}

TEST_F(CaptureTest, HoldsTheWriterUpWhenOurReaderDoesNotRead) {
  start();
  ::fcntl(in_.write_end.get(), F_SETFL, O_NONBLOCK);
  const std::string block(4096, 'x');
  std::size_t written = 0;
  bool blocked = false;
  // Both pipes and one read buffer can be filled, and then no more.
  for (int turn = 0; turn < 100'000 && !blocked; ++turn) {
    const ssize_t n = ::write(in_.write_end.get(), block.data(), block.size());
    if (n > 0) {
      written += static_cast<std::size_t>(n);
      continue;
    }
    pollfd room{in_.write_end.get(), POLLOUT, 0};
    blocked = ::poll(&room, 1, 300) == 0;
  }
  EXPECT_TRUE(blocked);
  EXPECT_LE(written, 512U * 1024);
  EXPECT_EQ(read(written).size(), written) << "what was held up comes when the reader reads again";
}

TEST_F(CaptureTest, ClosesThePipeWhenOurReaderHasGone) {
  start();
  out_.read_end.close();
  EXPECT_TRUE(wait_until([this] {
    const ssize_t n = ::write(in_.write_end.get(), "x\n", 2);
    return n < 0 && errno == EPIPE;
  }));
  EXPECT_TRUE(ended());
}

TEST_F(CaptureTest, EndsOnRequestThoughAGrandchildHoldsThePipe) {
  start();
  write("last words\n");
  capture_->drain_and_end();
  ASSERT_TRUE(ended());
  EXPECT_EQ(messages(), std::vector<std::string>{"last words"});
  EXPECT_EQ(read(11), "last words\n");
}

TEST_F(CaptureTest, EndsOnRequestThoughAGrandchildWritesWithoutPause) {
  start();
  std::thread reader([this] {
    char buffer[65536];
    while (::read(out_.read_end.get(), buffer, sizeof buffer) > 0) {
    }
  });
  std::thread writer([this] {
    const std::string block(65536, 'y');
    while (::write(in_.write_end.get(), block.data(), block.size()) > 0) {
    }
  });
  ASSERT_TRUE(wait_until([this] { return !records().empty(); }));
  capture_->drain_and_end();
  EXPECT_TRUE(ended());
  writer.join();
  capture_.reset();
  out_.write_end.close();
  reader.join();
}

TEST_F(CaptureTest, PassesTenMegabytesOnAndRecordsAllOfThem) {
  start(v1::LOG_STREAM_STDERR);
  std::string bytes;
  for (int i = 0; bytes.size() < 10U * 1024 * 1024; ++i) bytes += "line " + std::to_string(i) + " of a long output\n";
  std::string got;
  std::thread reader([&] { got = read(bytes.size()); });
  write(bytes);
  in_.write_end.close();
  ASSERT_TRUE(ended());
  reader.join();
  EXPECT_TRUE(got == bytes);
  std::string recorded;
  for (const auto& record : records()) recorded += record.message() + "\n";
  EXPECT_TRUE(recorded == bytes);
}

}  // namespace
}  // namespace runfold::agent

// Large output, long lines and bytes that are no text under runfold exec, as they stand on a real Apache Kafka.
#include "tests/broker/producer/exec_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::ExecRun;

constexpr std::size_t kPiece = 64 * 1024;

/// What a command says to one of its streams, as it stands in a file.
class Output {
 public:
  explicit Output(const std::string& bytes) { std::ofstream(path(), std::ios::binary) << bytes; }
  [[nodiscard]] std::string path() const { return (folder_.path() / "output").string(); }

 private:
  const test::TemporaryFolder folder_;
};

std::vector<v1::LogRecord> of_stream(const test::Told& told, v1::LogStream stream) {
  std::vector<v1::LogRecord> out;
  std::copy_if(told.logs.begin(), told.logs.end(), std::back_inserter(out), [&](const auto& log) { return log.stream() == stream; });
  return out;
}

/// The bytes that a record was made of: none are lost.
std::string bytes_of(const v1::LogRecord& record) {
  return (record.raw().empty() ? record.message() : record.raw()) + (record.partial() ? "" : "\n");
}

std::string joined(const std::vector<v1::LogRecord>& records) {
  std::string out;
  for (const auto& record : records) out += bytes_of(record);
  return out;
}

std::string numbered_lines(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "line " + std::to_string(100'000 + i) + "\n";
  return out;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(ExecBounds, OfALargeStdoutTheBeginningAndTheEndAreRecordedAndBetweenThemWhatIsLeftOut) {
  constexpr std::size_t kLimit = 40'000;
  const std::string all = numbered_lines(20'000);
  const Output output(all);
  const ExecRun run({"--stdout-limit", std::to_string(kLimit)}, {"/bin/cat", output.path()});
  EXPECT_EQ(run.out, all) << "it passes through whole";
  const auto records = run.told.logs;
  const auto gap = std::find_if(records.begin(), records.end(), [](const auto& record) { return record.truncated(); });
  ASSERT_NE(gap, records.end());
  EXPECT_EQ(gap->severity(), v1::SEVERITY_NOTICE);
  EXPECT_EQ(gap->stream(), v1::LOG_STREAM_STDOUT);
  const std::string head = joined({records.begin(), gap});
  const std::string tail = joined({gap + 1, records.end()});
  constexpr std::size_t kLine = 12;
  EXPECT_TRUE(all.starts_with(head));
  EXPECT_TRUE(head.size() >= kLimit && head.size() < kLimit + kLine) << head.size();
  EXPECT_TRUE(all.ends_with(tail));
  EXPECT_TRUE(tail.size() <= kLimit / 4 && tail.size() > kLimit / 4 - 2 * kLine) << tail.size();
  const auto left_out = boost::json::parse(gap->detail_json());
  EXPECT_EQ(left_out.at("left_out_bytes").to_number<std::size_t>(), all.size() - head.size() - tail.size());
  EXPECT_EQ(left_out.at("left_out_lines").to_number<std::size_t>(), lines_in(all) - lines_in(head) - lines_in(tail));
  EXPECT_EQ(run.told.end().totals(1).drops_size(), 0) << "what is left out on purpose is no loss";
}

TEST(ExecBounds, OfALargeStderrEveryLineIsRecordedWhateverTheLimitOfStdout) {
  // As many as find room even where all is slow.
  const std::string all = numbered_lines(4'000);
  const Output output(all);
  const ExecRun run({"--stdout-limit", "100"}, {"/bin/sh", "-c", "cat \"$1\" >&2; cat \"$1\"", "sh", output.path()});
  EXPECT_EQ(run.out, all);
  EXPECT_EQ(run.err, all);
  EXPECT_TRUE(joined(of_stream(run.told, v1::LOG_STREAM_STDERR)) == all);
  EXPECT_LT(of_stream(run.told, v1::LOG_STREAM_STDOUT).size(), 20U);
}

/// A command that says it on stdout and on stderr, where it passes through whole.
ExecRun said_on_both(const std::string& all) {
  const Output output(all);
  ExecRun run({}, {"/bin/sh", "-c", "cat \"$1\"; cat \"$1\" >&2", "sh", output.path()});
  EXPECT_EQ(run.out, all);
  EXPECT_EQ(run.err, all);
  return run;
}

TEST(ExecBounds, ALineWithoutEndIsRecordedInMarkedPiecesOfABoundedSize) {
  const std::string line(1'000'000, 'x');
  for (const std::string& all : {line + "\nbehind it\n", line}) {
    const ExecRun run = said_on_both(all);
    for (const auto stream : {v1::LOG_STREAM_STDOUT, v1::LOG_STREAM_STDERR}) {
      const auto records = of_stream(run.told, stream);
      EXPECT_EQ(joined(records), all) << "each piece but a line's last is marked as partial";
      EXPECT_GE(records.size(), all.size() / kPiece);
      for (const auto& record : records) EXPECT_LE(record.message().size(), kPiece);
    }
  }
}

TEST(ExecBounds, BytesThatAreNoTextAreReadableAndBesideThatAsTheyWere) {
  std::string all;
  std::uint32_t state = 1;
  while (all.size() < 300'000) all += static_cast<char>((state = state * 1'664'525 + 1'013'904'223) >> 24);
  all += "\n\xff\xfe\n";
  const ExecRun run = said_on_both(all);
  for (const auto stream : {v1::LOG_STREAM_STDOUT, v1::LOG_STREAM_STDERR}) {
    const auto records = of_stream(run.told, stream);
    EXPECT_EQ(joined(records), all) << stream;
    ASSERT_FALSE(records.empty());
    EXPECT_EQ(records.back().message(), "\xEF\xBF\xBD");
    EXPECT_EQ(records.back().raw(), "\xff\xfe");
  }
}

TEST(ExecBounds, AMessageThatIsTooLargeIsCutAndMarked) {
  const Output output("{\"level\":\"error\",\"message\":\"" + std::string(600'000, 'x') + "\"}");
  const ExecRun run(
      {}, {"/bin/sh", "-c", R"(curl -fsS -H "Authorization: Bearer $RUNFOLD_INTAKE_TOKEN" -d "@$1" "$RUNFOLD_INTAKE_URL/v1/job/log")", "sh",
           output.path()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto records = of_stream(run.told, v1::LOG_STREAM_APPLICATION);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records[0].truncated());
  EXPECT_LE(records[0].ByteSizeLong(), 256U * 1024);
  EXPECT_GT(records[0].message().size(), 100'000U);
  EXPECT_EQ(records[0].message().find_first_not_of('x'), std::string::npos);
}

}  // namespace
}  // namespace runfold

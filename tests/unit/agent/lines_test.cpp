// Lines: cut right whatever the reads were, and read right when they are in the fixed format.
#include "producer/agent/lines.hpp"

#include "producer/redact/records.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace runfold::agent {
namespace {

struct Piece {
  std::string bytes;
  bool partial = false;
  bool continues = false;
  bool operator==(const Piece&) const = default;
};
void PrintTo(const Piece& piece, std::ostream* out) {
  *out << "\"" << piece.bytes << "\"" << (piece.partial ? " partial" : "") << (piece.continues ? " continues" : "");
}

std::vector<Piece> split(const std::vector<std::string>& reads, std::size_t limit = 1024) {
  std::vector<Piece> pieces;
  LineSplitter splitter(limit, [&](const OutputLine& line) { pieces.push_back({std::string(line.bytes), line.partial, line.continues}); });
  for (const std::string& read : reads) splitter.feed(read);
  splitter.flush();
  return pieces;
}

using Pieces = std::vector<Piece>;

TEST(LineSplitter, GivesALineForEachNewline) {
  EXPECT_EQ(split({"a\n\nbc\n"}), (Pieces{{"a"}, {""}, {"bc"}}));
}

TEST(LineSplitter, JoinsALineThatCameInSeveralReads) {
  EXPECT_EQ(split({"he", "l", "lo\nwor", "ld\n"}), (Pieces{{"hello"}, {"world"}}));
}

TEST(LineSplitter, MarksALastLineWithNoNewline) {
  EXPECT_EQ(split({"a\nb"}), (Pieces{{"a"}, {"b", true}}));
}

TEST(LineSplitter, MarksThePieceThatContinuesAFlushedLine) {
  Pieces pieces;
  LineSplitter splitter(1024, [&](const OutputLine& line) { pieces.push_back({std::string(line.bytes), line.partial, line.continues}); });
  splitter.feed("50%");
  splitter.flush();
  splitter.feed(" 100%\nnext\n");
  EXPECT_EQ(pieces, (Pieces{{"50%", true}, {" 100%", false, true}, {"next"}}));
}

TEST(LineSplitter, CutsALongLineIntoPiecesThatAddUpToIt) {
  const Pieces expected{{"01234567", true}, {"89abcdef", true, true}, {"gh", false, true}, {"next"}};
  EXPECT_EQ(split({"0123456789abcdefgh\nnext\n"}, 8), expected);
  EXPECT_EQ(split({"0123456", "789abcdefgh\nne", "xt\n"}, 8), expected);
}

TEST(LineSplitter, HoldsBackWhatMayBeTheBeginningOfASecretUntilMoreComes) {
  Pieces pieces;
  const auto before_a_mark = [](std::string_view text) { return std::min(text.find('#'), text.size()); };
  LineSplitter splitter(
      8,
      [&](const OutputLine& line) {
        pieces.push_back({std::string(line.bytes), line.partial, line.continues});
      },
      before_a_mark);
  splitter.feed("abc#d");
  EXPECT_TRUE(splitter.holds_something());
  splitter.flush();
  EXPECT_EQ(pieces, (Pieces{{"abc", true}}));
  EXPECT_FALSE(splitter.holds_something()) << "nothing new, so nobody need come back for it";
  splitter.feed("efghijklmnopqrstuvwxyz");
  EXPECT_TRUE(splitter.holds_something());
  EXPECT_EQ(pieces.size(), 1U) << "though it is longer than the limit";
  splitter.feed("!\nxy#z");
  splitter.end();
  EXPECT_EQ(pieces, (Pieces{{"abc", true}, {"#defghijklmnopqrstuvwxyz!", false, true}, {"xy#z", true}}));
}

TEST(LineSplitter, TakesALineOfExactlyTheLimitWhole) {
  EXPECT_EQ(split({"01234567\n"}, 8), (Pieces{{"01234567"}}));
  EXPECT_EQ(split({"0123", "4567\n"}, 8), (Pieces{{"01234567"}}));
  EXPECT_EQ(split({"01234567", "\n"}, 8), (Pieces{{"01234567"}}));
}

TEST(LineSplitter, CutsNoCharacterInTwo) {
  EXPECT_EQ(split({"0123456\u00e9x\n"}, 8), (Pieces{{"0123456", true}, {"\u00e9x", false, true}}));
  EXPECT_EQ(split({"0123456\xc3", "\xa9x\n"}, 8), (Pieces{{"0123456", true}, {"\u00e9x", false, true}}));
}

TEST(LineSplitter, GivesTheSamePiecesHoweverTheBytesAreRead) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::string(static_cast<std::size_t>(i * 7 % 23), static_cast<char>('a' + i % 26)) + "\n";
  const Pieces whole = split({text}, 16);
  for (std::size_t size = 1; size < 40; ++size) {
    std::vector<std::string> reads;
    for (std::size_t at = 0; at < text.size(); at += size) reads.push_back(text.substr(at, size));
    EXPECT_EQ(split(reads, 16), whole) << "reads of " << size;
  }
}

TEST(FixedLine, IsReadWithTimeLevelAndMessage) {
  const auto line = parse_fixed_line("2026-05-16 14:32:11 UTC [ERROR] ERP returned [500]");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->at.time_since_epoch().count(), 1778941931);
  EXPECT_EQ(line->severity, v1::SEVERITY_ERROR);
  EXPECT_EQ(line->message, "ERP returned [500]");
}

TEST(FixedLine, KnowsEveryLevel) {
  const std::vector<std::pair<std::string, v1::Severity>> levels{
      {"DEBUG", v1::SEVERITY_DEBUG},  {"INFO", v1::SEVERITY_INFO},           {"NOTICE", v1::SEVERITY_NOTICE},
      {"WARN", v1::SEVERITY_WARNING}, {"ERROR", v1::SEVERITY_ERROR},         {"CRITICAL", v1::SEVERITY_CRITICAL},
      {"ALERT", v1::SEVERITY_ALERT},  {"EMERGENCY", v1::SEVERITY_EMERGENCY}, {"WARNING", v1::SEVERITY_WARNING}};
  for (const auto& [name, severity] : levels) {
    const std::string text = "2026-05-16 14:32:11 UTC [" + name + "] x";
    const auto line = parse_fixed_line(text);
    ASSERT_TRUE(line.has_value()) << name;
    EXPECT_EQ(line->severity, severity) << name;
  }
}

TEST(FixedLine, IsNotSeenInALineThatOnlyLooksLikeIt) {
  for (const char* text : {"", "plain", "2026-05-16 14:32:11 UTC INFO x", "2026-05-16 14:32:11 [INFO] x",
                           "2026-13-16 14:32:11 UTC [INFO] x", "2026-02-30 14:32:11 UTC [INFO] x", "2026-05-16 24:00:00 UTC [INFO] x",
                           "2026-05-16 14:32:11 UTC [SHOUT] x", "2026-05-16 14:32:11 UTC [INFO", "2026-05-16 14:32:11 UTC [3] x",
                           "2026-05-16 14:32:11 UTC [INFO]x", " 2026-05-16 14:32:11 UTC [INFO] x"}) {
    EXPECT_FALSE(parse_fixed_line(text).has_value()) << text;
  }
}

TEST(FixedLine, MayHaveAnEmptyMessage) {
  const auto line = parse_fixed_line("2026-05-16 14:32:11 UTC [INFO] ");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->message, "");
}

constexpr std::chrono::system_clock::time_point kArrived{std::chrono::milliseconds(1'790'000'000'250)};

/// The records of one stream.
class Records {
 public:
  explicit Records(v1::LogStream stream, std::size_t trace_bytes = 64 * 1024)
      : records_(stream, trace_bytes, [this](v1::LogRecord record) { all.push_back(std::move(record)); }) {}
  /// The record that this line gives.
  v1::LogRecord make(const OutputLine& line, std::chrono::system_clock::time_point arrived = kArrived) {
    records_.add(line, arrived);
    EXPECT_FALSE(all.empty());
    return all.empty() ? v1::LogRecord() : all.back();
  }
  void add(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) records_.add({line, false, false}, kArrived);
  }
  void flush() { records_.flush(); }
  [[nodiscard]] bool holds_something() const { return records_.holds_something(); }

  std::vector<v1::LogRecord> all;

 private:
  OutputRecords records_;
};

TEST(OutputRecords, TakeSeverityAndTimeFromALineInTheFixedFormat) {
  Records records(v1::LOG_STREAM_STDERR);
  const auto record = records.make({"2026-05-16 14:32:11 UTC [WARN] slow", false, false});
  EXPECT_EQ(record.stream(), v1::LOG_STREAM_STDERR);
  EXPECT_EQ(record.severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(record.message(), "slow");
  EXPECT_EQ(record.logged_at().seconds(), 1778941931);
  EXPECT_EQ(record.logged_at().nanos(), 0);
  EXPECT_EQ(record.raw(), "2026-05-16 14:32:11 UTC [WARN] slow") << "the exact line must not be lost";
}

TEST(OutputRecords, KeepTheMillisecondsOfALineThatArrivesWithinItsSecond) {
  Records records(v1::LOG_STREAM_STDERR);
  const auto arrived = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'778'941'931'417));
  const auto record = records.make({"2026-05-16 14:32:11 UTC [INFO] now", false, false}, arrived);
  EXPECT_EQ(record.logged_at().seconds(), 1778941931);
  EXPECT_EQ(record.logged_at().nanos(), 417'000'000);
}

TEST(OutputRecords, CallAPlainLineOfEitherStreamInfo) {
  for (const auto stream : {v1::LOG_STREAM_STDOUT, v1::LOG_STREAM_STDERR}) {
    Records records(stream);
    const auto record = records.make({"Segmentation fault", false, false});
    EXPECT_EQ(record.severity(), v1::SEVERITY_INFO);
    EXPECT_EQ(record.message(), "Segmentation fault");
    EXPECT_EQ(record.raw(), "");
    EXPECT_EQ(record.logged_at().seconds(), 1'790'000'000);
    EXPECT_EQ(record.logged_at().nanos(), 250'000'000);
  }
}

TEST(OutputRecords, LeaveStdoutAsItIs) {
  Records records(v1::LOG_STREAM_STDOUT);
  records.add({"2026-05-16 14:32:11 UTC [ERROR] x", "Traceback (most recent call last):", "  File"});
  ASSERT_EQ(records.all.size(), 3U);
  EXPECT_EQ(records.all[0].severity(), v1::SEVERITY_INFO);
  EXPECT_EQ(records.all[0].message(), "2026-05-16 14:32:11 UTC [ERROR] x");
}

TEST(OutputRecords, GiveAContinuationTheSeverityOfItsLine) {
  Records records(v1::LOG_STREAM_STDERR);
  EXPECT_TRUE(records.make({"2026-05-16 14:32:11 UTC [ERROR] half", true, false}).partial());
  EXPECT_EQ(records.make({" and half", false, true}).severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(records.make({"another", false, false}).severity(), v1::SEVERITY_INFO);
}

TEST(OutputRecords, KeepTheFieldsOfALineThatHasThem) {
  Records records(v1::LOG_STREAM_STDERR);
  const auto record = records.make({R"({"level":"error","msg":"no route","host":"erp"})", false, false});
  EXPECT_EQ(record.severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(record.message(), "no route");
  EXPECT_EQ(record.detail_json(), R"({"host":"erp"})");
  EXPECT_EQ(record.raw(), R"({"level":"error","msg":"no route","host":"erp"})");
}

TEST(OutputRecords, MakeOneErrorOfAStackTrace) {
  Records records(v1::LOG_STREAM_STDERR);
  records.add({"starting", "Traceback (most recent call last):", "  File \"a.py\", line 1, in <module>", "ValueError: bad"});
  EXPECT_TRUE(records.holds_something());
  records.add({"bye"});
  ASSERT_EQ(records.all.size(), 3U);
  EXPECT_EQ(records.all[1].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(records.all[1].message(), "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nValueError: bad");
  EXPECT_EQ(records.all[1].raw(), "");
  EXPECT_EQ(records.all[2].message(), "bye");
  EXPECT_EQ(records.all[2].severity(), v1::SEVERITY_INFO);
}

TEST(OutputRecords, MakeTwoErrorsOfTwoStackTracesWithNothingBetweenThem) {
  Records records(v1::LOG_STREAM_STDERR);
  records.add({"java.io.IOException: no route", "\tat com.acme.Http.get(Http.java:7)", "java.lang.NullPointerException",
               "\tat com.acme.Sync.run(Sync.java:12)", "bye"});
  ASSERT_EQ(records.all.size(), 3U);
  EXPECT_EQ(records.all[0].message(), "java.io.IOException: no route\n\tat com.acme.Http.get(Http.java:7)");
  EXPECT_EQ(records.all[1].message(), "java.lang.NullPointerException\n\tat com.acme.Sync.run(Sync.java:12)");
  EXPECT_EQ(records.all[1].severity(), v1::SEVERITY_ERROR);
}

TEST(OutputRecords, GiveATraceThatIsHeldWhenItsStreamIsQuietAndTheRestAsErrorsToo) {
  Records records(v1::LOG_STREAM_STDERR);
  records.add({"java.lang.IllegalStateException: boom"});
  EXPECT_TRUE(records.all.empty());
  records.flush();
  EXPECT_FALSE(records.holds_something());
  records.add({"\tat com.acme.Sync.run(Sync.java:12)"});
  records.flush();
  ASSERT_EQ(records.all.size(), 2U);
  EXPECT_EQ(records.all[1].severity(), v1::SEVERITY_ERROR);
}

TEST(OutputRecords, HoldNoMoreOfATraceThanTheBound) {
  Records records(v1::LOG_STREAM_STDERR, 1000);
  records.add({"StackOverflowError: deep"});
  for (int i = 0; i < 1000; ++i) records.add({"\tat com.acme.Sync.run(Sync.java:" + std::to_string(i) + ")"});
  records.flush();
  EXPECT_GT(records.all.size(), 30U);
  std::string whole;
  for (const auto& record : records.all) {
    EXPECT_LE(record.message().size(), 1000U);
    EXPECT_EQ(record.severity(), v1::SEVERITY_ERROR);
    whole += record.message() + "\n";
  }
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 1001) << "no line is lost";
}

TEST(OutputRecords, MarkATraceWhoseLastLineHasNoNewline) {
  Records records(v1::LOG_STREAM_STDERR);
  records.add({"panic: boom"});
  const auto record = records.make({"\tmain.go:3", true, false});
  EXPECT_EQ(record.message(), "panic: boom\n\tmain.go:3");
  EXPECT_TRUE(record.partial());
  EXPECT_EQ(records.make({" +0x1d", false, true}).severity(), v1::SEVERITY_ERROR);
}

TEST(OutputRecords, KeepTheEmptyLastLinesOfATraceInItsBytes) {
  Records records(v1::LOG_STREAM_STDERR);
  records.add({"Traceback (most recent call last):", "ValueError: bad", "", "bye"});
  ASSERT_EQ(records.all.size(), 2U);
  EXPECT_EQ(records.all[0].message(), "Traceback (most recent call last):\nValueError: bad");
  EXPECT_EQ(records.all[0].raw(), "Traceback (most recent call last):\nValueError: bad\n");
}

TEST(OutputRecords, KeepBytesThatAreNotUtf8BesideTheirReadableForm) {
  Records records(v1::LOG_STREAM_STDOUT);
  const std::string bytes(
      "a\xff\xfe"
      "b\0c",
      6);
  const auto record = records.make({bytes, false, false});
  EXPECT_EQ(record.message(), std::string("a\xEF\xBF\xBD"
                                          "b\0c",
                                          7));
  EXPECT_EQ(record.raw(), bytes);
}

TEST(OutputRecords, TakeNothingFromTheLineBefore) {
  Records records(v1::LOG_STREAM_STDERR);
  const v1::LogRecord rich = records.make({"level=warning msg=\"low disk\" free=3", true, false});
  EXPECT_FALSE(rich.raw().empty());
  EXPECT_FALSE(rich.detail_json().empty());
  records.make({" and the rest of it", false, true});
  const v1::LogRecord plain = records.make({"plain", false, false});
  EXPECT_EQ(plain.severity(), v1::SEVERITY_INFO);
  EXPECT_EQ(plain.message(), "plain");
  EXPECT_EQ(plain.raw(), "");
  EXPECT_EQ(plain.detail_json(), "");
  EXPECT_FALSE(plain.partial());
}

TEST(OutputRecordsTest, APrivateKeyIsReplacedLineByLine) {
  std::vector<std::string> messages;
  OutputRecords records(v1::LOG_STREAM_STDOUT, 1024, [&](v1::LogRecord record) { messages.push_back(record.message()); });
  for (const char* line : {"-----BEGIN PRIVATE KEY-----", "MIIEow==", "-----END PRIVATE KEY-----", "MIIEow=="}) {
    records.add({.bytes = line}, std::chrono::system_clock::now());
  }
  EXPECT_EQ(messages, (std::vector<std::string>{"-----BEGIN PRIVATE KEY-----", "[redacted]", "[redacted]", "MIIEow=="}));
}

TEST(OutputRecordsTest, ARegisteredSecretThatGoesFromANameIntoItsValueIsNotTakenApart) {
  auto redactor = std::make_shared<redact::Redactor>();
  for (const char* secret : {"Endpoint=abcdef", R"(ey": "abcdef)", "ERROR] abcdef"}) ASSERT_TRUE(redactor->add(secret));
  std::string recorded;
  std::vector<v1::Severity> severities;
  OutputRecords records(
      v1::LOG_STREAM_STDERR, 1024,
      [&](const v1::LogRecord& record) {
        recorded += redact::redacted(*redactor, record).value_or(record).SerializeAsString();
        severities.push_back(record.severity());
      },
      redactor);
  for (const char* line : {"level=error Endpoint=abcdef user=7", R"({"level": "error", "key": "abcdef", "user": 7})",
                           "2026-05-16 14:32:11 UTC [ERROR] abcdef"}) {
    records.add({line, false, false}, kArrived);
  }
  EXPECT_EQ(recorded.find("abcdef"), std::string::npos) << recorded;
  EXPECT_EQ(recorded.find("Endpoint"), std::string::npos) << recorded;
  EXPECT_EQ(severities, std::vector<v1::Severity>(3, v1::SEVERITY_ERROR));
}

}  // namespace
}  // namespace runfold::agent

// Durations, times and table cells as people write and read them.
#include "cli/duration.hpp"
#include "cli/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace runfold::cli {
namespace {

using std::chrono::milliseconds;

TEST(Duration, IsReadInItsUnits) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("90s"), milliseconds(90'000));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1'500));
  EXPECT_EQ(parse_duration("1h30m"), milliseconds(5'400'000));
  EXPECT_EQ(parse_duration("2d"), milliseconds(172'800'000));
  EXPECT_EQ(parse_duration("5"), milliseconds(5'000));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
  EXPECT_EQ(parse_duration("3650d"), parse_duration("315360000"));
  for (const char* wrong : {"", "s", "-5s", "5x", "1h30", "soon", "1e99s", "nan", "5 s", "inf", "9999999999", "1e300", "3651d"})
    EXPECT_FALSE(parse_duration(wrong).has_value()) << wrong;
}

TEST(Duration, IsWrittenShort) {
  EXPECT_EQ(format_duration(0), "0 ms");
  EXPECT_EQ(format_duration(999), "999 ms");
  EXPECT_EQ(format_duration(3'250), "3.2 s");
  EXPECT_EQ(format_duration(245'000), "4m 05s");
  EXPECT_EQ(format_duration(7'800'000), "2h 10m");
  EXPECT_EQ(format_duration(273'600'000), "3d 04h");
}

TEST(Time, IsReadAbsoluteOrAsHowLongAgo) {
  const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'778'941'931));
  EXPECT_EQ(parse_time("2h", now), "2026-05-16T12:32:11Z");
  EXPECT_EQ(parse_time("2026-05-16", now), "2026-05-16T00:00:00Z");
  EXPECT_EQ(parse_time("2026-05-16T14:32:11.5+02:00", now), "2026-05-16T14:32:11.5+02:00");
  EXPECT_FALSE(parse_time("tomorrow", now).has_value());
}

TEST(Printable, LetsNoControlCharacterThrough) {
  EXPECT_EQ(printable("a\tb\x1b[2J\r\n\x7f"), "a\tb\\x1b[2J\\x0d\\x0a\\x7f");
  EXPECT_EQ(printable("\u009b"
                      "31m \u00e9"),
            "\\x9b"
            "31m \u00e9");
  EXPECT_EQ(printable("a\nb", true), "a\nb");
}

TEST(TablePrint, AlignsByCharactersNotBytes) {
  Table table({{"NAME"}, {"N", true}, {"END"}});
  table.add({{"\u00e9\u00e9"}, {"7"}, {"x"}});
  table.add({{"abcde"}, {"42"}, {"y"}});
  std::ostringstream out;
  table.print(out, false);
  EXPECT_EQ(out.str(), "NAME    N  END\n\u00e9\u00e9      7  x\nabcde  42  y\n");
}

}  // namespace
}  // namespace runfold::cli

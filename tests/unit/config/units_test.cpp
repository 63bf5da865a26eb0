// Durations and sizes as text.
#include "collector/config_units.hpp"

#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

using namespace std::chrono_literals;

TEST(ConfigUnits, DurationsHaveAWholeNumberAndAUnit) {
  EXPECT_EQ(parse_duration("200ms"), 200ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("3m"), 3min);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  for (const char* bad : {"", "5", "s", "-1s", "1.5s", "5 s", "5sec", "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(ConfigUnits, SizesAreBytesUnlessABinaryUnitIsGiven) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("512"), 512U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("4MiB"), 4U * 1024 * 1024);
  EXPECT_EQ(parse_size("2GiB"), 2ULL * 1024 * 1024 * 1024);
  for (const char* bad : {"", "KiB", "4MB", "4M", "-1", "1.5GiB", "18446744073709551615GiB"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

TEST(ConfigUnits, TextIsInTheLargestUnitThatIsExact) {
  EXPECT_EQ(to_text(0ms), "0ms");
  EXPECT_EQ(to_text(1500ms), "1500ms");
  EXPECT_EQ(to_text(60s), "1m");
  EXPECT_EQ(to_text(48h), "2d");
  EXPECT_EQ(size_text(1000), "1000");
  EXPECT_EQ(size_text(65'536), "64KiB");
}

}  // namespace
}  // namespace runfold::collector

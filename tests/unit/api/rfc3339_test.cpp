// Times as text and back.
#include "collector/api/rfc3339.hpp"

#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

constexpr TimeNs kAt = 1'778'941'931'123'456'789;

TEST(Rfc3339, TimesAreUtcToTheMillisecond) {
  EXPECT_EQ(rfc3339(kAt), "2026-05-16T14:32:11.123Z");
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(999'999), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(line_time(kAt), "2026-05-16 14:32:11 UTC");
}

TEST(Rfc3339, OffsetsAndFractionsAreRead) {
  EXPECT_EQ(parse_rfc3339("2026-05-16T14:32:11.123456789Z"), kAt);
  EXPECT_EQ(parse_rfc3339("2026-05-16T16:32:11.123456789+02:00"), kAt);
  EXPECT_EQ(parse_rfc3339("2026-05-16t09:02:11.123456789-05:30"), kAt);
  EXPECT_EQ(parse_rfc3339("2026-05-16 14:32:11z"), kAt / 1'000'000'000 * 1'000'000'000);
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000'000'000);
  EXPECT_EQ(parse_rfc3339("1969-12-31T23:00:00-01:00"), 0);
}

TEST(Rfc3339, WhatIsNoTimeIsRefused) {
  for (const char* bad :
       {"", "2026", "2026-05-16", "2026-05-16T14:32:11", "2026-05-16T14:32:11.Z", "2026-05-16T14:32:11.1234567890Z", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-05-16T24:00:00Z", "2026-05-16T14:60:00Z", "2026-05-16T14:32:11Zx", "2026-05-16T14:32:11+2:00",
        "2026-05-16T14:32:11+0200", "1969-12-31T23:59:59Z", "2262-05-16T14:32:11Z", "-026-05-16T14:32:11Z"}) {
    EXPECT_EQ(parse_rfc3339(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace runfold::collector

// Offset bounds as text: what is written is read, and nothing else.
#include "collector/store/offsets.hpp"

#include <gtest/gtest.h>

namespace runfold::collector {
namespace {

TEST(Offsets, AreReadAsTheyAreWritten) {
  const std::vector<OffsetBounds> bounds{{0, 3, 17}, {12, 0, 9'000'000'000'000}};
  EXPECT_EQ(offsets_text(bounds), "0:3-17,12:0-9000000000000");
  EXPECT_EQ(parse_offsets(offsets_text(bounds)), bounds);
  EXPECT_EQ(offsets_text({}), "");
  EXPECT_EQ(parse_offsets(""), std::vector<OffsetBounds>());
}

TEST(Offsets, AnythingElseIsRefused) {
  for (const char* bad : {"0", "0:", "0:1", "0:1-", "0:1-2,", ",0:1-2", "0:1-2 ", "0:1-2;1:2-3", "x", "0:1-99999999999999999999"}) {
    EXPECT_FALSE(parse_offsets(bad)) << bad;
  }
}

}  // namespace
}  // namespace runfold::collector

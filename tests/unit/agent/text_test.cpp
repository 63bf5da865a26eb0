// Text: valid and bounded.
#include "producer/agent/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

TEST(Utf8, TellsValidFromInvalid) {
  for (const char* valid : {"", "plain", "\u00e9", "\u20ac", "\U0001F600"}) EXPECT_TRUE(is_utf8(valid)) << valid;
  for (const char* invalid : {"\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) EXPECT_FALSE(is_utf8(invalid));
}

TEST(Utf8, ReplacesEachBadRunByOneReplacementCharacter) {
  EXPECT_EQ(to_utf8("a\xff\xfe\xfd"
                    "b\xc3"),
            "a\uFFFDb\uFFFD");
  EXPECT_TRUE(is_utf8(to_utf8("\xe2\x82\xe2\x82\xac\xf0")));
}

TEST(Lines, AreCountedInTextsOfAnySize) {
  std::mt19937 random(7);
  for (const std::size_t size : {0, 1, 15, 16, 17, 31, 4080, 4095, 4096, 4097, 100'000}) {
    for (const unsigned every : {1U, 2U, 50U}) {
      std::string text(size, 'x');
      for (char& c : text) c = random() % every == 0 ? '\n' : c;
      EXPECT_EQ(count_lines(text), static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'))) << size << " " << every;
    }
  }
}

TEST(Utf8, PrefixStopsBeforeACharacterThatDoesNotFit) {
  EXPECT_EQ(utf8_prefix("abc", 8), "abc");
  EXPECT_EQ(utf8_prefix("ab\u20ac", 4), "ab");
  EXPECT_EQ(utf8_prefix("ab\u20ac", 5), "ab\u20ac");
  EXPECT_EQ(utf8_prefix(std::string(10, '\x80'), 4).size(), 4U) << "bytes that are no text are cut at the limit";
}

TEST(Severity, IsReadByNameAndByNumber) {
  const std::vector<std::pair<const char*, v1::Severity>> known{
      {"0", v1::SEVERITY_EMERGENCY},     {"7", v1::SEVERITY_DEBUG},       {"Warn", v1::SEVERITY_WARNING},  {"err", v1::SEVERITY_ERROR},
      {"EMERG", v1::SEVERITY_EMERGENCY}, {"crit", v1::SEVERITY_CRITICAL}, {"notice", v1::SEVERITY_NOTICE}, {"alert", v1::SEVERITY_ALERT}};
  for (const auto& [text, severity] : known) EXPECT_EQ(parse_severity(text), severity) << text;
  for (const char* unknown : {"", "8", "-1", "10", "warnings", "inf"}) EXPECT_FALSE(parse_severity(unknown).has_value()) << unknown;
}

}  // namespace
}  // namespace runfold::agent

// What exceptions of all kinds are said to say.
#include "producer/sdk/error_text.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace runfold {
namespace {

template <class Throw>
std::string text_of(Throw&& throw_it) {
  try {
    throw_it();
  } catch (...) {
    return error_text(std::current_exception());
  }
  return "nothing was thrown";
}

struct Silent : std::exception {
  const char* what() const noexcept override { return ""; }
};
struct Odd {};

void nest(int depth) {
  try {
    if (depth == 0) throw std::runtime_error("connection reset");
    nest(depth - 1);
  } catch (...) {
    std::throw_with_nested(std::runtime_error("level " + std::to_string(depth)));
  }
}

TEST(ErrorText, IsWhatTheExceptionSays) {
  EXPECT_EQ(text_of([] { throw std::runtime_error("disk on fire"); }), "disk on fire");
  EXPECT_EQ(text_of([] { throw std::string("thrown as text"); }), "thrown as text");
  EXPECT_EQ(text_of([] { throw "thrown as letters"; }), "thrown as letters");
}

TEST(ErrorText, OfNestedExceptionsIsThatOfEachFromTheOutermostIn) {
  EXPECT_EQ(text_of([] { nest(1); }), "level 1: level 0: connection reset");
}

TEST(ErrorText, OfAChainThatIsTooLongIsItsBeginning) {
  const std::string text = text_of([] { nest(100); });
  EXPECT_EQ(text.substr(0, 21), "level 100: level 99: ");
  EXPECT_EQ(text.substr(text.size() - 8), "level 85");
}

TEST(ErrorText, OfAnExceptionThatSaysNothingIsItsType) {
  EXPECT_EQ(text_of([] { throw 1; }), "an exception of type int");
  EXPECT_EQ(text_of([] { throw Odd{}; }), "an exception of type runfold::(anonymous namespace)::Odd");
  EXPECT_EQ(text_of([] { throw Silent{}; }), "an exception of type runfold::(anonymous namespace)::Silent");
}

TEST(ErrorText, OfAnOddTypeTellsWhatIsNestedInIt) {
  const std::string text = text_of([] {
    try {
      throw std::runtime_error("connection reset");
    } catch (...) {
      std::throw_with_nested(Odd{});
    }
  });
  EXPECT_EQ(text.substr(text.rfind(": ")), ": connection reset");
}

}  // namespace
}  // namespace runfold

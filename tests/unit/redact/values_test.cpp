// Registered secrets: what is refused, and that they are found however they are written and wherever a text is cut.
#include "producer/redact/redactor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace runfold::redact {
namespace {

Errc refusal_of(std::string_view secret) {
  Redactor redactor;
  const auto added = redactor.add(secret);
  EXPECT_FALSE(added.has_value()) << secret;
  EXPECT_FALSE(redactor.finds_in("a hunter2 abc"));
  if (secret == "hunter2\nabc") {
    EXPECT_EQ(added.error().message.find("hunter2"), std::string::npos) << "the message tells the secret";
  }
  return added ? Errc::kTooMany : added.error().code;
}

TEST(Secrets, ThatCannotBeLookedForAreRefused) {
  EXPECT_EQ(refusal_of(""), Errc::kEmpty);
  EXPECT_EQ(refusal_of(" \n\t"), Errc::kEmpty);
  EXPECT_EQ(refusal_of("a"), Errc::kTooShort);
  EXPECT_EQ(refusal_of("abc"), Errc::kTooShort);
  EXPECT_EQ(refusal_of("hunter2\nabc"), Errc::kTooShort);
  EXPECT_EQ(refusal_of(std::string(8193, 'x')), Errc::kTooLong);
  EXPECT_EQ(refusal_of("abc\xff"
                       "def"),
            Errc::kNotText);
  EXPECT_EQ(refusal_of("redacted"), Errc::kInTheReplacement);
  Redactor redactor;
  EXPECT_EQ(redactor.add("a").error().message, "is 1 bytes long and would be found everywhere; it needs at least 4");
  EXPECT_EQ(redactor.add("hunter2\n\nabc").error().message,
            "has a line (3) that is 3 bytes long and would be found everywhere; it needs at least 4");
}

TEST(Secrets, AreBoundedInNumber) {
  Redactor redactor;
  for (std::size_t i = 0; i < Values::kMaxSecrets; ++i) ASSERT_TRUE(redactor.add("secret-" + std::to_string(10'000 + i)));
  EXPECT_EQ(redactor.add("one more").error().code, Errc::kTooMany);
  EXPECT_EQ(redactor.replaced("x secret-10999 y").value_or(""), "x [redacted] y");
}

TEST(Secrets, AreFoundTogetherWhereTheyOverlap) {
  Redactor redactor;
  for (const char* secret : {"abcdef", "defghi", "abcd", "zzzz"}) ASSERT_TRUE(redactor.add(secret));
  EXPECT_EQ(redactor.replaced("x abcdefghi y abcd z defghi").value_or(""), "x [redacted] y [redacted] z [redacted]");
  EXPECT_EQ(redactor.replaced("abcde").value_or(""), "[redacted]e");
  EXPECT_EQ(redactor.replaced("zzzzzzzzz").value_or(""), "[redacted]");
  EXPECT_FALSE(redactor.finds_in("abc def ghi zzz"));
}

TEST(Secrets, AreFoundHoweverTheyAreEscaped) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("p\u00e4ss/w\U0001F600 \"9"));
  for (const char* written :
       {"p\u00e4ss/w\U0001F600 \"9", R"(p\u00e4ss\/w\ud83d\ude00 \"9)", R"(\u0070\u00E4ss/w\uD83D\uDE00\u0020\u00229)",
        "p%C3%A4ss%2Fw%F0%9F%98%80+%229", "p%c3%a4ss/w%f0%9f%98%80%20%229", "p%25C3%25A4ss%252Fw%25F0%259F%2598%2580%2B%25229",
        R"(p\\u00e4ss\\/w\\ud83d\\ude00 \\\"9)"}) {
    EXPECT_EQ(redactor.replaced(std::string("x ") + written + " y").value_or(""), "x [redacted] y") << written;
  }
  for (const char* other : {"p%C3%A4ss%2Fw%F0%9F%98%80+%228", "p\\u00e5ss/w", "pass/w", "%", "\\", "%C3", "\\u00", "p%ZZ"}) {
    EXPECT_FALSE(redactor.finds_in(other)) << other;
  }
}

TEST(Secrets, OfSeveralLinesAreReplacedLineByLine) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("  first line\r\n}\nsecond line\n"));
  EXPECT_EQ(redactor.replaced("first line").value_or(""), "[redacted]");
  EXPECT_EQ(redactor.replaced("x second line y }").value_or(""), "x [redacted] y }");
}

TEST(Secrets, RegisteredLaterAreFoundByThreadsThatAreLooking) {
  Redactor redactor;
  std::atomic<int> found{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!redactor.finds_in("a text with hunter2 in it")) std::this_thread::yield();
      ++found;
    });
  }
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(redactor.add("secret-" + std::to_string(i)));
  ASSERT_TRUE(redactor.add("hunter2"));
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(found, 2);
}

/// Random texts, secrets and ways to write them, from a seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::size_t up_to(std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random_); }
  bool heads() { return up_to(1) == 1; }
  /// Of characters that names, patterns and escapes are made of, and of others.
  std::string text(std::size_t size) {
    static const std::vector<std::string> kPieces{"a", "b", "B", "7", "0",          " ",     "%",   "\\",   "\"", "'",
                                                  "/", "+", "=", ":", "&",          "?",     "\t",  "{",    "}",  ",",
                                                  "-", "_", "u", "é", "\U0001F600", "token", "eyJ", "AKIA", "2",  "25"};
    std::string out;
    while (out.size() < size) out += kPieces[up_to(kPieces.size() - 1)];
    return out;
  }
  std::string secret() {
    for (;;) {
      std::string out = "k" + text(3 + up_to(up_to(3) == 0 ? 200 : 20)) + "9";
      if (Redactor().add(out)) return out;
    }
  }

  /// A JSON string's inside, its characters escaped in any of the ways that are allowed.
  std::string in_json(const std::string& plain) {
    std::string out;
    for (const char c : plain) {
      const bool must = c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
      if (static_cast<unsigned char>(c) >= 0x80 || (!must && up_to(3) != 0)) {
        out += c;
      } else if (c == '"' || c == '\\' || c == '/') {
        out += {'\\', c};
      } else if (c == '\t' && heads()) {
        out += "\\t";
      } else {
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, heads() ? "\\u%04x" : "\\u%04X", static_cast<unsigned>(c));
        out += escaped;
      }
    }
    return out;
  }
  /// Percent-encoded: what must be, and some of the rest.
  std::string in_uri(const std::string& plain) {
    std::string out;
    for (const char c : plain) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (letter && up_to(3) != 0) {
        out += c;
      } else if (c == ' ' && heads()) {
        out += '+';
      } else {
        char escaped[4];
        std::snprintf(escaped, sizeof escaped, heads() ? "%%%02x" : "%%%02X", static_cast<unsigned char>(c));
        out += escaped;
      }
    }
    return out;
  }
  std::string written(const std::string& plain) {
    switch (up_to(5)) {
      case 0:
        return in_json(plain);
      case 1:
        return in_uri(plain);
      case 2:
        return in_json(in_json(plain));
      case 3:
        return in_uri(in_uri(plain));
      case 4:
        return in_json(in_uri(plain));
      default:
        return plain;
    }
  }

 private:
  std::mt19937_64 random_;
};

TEST(Secrets, NeverRemainInARandomTextHoweverTheyAreWritten) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    Dice dice(seed);
    Redactor redactor;
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i <= dice.up_to(4); ++i) {
      secrets.push_back(dice.secret());
      ASSERT_TRUE(redactor.add(secrets.back()));
    }
    const std::string secret = secrets[dice.up_to(secrets.size() - 1)];
    const std::string written = dice.written(secret);
    const std::string before = dice.text(dice.up_to(80));
    const std::string behind = dice.text(dice.up_to(80));
    const std::string clean = redactor.replaced(before + written + behind).value_or(before + written + behind);
    EXPECT_EQ(clean.find(written), std::string::npos) << "seed " << seed << ": " << before << "|" << written << "|" << behind;
    for (const auto& one : secrets) EXPECT_EQ(clean.find(one), std::string::npos) << "seed " << seed;
  }
}

TEST(Secrets, NeverRemainWhereverATextIsCutInPieces) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Dice dice(seed);
    Redactor redactor;
    const std::string secret = dice.secret();
    ASSERT_TRUE(redactor.add(secret));
    const std::string written = dice.written(secret);
    const std::string text = dice.text(dice.up_to(60)) + written + dice.text(dice.up_to(60));
    std::string held;
    std::string clean;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + dice.up_to(30);
      held += text.substr(at, size);
      at += size;
      const std::size_t whole = redactor.whole_until(held);
      ASSERT_LE(whole, held.size());
      clean += redactor.replaced(held.substr(0, whole)).value_or(held.substr(0, whole)) + "\n";
      held.erase(0, whole);
    }
    clean += redactor.replaced(held).value_or(held);
    std::erase(clean, '\n');  // what is recorded in two pieces can be put together again
    EXPECT_EQ(clean.find(written), std::string::npos) << "seed " << seed << ": " << text;
    EXPECT_EQ(clean.find(secret), std::string::npos) << "seed " << seed << ": " << text;
  }
}

TEST(Pieces, ThatBeginElsewhereMayBeginWithTheEndOfASecret) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("hunter2/x"));
  EXPECT_EQ(redactor.cut_off("unter2/x and on"), 8U);
  EXPECT_EQ(redactor.cut_off("er2%2fx and on"), 7U);
  EXPECT_EQ(redactor.cut_off("x"), 1U);
  EXPECT_EQ(redactor.cut_off("hunter2/x is whole"), 0U) << "and replaced as such";
  EXPECT_EQ(redactor.cut_off("nothing of it"), 0U);
}

TEST(Pieces, AreCutWhereNothingThatMayBeASecretBegins) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("hunter2"));
  const auto rest = [&](const std::string& text) { return text.substr(redactor.whole_until(text)); };
  EXPECT_EQ(rest("nothing of it"), "");
  EXPECT_EQ(rest("it is hunt"), "hunt");
  EXPECT_EQ(rest("it is hunter2"), "");
  EXPECT_EQ(rest("it is hunter2 h"), "h");
  EXPECT_EQ(rest("it is hun%7"), "hun%7");
  EXPECT_EQ(rest("the password: "), "password: ");
  EXPECT_EQ(rest("the password=abc"), "password=abc");
  EXPECT_EQ(rest("the password=abc d"), "");
  EXPECT_EQ(rest("it is eyJhbGciOi"), "eyJhbGciOi");
  EXPECT_EQ(rest("it is AKIAIOSF"), "AKIAIOSF");
  EXPECT_EQ(rest("Bearer abc"), "Bearer abc");
  EXPECT_EQ(rest("to https://user:pass"), "https://user:pass");
  EXPECT_EQ(rest("/f?page=2&key=abc"), "&key=abc");
  EXPECT_EQ(rest("the password=abc,"), "password=abc,");
  EXPECT_EQ(rest("password=" + std::string(Redactor::kMaxHeldBack, 'x')), "") << "not for ever";
}

}  // namespace
}  // namespace runfold::redact

// Output that is cut in two anywhere: its pieces are redacted as the whole is.
#include "producer/redact/piece.hpp"

#include "producer/redact/finder.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runfold::redact {
namespace {

std::string clean(const Redactor& redactor, const std::string& text) {
  return redactor.replaced(text).value_or(text);
}

TEST(Pieces, AreRedactedAsTheWholeIsWhereverItIsCut) {
  const Redactor redactor;
  const std::vector<std::string> texts{
      "connecting to https://bob:hunter2@db.example.com/x now",
      "connecting to https://bob:hun/ter2.and-more@db.example.com/x now",
      R"({"url":"https:\/\/bob:hunter2@host\/x"})",
      "GET /files?key=hunter2&page=2 took 3 ms",
      "GET /files?page=2&sig=hunter2 took 3 ms",
      "the password: hunter2, and on",
      "the password=hunter2,more) and on",
      "the password=hun\"ter2 and on",
      "the client_secret = hunter2 and on",
      R"({"password" : "hunter2", "n": 1})",
      R"({"body":"{\"token\":\"hunter2\",\"page\":2}"})",
      "curl -H 'Authorization: Digest hunter2' https://x/",
      "Authorization=Basic hunter2 and on",
      "Authorization=[Basic hunter2] and on",
      "Cookie=[a=hunter2; b=hunter2] and on",
      "sent Bearer hunter2hunter2 and on",
      "h=Bearer%20hunter2hunter2&x",
      "user%5Bpassword%5D=hunter2&x=1",
      "-----BEGIN RSA PRIVATE KEY-----\nhunter2==\n-----END RSA PRIVATE KEY----- and on",
      "a -----BEGIN CERTIFICATE----- and on",
      "Working... 12 of 98: https://example.com:8080/a@b.c done",
  };
  for (const auto& text : texts) {
    const std::string whole = clean(redactor, text);
    ASSERT_EQ(whole.find("hunter2"), std::string::npos) << whole;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      const std::size_t size = piece_until(redactor, text.substr(0, cut));
      ASSERT_LE(size, cut);
      EXPECT_EQ(clean(redactor, text.substr(0, size)) + clean(redactor, text.substr(size)), whole) << text.substr(0, cut);
    }
  }
}

TEST(Pieces, EndBeforeWhatMayIntroduceASecret) {
  const Redactor redactor;
  const auto rest = [&](const std::string& text) { return text.substr(piece_until(redactor, text)); };
  EXPECT_EQ(rest("it is passw"), "passw");
  EXPECT_EQ(rest("it is \"password\" "), "\"password\" ");
  EXPECT_EQ(rest("it is Bear"), "Bear");
  EXPECT_EQ(rest("it is https:/"), "https:/");
  EXPECT_EQ(rest("it is -----BEGIN RSA PRIV"), "-----BEGIN RSA PRIV");
  EXPECT_EQ(rest("it is /f?ke"), "/f?ke");
  EXPECT_EQ(rest("it is done, "), "");
  EXPECT_EQ(rest("it is " + std::string(1000, 'x')), std::string(128, 'x'));
  EXPECT_EQ(rest("password=hunter2 " + std::string(120, '.') + "!"), "");
}

TEST(Pieces, ThatIntroduceOneSecretAfterTheOtherAreNotHeldForEver) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("token: abcdef"));
  for (const std::string one : {"Bearer ", "token: ", "https://"}) {
    std::string text;
    while (text.size() < 8000) text += one;
    EXPECT_LE(text.size() - piece_until(redactor, text), 1000U) << one;
    text += "token: abc";
    EXPECT_LE(piece_until(redactor, text), text.size() - 10) << "but none that is registered is cut in two";
  }
}

TEST(Pieces, NeverEndWithinASecretThatIsWhole) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("abc def"));
  const auto rest = [&](const std::string& text) { return text.substr(redactor.whole_until(text)); };
  EXPECT_EQ(rest("the password=xabc d"), "password=xabc d") << "the value ends in what another secret begins with";
  const std::string jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP://u";
  EXPECT_EQ(rest("it is " + jwt), jwt) << "its end looks like a URL's scheme";
}

TEST(Pieces, OfBracketsThatNothingClosesAreLookedThroughABoundedNumberOfTimes) {
  const Names names({}, {});
  for (const std::string one : {"token=( ", "token=(x ", "a&token=[ ", "token={' "}) {
    std::string text;
    while (text.size() < 64 * 1024) text += one;
    Found found;
    find_by_names_and_patterns(text, names, found);
    EXPECT_LE(found.bracket_bytes, 68U * 1024) << one;
    EXPECT_GT(found.bracket_bytes, 4U * 1024) << one;
    // Then the rest of the line is the value, and the next line's is looked for.
    const std::string clean = Redactor().replaced(text + "hunter2\npage=42").value_or("");
    EXPECT_EQ(clean.find("hunter2"), std::string::npos) << one;
    EXPECT_TRUE(clean.ends_with("page=42")) << one;
  }
}

}  // namespace
}  // namespace runfold::redact

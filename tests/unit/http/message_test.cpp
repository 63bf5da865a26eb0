// Fields, problem documents, and the small grammar beneath them.
#include "transport/http/message.hpp"

#include "transport/http/client.hpp"
#include "transport/http/syntax.hpp"
#include "transport/http/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

namespace runfold::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(Fields, CompareNamesWithoutRegardToCase) {
  Fields fields;
  fields.add("Set-Cookie", "a");
  fields.add("X", "1");
  fields.add("set-cookie", "b");
  EXPECT_EQ(fields.get("SET-COOKIE"), "a");
  EXPECT_EQ(fields.get("Y"), std::nullopt);
  fields.set("SET-cookie", "c");
  EXPECT_THAT(fields.all(), ElementsAre(Pair("X", "1"), Pair("SET-cookie", "c")));
}

TEST(Problem, IsADocumentWithItsMembers) {
  const Response response = Problem{404, "No such run", "There is no run \"x\".", {{"run_id", "x"}}}.to_response();
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.fields.get("Content-Type"), "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"about:blank","title":"No such run","status":404,"detail":"There is no run \"x\".","run_id":"x"})");
}

TEST(Problem, IsValidJsonWhateverBytesItQuotes) {
  const Response response = Problem{400, "t", "\xff\xc3(\xe2\x82\x01\"\n", {{"\x80", "\xf0\x9f"}}}.to_response();
  EXPECT_TRUE(is_utf8(response.body));
  EXPECT_EQ(boost::json::parse(response.body).as_object().at("detail").as_string(),
            "\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\x01\"\n");
}

TEST(PercentEncode, RoundTripsEveryText) {
  EXPECT_EQ(percent_encode("a/b c+é~"), "a%2Fb%20c%2B%C3%A9~");
  std::string all;
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode(percent_encode(all), true), all);
}

TEST(Utf8, KnowsOverlongSurrogateAndCutSequences) {
  for (const char* good : {"", "a", "é", "€", "😀", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                          "\xE2\x82", "\xC3("}) {
    EXPECT_FALSE(is_utf8(bad));
  }
  EXPECT_EQ(printable("ab\xff"
                      "c"),
            "ab\xEF\xBF\xBD"
            "c");
  EXPECT_EQ(printable("aaaaaaaa", 4), "aaaa...");
}

TEST(ListHolds, TakesSpacesAndCaseAsTheyCome) {
  EXPECT_TRUE(list_holds("keep-alive ,\tClose", "close"));
  EXPECT_FALSE(list_holds("closed, not-close", "close"));
  EXPECT_FALSE(list_holds("", "close"));
}

TEST(Url, IsTakenApart) {
  const Url url = parse_url("HTTPS://user:pa%20ss@Host.example:8443/a%2Fb?q=1#part").value();
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "Host.example");
  EXPECT_EQ(url.host_port(), "Host.example:8443");
  EXPECT_EQ(url.host_field(), "Host.example:8443");
  EXPECT_EQ(url.target, "/a%2Fb?q=1");
  EXPECT_EQ(url.authorization, "Basic dXNlcjpwYSBzcw==");
  EXPECT_EQ(parse_url("http://h").value().target, "/");
  EXPECT_EQ(parse_url("http://h?q").value().target, "/?q");
  EXPECT_EQ(parse_url("http://h:80").value().host_field(), "h");
  EXPECT_EQ(parse_url("http://[::1]:81/").value().host, "::1");
  EXPECT_EQ(parse_url("http://[::1]:81/").value().host_field(), "[::1]:81");
}

TEST(Url, SaysWhatIsWrongAndNoSecret) {
  for (const char* wrong :
       {"", "h:80", "//h/", "/path", "ftp://user:secret@h/", "http://", "http:///secret", "http://user:secret@/", "http://h:0/",
        "http://h:65536/", "http://h:x/", "http://us er:secret@h/secret", "http://user:se/cret@h/secret?secret", "http://h/secret path",
        "http://h%0d%0a/", "http://h/?secret\r\nX: y", "http://user:secret@h:x"}) {
    const auto url = parse_url(wrong);
    ASSERT_FALSE(url) << wrong;
    EXPECT_EQ(url.error().code, Errc::kInvalid);
    EXPECT_THAT(url.error().message, Not(testing::AnyOf(HasSubstr("secret"), HasSubstr("cret"), HasSubstr("user")))) << wrong;
  }
  EXPECT_THAT(parse_url("ftp://user:secret@files.example/x").error().message, HasSubstr("ftp://files.example is neither http nor https"));
}

}  // namespace
}  // namespace runfold::http

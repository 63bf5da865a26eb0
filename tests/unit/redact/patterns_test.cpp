// What names and patterns find in a text, and what looks alike and stays.
#include "producer/redact/redactor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::redact {
namespace {

using Cases = std::vector<std::pair<std::string, std::string>>;

void expect_replaced(const Cases& cases) {
  const Redactor redactor;
  for (const auto& [text, expected] : cases) {
    const std::string clean = redactor.replaced(text).value_or(text);
    EXPECT_EQ(clean, expected);
    EXPECT_FALSE(redactor.is_plain(text)) << text;
    EXPECT_FALSE(redactor.replaced(clean).has_value()) << "done twice it changes again: " << clean;
    // Wherever it stands in the blocks that are looked at together.
    for (std::size_t before = 1; before <= 33; ++before) {
      const std::string pad = std::string(before - 1, 'x') + ' ';
      EXPECT_EQ(redactor.replaced(pad + text + " behind").value_or(""), pad + expected + " behind") << before;
      EXPECT_FALSE(redactor.is_plain(pad + text + " behind")) << before;
    }
  }
}

void expect_kept(const std::vector<std::string>& texts) {
  const Redactor redactor;
  for (const auto& text : texts) EXPECT_FALSE(redactor.finds_in(text)) << text << " became " << redactor.replaced(text).value_or("");
}

TEST(Names, ValuesOfSecretNamesAreReplacedInEveryNotation) {
  expect_replaced({
      {"password=hunter2", "password=[redacted]"},
      {"PASSWORD = hunter2", "PASSWORD = [redacted]"},
      {"login with password: hunter2, user: bob", "login with password: [redacted], user: bob"},
      {R"({"password":"hunter2","user":"bob"})", R"({"password":"[redacted]","user":"bob"})"},
      {R"({"accessToken": "a\"b", "n": 1})", R"({"accessToken": "[redacted]", "n": 1})"},
      {R"({"pwd": "ends in \\", "n": 1})", R"({"pwd": "[redacted]", "n": 1})"},
      {R"({"credentials": {"user": "b}", "x": [1, "]"]}, "n": 1})", R"({"credentials": [redacted], "n": 1})"},
      {R"({"body":"{\"token\":\"abc\",\"page\":2}"})", R"({"body":"{\"token\":\"[redacted]\",\"page\":2}"})"},
      {"{'api_key': 'abc', 'n': 1}", "{'api_key': '[redacted]', 'n': 1}"},
      {"{'secret': b'abc', 'n': 1}", "{'secret': b'[redacted]', 'n': 1}"},
      {"    [password] => hunter2", "    [password] => [redacted]"},
      {R"(array("client_secret" => "abc", "n" => 1))", R"(array("client_secret" => "[redacted]", "n" => 1))"},
      {"Credentials(user=bob, password=abc)", "Credentials(user=bob, password=[redacted])"},
      {"Server=db;User Id=sa;Password=a,b!c;Database=x", "Server=db;User Id=sa;Password=[redacted];Database=x"},
      {"level=info msg=\"logged in\" token=abc user=bob", "level=info msg=\"logged in\" token=[redacted] user=bob"},
      {"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[redacted]"},
      {"PGPASSWORD=x DB_PASSWORD2=y DBPASSWORD=z", "PGPASSWORD=[redacted] DB_PASSWORD2=[redacted] DBPASSWORD=[redacted]"},
      {"x-api-key: abc", "x-api-key: [redacted]"},
      {"user[password]=abc&x=1", "user[password]=[redacted]&x=1"},
      {"user%5Bpassword%5D=abc&x=1", "user%5Bpassword%5D=[redacted]&x=1"},
      {"<a>token=abc</a>", "<a>token=[redacted]</a>"},
      {R"(failed: "https://x/f?token=abc", retrying)", R"(failed: "https://x/f?token=[redacted]", retrying)"},
      {R"(password=ab"cd)", R"(password=[redacted])"},
      {"token: Bearer abc", "token: [redacted]"},
      {"token=[redacted]abc", "token=[redacted]"},
  });
}

TEST(Names, OfHeadersTakeTheRestOfTheLine) {
  const Redactor redactor;
  const auto replaced = [&](const char* text) { return redactor.replaced(text).value_or(text); };
  EXPECT_EQ(replaced("Authorization: Basic dXNlcjpwYXNz x\nHost: a"), "Authorization: [redacted]\nHost: a");
  EXPECT_EQ(replaced("> Cookie: a=\"b\"; c=d\r\nHost: a"), "> Cookie: [redacted]\r\nHost: a");
  EXPECT_EQ(replaced("Set-Cookie: sid=abc; Path=/"), "Set-Cookie: [redacted]");
  EXPECT_EQ(replaced("curl -H 'Authorization: Digest a=1, b=2' https://x/"), "curl -H 'Authorization: [redacted]' https://x/");
  EXPECT_EQ(replaced(R"({"log":"Cookie: a=b\nHost: x"})"), R"({"log":"Cookie: [redacted]\nHost: x"})");
  EXPECT_EQ(replaced(R"({"Authorization":"Basic abc","Host":"x"})"), R"({"Authorization":"[redacted]","Host":"x"})");
  EXPECT_EQ(replaced("authorization=Basic abc host=x"), "authorization=[redacted] host=x");
}

TEST(Names, ValuesInBracketsAreTakenToTheOneThatCloses) {
  expect_replaced({
      {"Authorization=[Bearer abc123def456], n=1", "Authorization=[redacted], n=1"},
      {"Authorization=[Basic x]", "Authorization=[redacted]"},
      {"{Cookie=[a=1; b=2], Host=[x]}", "{Cookie=[redacted], Host=[x]}"},
      {"get(url, auth=('user', 'pa)ss'))", "get(url, auth=[redacted])"},
      {"credentials={user: [it's], n: {1}} n", "credentials=[redacted] n"},
      {"password=(a)b]c d", "password=[redacted] d"},
      {"password=(abc def", "password=[redacted] def"},
      {"password=[abc def\n]", "password=[redacted] def\n]"},
      {"{'auth': ('user', 'pass'), 'n': 1}", "{'auth': [redacted], 'n': 1}"},
  });
}

TEST(Names, ThatLookAlikeStay) {
  expect_kept({
      "author=Smith",
      "tokens=42 token_count=17 max_tokens: 4096",
      "password_reset=true and token_type=bearer",
      "secretary: Jane Doe",
      "monkey=1 keyboard: us key=42 sort_key=7 primary key: 12",
      "passed: 12, pass=3",
      R"({"token": null, "password": false, "secret": true})",
      "token=",
      "the password: ",
      "std::token::kind == Token::kEnd",
      "if (token != expected)",
      "cookie_count=3",
      "authorized: yes, session: 42 minutes",
      "code=404 sig=9 signature: void f(int)",
      "uploaded 42 of 98 invoices at 14:32:11, ratio=0.5",
  });
}

TEST(Names, AreConfigurable) {
  const Redactor redactor({.keys = {"pin", "X-Plan-Code"}, .kept_keys = {"csrf_token", "PWD"}});
  const auto replaced = [&](const char* text) { return redactor.replaced(text).value_or(text); };
  EXPECT_EQ(replaced("cardPin=1234 xplancode: 7 spin=3"), "cardPin=[redacted] xplancode: [redacted] spin=[redacted]");
  EXPECT_EQ(replaced("csrf-token=abc PWD=/home/x OLD_PWD=/y my_csrf_token=z"),
            "csrf-token=abc PWD=/home/x OLD_PWD=[redacted] my_csrf_token=[redacted]");
}

TEST(Uris, LoseUserInfoAndTokenLikeValues) {
  expect_replaced({
      {"https://u:p@api.example.com/files/42", "https://[redacted]@api.example.com/files/42"},
      {"amqp://u:p/w@host:5672/v", "amqp://[redacted]@host:5672/v"},
      {"https://ghp_abc@github.com/x.git", "https://[redacted]@github.com/x.git"},
      {R"({"url":"https:\/\/u:p@host\/x"})", R"({"url":"https:\/\/[redacted]@host\/x"})"},
      {"https://api.example.com/f?token=abc&page=2", "https://api.example.com/f?token=[redacted]&page=2"},
      {"/f?page=2&access_token=abc", "/f?page=2&access_token=[redacted]"},
      {"/f?API_KEY=a&X-Amz-Signature=b&sig=c&password=d",
       "/f?API_KEY=[redacted]&X-Amz-Signature=[redacted]&sig=[redacted]&password=[redacted]"},
      {"/cb?code=abc&key=k#t", "/cb?code=[redacted]&key=[redacted]"},
      {"/f?u=https://a:b@c/", "/f?u=https://[redacted]@c/"},
  });
  expect_kept({
      "/f?monkey=1&sorted",
      "/users/a@b.c?x=1",
      "https://api.example.com",
      "https://api.example.com:8080/users/a@b.c",
      "https://example.com/?mail=a@b.c",
      "mailto:a@b.c git@github.com:a/b.git",
      "a://b and c@d",
  });
}

TEST(Patterns, CredentialsAreToldByTheirLooks) {
  const std::string jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g";
  expect_replaced({
      {"got " + jwt + ".", "got [redacted]"},
      {"cookie jar: " + jwt, "cookie jar: [redacted]"},
      {"unsigned eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "unsigned [redacted]"},
      {"key AKIAIOSFODNN7EXAMPLE.", "key [redacted]."},
      {"(ASIAIOSFODNN7EXAMPLE)", "([redacted])"},
      {"sent Bearer abcdef123 to", "sent Bearer [redacted] to"},
      {"BEARER  abcdefghijklmnopqrstuvwxyz", "BEARER  [redacted]"},
      {"h=Bearer%20abc123def&x", "h=Bearer%20[redacted]&x"},
  });
  const Redactor redactor;
  const std::string key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----";
  EXPECT_EQ(redactor.replaced("a " + key + " b " + key).value_or(""), "a [redacted] b [redacted]");
  EXPECT_EQ(redactor.replaced("a -----BEGIN PRIVATE KEY-----\nMIIE").value_or(""), "a [redacted]");
  EXPECT_EQ(redactor.replaced(R"({"k":"-----BEGIN EC PRIVATE KEY-----\nMIIE\n-----END EC PRIVATE KEY-----\n"})").value_or(""),
            R"({"k":"[redacted]\n"})");
}

TEST(Patterns, WhatLooksAlikeStays) {
  expect_kept({
      "eyJustKidding.andThisIsNot",
      "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
      "keyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
      "eyJab.cd.ef",
      "AKIAIOSFODNN7EXAMPL",
      "AKIAIOSFODNN7EXAMPLE1",
      "XAKIAIOSFODNN7EXAMPLE",
      "AKIAiosfodnn7example",
      "the bearer of bad news",
      "Bearer authentication failed",
      "forbearer abcdef123",
      "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
      "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
      "----- BEGIN PRIVATE KEY -----",
      "--------------------------------------------------",
  });
}

TEST(Plain, IsNoTextInWhichAnythingMayBegin) {
  const Redactor redactor;
  for (std::size_t size = 0; size <= 50; ++size) {
    const std::string harmless(size, 'x');
    EXPECT_TRUE(redactor.is_plain(harmless)) << size;
    for (const std::string_view beginning : {"=", ":", "--", "ey", "AK", "AS", "rer", "RER", "reR", "\x80", "\xff"}) {
      for (std::size_t at = 0; at + beginning.size() <= size; ++at) {
        std::string text = harmless;
        text.replace(at, beginning.size(), beginning);
        ASSERT_FALSE(redactor.is_plain(text)) << beginning << " at " << at << " of " << size;
      }
    }
  }
  EXPECT_TRUE(redactor.is_plain("uploaded invoice 12345 of 98765 to the container, 2 relationships, 1 warning", "", "step-1"));
  EXPECT_FALSE(redactor.is_plain("harmless", "a=b"));
}

TEST(Plain, IsExactlyWhatHasNeitherABeginningNorAnythingElseThanAscii) {
  constexpr std::string_view kAlphabet = "eyAKSrREB -:=/@.tokn\"\\1\xc3";
  constexpr std::array<std::string_view, 7> kBeginnings{"=", ":", "--", "ey", "AK", "AS", "\xc3"};
  const Redactor redactor;
  std::mt19937 random(1);
  int plain = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string text(random() % 40, ' ');
    for (auto& c : text) c = random() % 2 == 0 ? 'x' : kAlphabet[random() % kAlphabet.size()];
    std::string lower = text;
    for (auto& c : lower) c = static_cast<char>(c == 'R' ? 'r' : c == 'E' ? 'e' : c);
    const bool begins =
        lower.find("rer") != std::string::npos ||
        std::any_of(kBeginnings.begin(), kBeginnings.end(), [&](std::string_view what) { return text.find(what) != std::string::npos; });
    ASSERT_EQ(redactor.is_plain(text), !begins) << text;
    plain += begins ? 0 : 1;
  }
  EXPECT_GT(plain, 10'000);
  EXPECT_LT(plain, 90'000);
}

TEST(Plain, IsNoTextWithTheBeginningOfARegisteredSecret) {
  Redactor redactor;
  for (const char* secret : {"hunter2", "correct horse", "q rst", "zz\xc3\xa9zz"}) ASSERT_TRUE(redactor.add(secret));
  for (std::size_t before = 0; before < 40; ++before) {
    for (std::size_t behind = 0; behind < 40; behind += 13) {
      const auto within = [&](std::string_view what) { return std::string(before, 'x').append(what).append(behind, 'x'); };
      ASSERT_TRUE(redactor.is_plain(within(""))) << before;
      ASSERT_TRUE(redactor.is_plain(within(" uh nt oc r")) || before + behind == 0) << before;
      // However it is written.
      for (const char* what :
           {"hunter2", "hunte\\u0072\x32", "\\u0068unter2", "%68unter2", "h%75nter2", "correct horse", "correct+horse", "q+rst", "zz"}) {
        ASSERT_FALSE(redactor.is_plain(within(what))) << what << " behind " << before;
      }
    }
  }
}

TEST(Plain, IsNothingWhereTooManySecretsAreRegisteredToLookQuickly) {
  Redactor redactor;
  for (std::size_t i = 0; i < Values::kFewPairs; ++i) {
    const std::string begin{static_cast<char>('a' + i), '7'};
    ASSERT_TRUE(redactor.add(begin + "secret"));
    ASSERT_TRUE(redactor.add(begin + "another of these first bytes"));
    ASSERT_TRUE(redactor.is_plain("a text"));
    ASSERT_FALSE(redactor.is_plain("text " + begin)) << begin;
  }
  ASSERT_TRUE(redactor.add("~~~~"));
  EXPECT_FALSE(redactor.is_plain("a text"));
}

TEST(Json, StaysOneValue) {
  Redactor redactor;
  ASSERT_TRUE(redactor.add("123456"));
  ASSERT_TRUE(redactor.add("a\",\"b"));
  ASSERT_TRUE(redactor.add("u0041bc"));
  const auto replaced = [&](const char* text) { return redactor.replaced_in_json(text).value_or("kept"); };
  EXPECT_EQ(replaced(R"({"count":42})"), "kept");
  EXPECT_EQ(replaced(R"({"token":1234,"n":[1]})"), R"({"token":"[redacted]","n":[1]})");
  EXPECT_EQ(replaced(R"({"secrets":["x","y"],"n":1})"), R"({"secrets":"[redacted]","n":1})");
  EXPECT_EQ(replaced(R"({"n":-1234567.5,"m":2})"), R"({"n":"[redacted]","m":2})");
  EXPECT_EQ(replaced(R"(["x123456y",{"123456":0}])"), R"(["x[redacted]y",{"[redacted]":0}])");
  EXPECT_EQ(replaced(R"({"a":"token=abc"})"), R"({"a":"token=[redacted]"})");
  EXPECT_EQ(replaced(R"({"x":"a","b":1})"), R"("[redacted]")") << "the secret took a string's border with it";
  EXPECT_EQ(replaced(R"({"x":"\u0041bcd"})"), R"("[redacted]")") << "it took a part of an escape with it";
}

}  // namespace
}  // namespace runfold::redact

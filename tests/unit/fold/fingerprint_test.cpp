// Calls that failed for the same reason have one fingerprint, others have others.
#include "collector/decode_wire.hpp"
#include "collector/fold_fingerprint.hpp"
#include "tests/support/random_messages.hpp"

#include <gtest/gtest.h>

#include <set>

namespace runfold::collector {
namespace {

struct Shaped {
  const char* from;
  const char* to;
};

TEST(Fingerprint, AUriBecomesItsTemplate) {
  for (const auto& [from, to] : {
           Shaped{"", ""},
           {"/", "/"},
           {"/files", "/files"},
           {"/files/", "/files/"},
           {"/files/42", "/files/{id}"},
           {"/files/42/", "/files/{id}/"},
           {"/files/42.pdf", "/files/{id}.pdf"},
           {"/files/report-2026-10.tar.gz", "/files/{id}.gz"},
           {"/v1/sites/42/files/7", "/v1/sites/{id}/files/{id}"},
           {"/v2/oauth2/token", "/v2/oauth2/token"},
           {"/api/v1.2/x", "/api/v1.2/x"},
           {"/o/6f9619ff-8b86-d011-b42d-00c04fc964ff", "/o/{id}"},
           {"/o/6F9619FF-8B86-D011-B42D-00C04FC964FF/x", "/o/{id}/x"},
           {"/o/deadbeef", "/o/{id}"},
           {"/o/deadbee", "/o/deadbee"},
           {"/o/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/o/{id}"},
           {"/o/aGVsbG9Xb3JsZEhlbGxv7", "/o/{id}"},
           {"/o/INV-2026-17", "/o/{id}"},
           {"/users/ann@example.com", "/users/{id}"},
           {"/users/ann%40example.com", "/users/{id}"},
           {"/caf%C3%A9s/%C3%A9t%C3%A9", "/caf%C3%A9s/%C3%A9t%C3%A9"},
           {"/odata/Orders(5)", "/odata/Orders({id})"},
           {"/odata/Orders(6f9619ff-8b86-d011-b42d-00c04fc964ff)/Items", "/odata/Orders({id})/Items"},
           {"/odata/Orders()", "/odata/Orders()"},
           {"/a?b=1&a=2", "/a?a={}&b={}"},
           {"/a?a=2&b=1&a=3", "/a?a={}&b={}"},
           {"/a?", "/a"},
           {"/a?&&x", "/a?x"},
           {"/a?1700000000", "/a?{id}"},
           {"/a?q=x/17#f?g", "/a?q={}"},
           {"/a/17#17", "/a/{id}"},
           {"https://api.example.com:8443/files/42?x=1", "https://api.example.com:8443/files/{id}?x={}"},
           {"https://user:secret@api.example.com/files", "https://api.example.com/files"},
           {"https://api.example.com", "https://api.example.com"},
           {"/proxy/https://other.example.com/42", "/proxy/https://other.example.com/{id}"},
       }) {
    EXPECT_EQ(uri_template(from), to) << from;
  }
}

TEST(Fingerprint, ABodyBecomesItsShape) {
  for (const auto& [from, to] : {
           Shaped{"", ""},
           {" \n\t ", ""},
           {"no such file", "no such file"},
           {"  no\r\n  such\tfile \n", "no such file"},
           {"order 17 is gone", "order {n} is gone"},
           {"took 1.5 ms, then 1,000.25 ms", "took {n} ms, then {n} ms"},
           {"ids 1, 2,3 ,4", "ids {n} ,{n}"},
           {"from 10.0.0.7:443", "from {n}:{n}"},
           {"at 2026-05-16T14:32:11.123Z", "at {n}:{n}:{n}Z"},
           {"request 6f9619ff-8b86-d011-b42d-00c04fc964ff failed", "request {n} failed"},
           {"request 12345678-8886-1011-1421-001041964111 failed", "request {n} failed"},
           {"trace deadbeef12", "trace {n}"},
           {"E42 in step_7 of utf-8", "E{n} in step_{n} of utf-{n}"},
           {R"({"error":"not found","id":"A7x","n":5})", R"({"error":"not found","id":"{n}","n":{n}})"},
           {R"({"a":"b","c":"d"})", R"({"a":"b","c":"d"})"},
           {R"({"a": 1, "b": 2})", R"({"a": {n}, "b": {n}})"},
           {R"({"error": "customer 'cus/9:1' not found"})", R"({"error": "customer '{n}' not found"})"},
           {R"({"error": "order \"A7\" is gone"})", R"({"error": "order \"A{n}\" is gone"})"},
           {"can't find item 5, it's gone", "can't find item {n}, it's gone"},
           {"'unclosed 7", "'unclosed {n}"},
           {"ends in \\", "ends in \\"},
           {"\"\"", "\"\""},
           {"größer als 7 €", "größer als {n} €"},
       }) {
    EXPECT_EQ(body_shape(from), to) << from;
  }
}

TEST(Fingerprint, CallsThatDifferOnlyInWhatVariesShareOne) {
  const auto one = api_failure_kind("GET", "/files/17?page=2", 404, "no file 17");
  const auto two = api_failure_kind("get", "/files/6f9619ff-8b86-d011-b42d-00c04fc964ff?page=9", 404, "no   file 18");
  EXPECT_EQ(one, two);
  EXPECT_EQ(one.method, "GET");
  EXPECT_EQ(one.uri_template, "/files/{id}?page={}");
  EXPECT_EQ(one.body, "no file {n}");
}

TEST(Fingerprint, MethodUriCodeAndBodyEachMakeAnother) {
  std::set<std::string> all;
  all.insert(api_failure_kind("GET", "/files", 404, "no").fingerprint);
  all.insert(api_failure_kind("PUT", "/files", 404, "no").fingerprint);
  all.insert(api_failure_kind("GET", "/file", 404, "no").fingerprint);
  all.insert(api_failure_kind("GET", "/files", 500, "no").fingerprint);
  all.insert(api_failure_kind("GET", "/files", std::nullopt, "no").fingerprint);
  all.insert(api_failure_kind("GET", "/files", 404, "yes").fingerprint);
  all.insert(api_failure_kind("GET", "/filesno", 404, "").fingerprint);
  EXPECT_EQ(all.size(), 7U);
}

TEST(Fingerprint, IsTheSameOnEveryMachineAndInEveryRelease) {
  // Stores hold it: when this fails, the rules have changed, and the version has to as well.
  EXPECT_EQ(api_failure_kind("GET", "/files/17", 404, "no file 17").fingerprint, "v1:b624c426d262b60d");
  EXPECT_EQ(api_failure_kind("", "", std::nullopt, "").fingerprint, "v1:d1d4d11cf4c9dd62");
}

TEST(Fingerprint, HostileTextIsBoundedAndStaysText) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    runfold::test::RandomMessages random(seed);
    std::string text;
    static constexpr std::string_view kParts[] = {"/", "?", "&", "=", "#", "\"", "'",   "`",  "\\",
                                                  "%", "(", ")", "@", ".", ",",  "://", "{n}"};
    for (std::uint64_t i = random.below(300); i > 0; --i) {
      text += random.one_in(3) ? std::string(kParts[random.below(std::size(kParts))]) : random.text(20);
    }
    for (const std::string& shape : {uri_template(text), body_shape(text)}) {
      ASSERT_LE(shape.size(), kMaxShapeBytes) << "seed " << seed;
      ASSERT_TRUE(wire::valid_utf8(shape)) << "seed " << seed;
    }
    ASSERT_EQ(api_failure_kind(text, text, 400, text), api_failure_kind(text, text, 400, text));
  }
  EXPECT_EQ(body_shape(std::string(1'000'000, '7')), "{n}");
  EXPECT_LE(uri_template("/a?" + std::string(1'000'000, '&')).size(), kMaxShapeBytes);
}

TEST(Fingerprint, WhatIsLongIsTheSameWhenItBeginsTheSame) {
  const std::string words = [] {
    std::string text;
    while (text.size() < 2 * kMaxShapeBytes) text += "word ";
    return text;
  }();
  EXPECT_EQ(body_shape(words + "a"), body_shape(words + "b"));
  EXPECT_NE(body_shape("a " + words), body_shape("b " + words));
}

}  // namespace
}  // namespace runfold::collector

// A list made of an old one is the list that was asked for, whatever the old one held.
#include "transport/kafka/header_lists.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::kafka::test {
namespace {

using Pairs = std::vector<std::pair<std::string, std::optional<std::string>>>;

Pairs pairs_of(const HeadersHandle& list) {
  Pairs out;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(list.get(), i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    out.emplace_back(name, value == nullptr ? std::nullopt : std::optional(std::string(static_cast<const char*>(value), size)));
  }
  return out;
}

std::vector<Header> headers_of(const Pairs& pairs) {
  std::vector<Header> out;
  for (const auto& [name, value] : pairs) out.push_back({.name = name, .value = value});
  return out;
}

/// What a list made of one of `old` holds.
Pairs made_anew(const Pairs& old, const Pairs& wanted) {
  HeaderLists lists(1);
  lists.take_back(lists.make(headers_of(old)));
  return pairs_of(lists.make(headers_of(wanted)));
}

TEST(HeaderLists, AnOldListBecomesTheNewOne) {
  const std::vector<Pairs> all{
      {{"type", "event"}, {"trace", "00-ab-cd-01"}, {"time", "1"}, {"id", "run/1"}},
      {{"type", "event"}, {"trace", "00-ab-cd-01"}, {"time", "1"}, {"id", "run/2"}},
      {{"type", "event"}, {"time", "1"}, {"id", "run/2"}},
      {{"id", "run/2"}, {"time", "1"}, {"type", "event"}},
      {{"type", "log"}},
      {{"type", ""}},
      {{"type", std::nullopt}},
      {{"type", "event"}, {"type", "event"}},
      {{"type", "event"}, {"type", "log"}, {"id", std::string("a\0b", 3)}},
      {{"type", "event"}, {"id", std::string("a\0c", 3)}, {"type", "log"}},
      {{"typ", "event"}, {"", "no name"}},
  };
  for (const Pairs& old : all) {
    for (const Pairs& wanted : all) EXPECT_EQ(made_anew(old, wanted), wanted) << old.size() << " before " << wanted.size();
  }
}

TEST(HeaderLists, WhatIsTheSameIsKept) {
  HeaderLists lists(1);
  HeadersHandle list = lists.make(headers_of({{"type", "event"}, {"id", "1"}}));
  const rd_kafka_headers_t* same_list = list.get();
  const void* first = nullptr;
  std::size_t size = 0;
  rd_kafka_header_get_last(list.get(), "type", &first, &size);
  lists.take_back(std::move(list));

  list = lists.make(headers_of({{"type", "event"}, {"id", "2"}}));
  const void* again = nullptr;
  rd_kafka_header_get_last(list.get(), "type", &again, &size);
  EXPECT_EQ(list.get(), same_list);
  EXPECT_EQ(again, first);
}

TEST(HeaderLists, NoHeadersAreNoList) {
  EXPECT_EQ(HeaderLists(1).make({}), nullptr);
}

TEST(HeaderLists, LargeOnesAreNotKept) {
  const Pairs small{{"id", std::string(1000, 'x')}};
  const Pairs long_value{{"id", std::string(2000, 'x')}};
  const Pairs long_name{{std::string(2000, 'x'), "1"}};
  const Pairs many(17, {"id", "1"});
  const auto is_kept = [](const Pairs& pairs) {
    HeaderLists lists(1);
    HeadersHandle list = lists.make(headers_of(pairs));
    HeadersHandle other = lists.make(headers_of({{"other", ""}}));
    const rd_kafka_headers_t* there = list.get();
    lists.take_back(std::move(list));
    lists.take_back(std::move(other));  // has the one place if the first has not
    return lists.make(headers_of({{"other", ""}})).get() == there;
  };
  EXPECT_TRUE(is_kept(small));
  EXPECT_FALSE(is_kept(long_value));
  EXPECT_FALSE(is_kept(long_name));
  EXPECT_FALSE(is_kept(many));
}

TEST(HeaderLists, NoMoreAreKeptThanItWasTold) {
  HeaderLists lists(1);
  HeadersHandle one = lists.make(headers_of({{"id", "1"}}));
  HeadersHandle two = lists.make(headers_of({{"id", "2"}}));
  const rd_kafka_headers_t* kept = one.get();
  lists.take_back(std::move(one));
  lists.take_back(std::move(two));
  EXPECT_EQ(lists.make(headers_of({{"id", "3"}})).get(), kept);
  lists.take_back(nullptr);
}

}  // namespace
}  // namespace runfold::kafka::test

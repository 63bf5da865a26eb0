// W3C trace context, read as strictly as it is written.
#include "producer/sdk/trace_context.hpp"

#include <gtest/gtest.h>

#include <string>

namespace runfold {
namespace {

constexpr std::string_view kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContext, AGoodTraceparentIsReadAndWrittenTheSame) {
  const auto span = parse_traceparent(kGood);
  ASSERT_TRUE(span);
  EXPECT_EQ(span->traceparent(), kGood);
}

TEST(TraceContext, ALaterVersionMayHaveMoreBehindItsFlags) {
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings"));
  EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_FALSE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more"));
}

TEST(TraceContext, WhatIsNotATraceparentIsRefused) {
  const std::string good(kGood);
  for (const std::string& bad : {std::string(), good.substr(0, 54), good + "0", good + "-", " " + good, std::string("ff") + good.substr(2),
                                 std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
                                 std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
                                 std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
                                 std::string("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                                 std::string("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01"),
                                 std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x")}) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(TraceContext, AChildKeepsTheTraceAndHasASpanOfItsOwn) {
  const auto parent = *parse_traceparent(kGood);
  const Span child = child_of(parent);
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_NE(child.span_id, parent.span_id);
  EXPECT_EQ(child.flags, 1);
  EXPECT_TRUE(parse_traceparent(child.traceparent()));
  EXPECT_EQ(child_of(*parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")).flags, 0);
}

TEST(TraceContext, NewTracesDiffer) {
  const Span a = new_trace();
  EXPECT_TRUE(parse_traceparent(a.traceparent()));
  EXPECT_NE(a.trace_id, new_trace().trace_id);
}

TEST(TraceContext, ATracestateThatCannotStandInAHeaderIsLeftOut) {
  EXPECT_EQ(usable_tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(usable_tracestate("a=1\nb=2"), "");
  EXPECT_EQ(usable_tracestate(std::string(513, 'x')), "");
}

}  // namespace
}  // namespace runfold

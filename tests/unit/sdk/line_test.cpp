// The fixed line on stderr.
#include "producer/sdk/logger.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace runfold {
namespace {

using namespace std::chrono;
constexpr auto kAt = sys_days{year{2026} / 5 / 16} + 14h + 32min + 11s + 999ms;

TEST(Line, HasTheFixedFormat) {
  EXPECT_EQ(format_line(kAt, v1::SEVERITY_INFO, "Fetched 42 invoices from ERP"),
            "2026-05-16 14:32:11 UTC [INFO] Fetched 42 invoices from ERP");
}

TEST(Line, NamesEachLevel) {
  const auto level = [](v1::Severity severity) {
    const auto line = format_line(kAt, severity, "");
    return line.substr(25, line.find(']') - 25);
  };
  EXPECT_EQ(level(v1::SEVERITY_EMERGENCY), "EMERGENCY");
  EXPECT_EQ(level(v1::SEVERITY_ALERT), "ALERT");
  EXPECT_EQ(level(v1::SEVERITY_CRITICAL), "CRITICAL");
  EXPECT_EQ(level(v1::SEVERITY_ERROR), "ERROR");
  EXPECT_EQ(level(v1::SEVERITY_WARNING), "WARN");
  EXPECT_EQ(level(v1::SEVERITY_NOTICE), "NOTICE");
  EXPECT_EQ(level(v1::SEVERITY_INFO), "INFO");
  EXPECT_EQ(level(v1::SEVERITY_DEBUG), "DEBUG");
  EXPECT_EQ(level(v1::SEVERITY_UNSPECIFIED), "INFO");
}

TEST(Line, StaysOneLineWhateverTheMessage) {
  EXPECT_EQ(format_line(kAt, v1::SEVERITY_ERROR, "one\ntwo\r\n"), "2026-05-16 14:32:11 UTC [ERROR] one\\ntwo\\r\\n");
}

TEST(Line, TellsTheTimeBefore1970Too) {
  EXPECT_EQ(format_line(sys_days{year{1969} / 12 / 31} + 23h + 59min + 59s + 1ms, v1::SEVERITY_INFO, "x"),
            "1969-12-31 23:59:59 UTC [INFO] x");
}

}  // namespace
}  // namespace runfold

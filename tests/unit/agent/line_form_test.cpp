// The levels that lines state, form by form.
#include "producer/agent/line_form.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runfold::agent {
namespace {

struct LineCase {
  const char* line;
  v1::Severity severity;
  const char* message;
};

void PrintTo(const LineCase& one, std::ostream* out) {
  *out << one.line;
}

class LineForm : public ::testing::TestWithParam<LineCase> {};

TEST_P(LineForm, GivesLevelAndMessage) {
  const auto line = parse_line(GetParam().line);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->severity, GetParam().severity);
  EXPECT_EQ(line->message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(Json, LineForm,
                         ::testing::Values(LineCase{R"({"level":"error","message":"boom"})", v1::SEVERITY_ERROR, "boom"},
                                           LineCase{R"({"severity":"WARNING","msg":"slow","n":1})", v1::SEVERITY_WARNING, "slow"},
                                           LineCase{R"({"level":50,"msg":"pino"})", v1::SEVERITY_ERROR, "pino"},
                                           LineCase{R"({"level":60,"msg":"pino"})", v1::SEVERITY_CRITICAL, "pino"},
                                           LineCase{R"({"level":3,"message":"gelf"})", v1::SEVERITY_ERROR, "gelf"},
                                           LineCase{R"({"log.level":"debug","message":"ecs"})", v1::SEVERITY_DEBUG, "ecs"},
                                           LineCase{R"({"event":"structlog","level":"info"})", v1::SEVERITY_INFO, "structlog"},
                                           LineCase{R"({"level":"error"})", v1::SEVERITY_ERROR, R"({"level":"error"})"},
                                           LineCase{"{\"level\":\"error\",\"message\":\"crlf\"}\r", v1::SEVERITY_ERROR, "crlf"}));

INSTANTIATE_TEST_SUITE_P(Logfmt, LineForm,
                         ::testing::Values(LineCase{R"(time=2026-05-16T14:32:11Z level=error msg="no \"route\"" host=erp)",
                                                    v1::SEVERITY_ERROR, R"(no "route")"},
                                           LineCase{"level=warn msg=slow", v1::SEVERITY_WARNING, "slow"},
                                           LineCase{"lvl=info took=3s", v1::SEVERITY_INFO, "lvl=info took=3s"}));

INSTANTIATE_TEST_SUITE_P(Syslog, LineForm,
                         ::testing::Values(LineCase{"<3>disk full", v1::SEVERITY_ERROR, "disk full"},
                                           LineCase{"<0>gone", v1::SEVERITY_EMERGENCY, "gone"},
                                           LineCase{"<134>local0", v1::SEVERITY_INFO, "local0"}));

INSTANTIATE_TEST_SUITE_P(Python, LineForm,
                         ::testing::Values(LineCase{"ERROR:root:boom: twice", v1::SEVERITY_ERROR, "boom: twice"},
                                           LineCase{"WARNING:urllib3.connectionpool:Retrying", v1::SEVERITY_WARNING, "Retrying"},
                                           LineCase{"2026-05-16 14:32:11,123 - sync - ERROR - boom", v1::SEVERITY_ERROR, "boom"},
                                           LineCase{"2026-05-16 14:32:11,123 CRITICAL sync: boom", v1::SEVERITY_CRITICAL, "sync: boom"},
                                           LineCase{"[2026-05-16 14:32:11,123] {taskinstance.py:12} ERROR - boom", v1::SEVERITY_ERROR,
                                                    "boom"},
                                           LineCase{"ERROR boom", v1::SEVERITY_ERROR, "boom"}));

INSTANTIATE_TEST_SUITE_P(
    Java, LineForm,
    ::testing::Values(LineCase{"14:32:11.123 [main] ERROR com.acme.Sync - boom", v1::SEVERITY_ERROR, "com.acme.Sync - boom"},
                      LineCase{"2026-05-16 14:32:11.123 WARN  [main] c.a.Sync - slow", v1::SEVERITY_WARNING, "[main] c.a.Sync - slow"},
                      LineCase{"2026-05-16T14:32:11.123+02:00 ERROR 12 --- [main] c.a.Sync : boom", v1::SEVERITY_ERROR,
                               "12 --- [main] c.a.Sync : boom"},
                      LineCase{"[ERROR] Failed to execute goal", v1::SEVERITY_ERROR, "Failed to execute goal"},
                      LineCase{"SEVERE: boom", v1::SEVERITY_ERROR, "boom"}));

INSTANTIATE_TEST_SUITE_P(
    Others, LineForm,
    ::testing::Values(LineCase{"2026/05/16 14:32:11 [error] 12#0: upstream timed out", v1::SEVERITY_ERROR, "12#0: upstream timed out"},
                      LineCase{"2026-05-16 14:32:11 UTC [123] ERROR:  no such table", v1::SEVERITY_ERROR, "no such table"},
                      LineCase{"[2026-05-16T14:32:11Z ERROR sync] boom", v1::SEVERITY_ERROR, "sync] boom"},
                      LineCase{"2026-05-16T14:32:11.123456Z  WARN sync: slow", v1::SEVERITY_WARNING, "sync: slow"},
                      LineCase{"2026-05-16 14:32:11 error: winston", v1::SEVERITY_ERROR, "winston"},
                      LineCase{"E0516 14:32:11.123456   12 sync.cc:7] boom", v1::SEVERITY_ERROR, "boom"},
                      LineCase{"error: failed to push", v1::SEVERITY_ERROR, "failed to push"},
                      LineCase{"fatal: not a git repository", v1::SEVERITY_CRITICAL, "not a git repository"},
                      LineCase{"PHP Warning:  Undefined variable", v1::SEVERITY_WARNING, "Undefined variable"},
                      LineCase{"2026-05-16 14:32:11 UTC [ERROR] fixed", v1::SEVERITY_ERROR, "fixed"}));

TEST(LineFormDetail, HoldsTheOtherFields) {
  EXPECT_EQ(parse_line(R"({"level":"error","message":"boom","a":{"b":[1,null]},"t":1.5})")->detail_json,
            R"({"a":{"b":[1,null]},"t":1.5E0})");
  EXPECT_EQ(parse_line("level=error msg=boom host=erp n=3")->detail_json, R"({"host":"erp","n":"3"})");
  EXPECT_EQ(parse_line("<3>boom")->detail_json, "");
}

TEST(LineFormNone, IsALineThatStatesNoLevel) {
  std::string deep(40, '{');
  for (const std::string& line : std::vector<std::string>{"",
                                                          "plain",
                                                          "{",
                                                          "{}",
                                                          "{\"level\":\"loud\",\"message\":\"x\"}",
                                                          "{\"level\":true}",
                                                          "{\"level\":\"error\"",
                                                          deep + "}",
                                                          "[1,2]",
                                                          "<>x",
                                                          "<300>x",
                                                          "<a>x",
                                                          "<html>",
                                                          "level=loud msg=x",
                                                          "the level=error of it",
                                                          "level=error msg=\"open",
                                                          "3: not a severity",
                                                          "errors: 0",
                                                          "Information: there is none",
                                                          "INFORMATION is power",
                                                          "an ERROR in the middle",
                                                          "14:32:11",
                                                          "2026-05-16 14:32:11 all went well, no error at all",
                                                          "2026-05-16",
                                                          "99:99",
                                                          "[info",
                                                          "[info]",
                                                          "ERROR",
                                                          "error",
                                                          "E0516 14:32:11 short",
                                                          "2026-05-16 14:32:11 (unclosed ERROR x",
                                                          "::::",
                                                          "2026-05-16T",
                                                          "http://x/?level=error"}) {
    EXPECT_FALSE(parse_line(line).has_value()) << line;
  }
}

TEST(LineFormNone, IsAnythingThatOnlyBeginsLikeAForm) {
  const std::string whole = "2026-05-16 14:32:11,123 - sync - ERROR - boom";
  for (std::size_t size = 0; size < whole.find("ERROR") + 3; ++size) EXPECT_FALSE(parse_line(whole.substr(0, size))) << size;
}

}  // namespace
}  // namespace runfold::agent

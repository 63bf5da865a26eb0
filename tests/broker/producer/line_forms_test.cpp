// What a command says on stderr, as it stands on a real Apache Kafka: lines with their levels, stack traces in one record each.
#include "tests/broker/producer/exec_run.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace runfold {
namespace {

using test::ExecRun;

/// Prints each further argument, and a newline.
const std::string kPrint = R"(printf '%s\n' "$@")";

struct Line {
  std::string text;
  v1::Severity severity;
  /// Absent: the text is.
  std::string message = {};
  std::string detail_json = {};
};

ExecRun print(const std::string& script, const std::vector<Line>& said) {
  std::vector<std::string> command{"/bin/sh", "-c", script, "sh"};
  for (const Line& one : said) command.push_back(one.text);
  return ExecRun({"--debug", "always"}, command);
}

std::string whole(const std::vector<Line>& said) {
  std::string out;
  for (const Line& one : said) out += one.text + "\n";
  return out;
}

void expect_recorded(const std::vector<Line>& said) {
  const ExecRun run = print(kPrint + " >&2", said);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, whole(said)) << "it passes through as it is";
  ASSERT_EQ(run.told.logs.size(), said.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    const v1::LogRecord& record = run.told.logs[i];
    const bool is_read = !said[i].message.empty();
    EXPECT_EQ(record.stream(), v1::LOG_STREAM_STDERR);
    EXPECT_EQ(record.severity(), said[i].severity) << said[i].text;
    EXPECT_EQ(record.message(), is_read ? said[i].message : said[i].text);
    EXPECT_EQ(record.raw(), is_read ? said[i].text : "") << "what the message leaves out is not lost";
    EXPECT_EQ(record.detail_json(), said[i].detail_json) << said[i].text;
    EXPECT_FALSE(record.partial()) << said[i].text;
  }
}

TEST(LineFormsOnKafka, EveryLevelOfTheFixedFormatIsKeptWithItsTime) {
  const std::string time = "2026-05-16 14:32:11 UTC ";
  expect_recorded({{time + "[DEBUG] one", v1::SEVERITY_DEBUG, "one"},
                   {time + "[INFO] two", v1::SEVERITY_INFO, "two"},
                   {time + "[NOTICE] three", v1::SEVERITY_NOTICE, "three"},
                   {time + "[WARN] four", v1::SEVERITY_WARNING, "four"},
                   {time + "[WARNING] four", v1::SEVERITY_WARNING, "four"},
                   {time + "[ERROR] five [500]", v1::SEVERITY_ERROR, "five [500]"},
                   {time + "[CRITICAL] six", v1::SEVERITY_CRITICAL, "six"},
                   {time + "[ALERT] seven", v1::SEVERITY_ALERT, "seven"},
                   {time + "[EMERGENCY] eight", v1::SEVERITY_EMERGENCY, "eight"},
                   {time + "[SHOUT] no level", v1::SEVERITY_INFO},
                   {"plain", v1::SEVERITY_INFO}});
  const ExecRun run = print(kPrint + " >&2", {{time + "[ERROR] then", v1::SEVERITY_ERROR}});
  ASSERT_EQ(run.told.logs.size(), 1U);
  EXPECT_EQ(run.told.logs[0].logged_at().seconds(), 1'778'941'931);
}

TEST(LineFormsOnKafka, LinesOfLoggingLibrariesBecomeRecordsWithTheirLevelAndFields) {
  expect_recorded(
      {{R"({"level":"error","message":"no route","host":"erp","try":3})", v1::SEVERITY_ERROR, "no route", R"({"host":"erp","try":3})"},
       {R"({"severity":"WARNING","msg":"slow"})", v1::SEVERITY_WARNING, "slow"},
       {R"({"level":60,"msg":"pino"})", v1::SEVERITY_CRITICAL, "pino"},
       {R"({"log.level":"debug","message":"ecs"})", v1::SEVERITY_DEBUG, "ecs"},
       {R"({"level":"loud","msg":"no level"})", v1::SEVERITY_INFO},
       {R"(level=error msg="no \"route\"" host=erp)", v1::SEVERITY_ERROR, R"(no "route")", R"({"host":"erp"})"},
       {"level=warn msg=slow", v1::SEVERITY_WARNING, "slow"},
       {"the level=error of it", v1::SEVERITY_INFO},
       {"ERROR:root:boom: twice", v1::SEVERITY_ERROR, "boom: twice"},
       {"WARNING:urllib3.connectionpool:Retrying", v1::SEVERITY_WARNING, "Retrying"},
       {"2026-05-16 14:32:11,123 - sync - ERROR - boom", v1::SEVERITY_ERROR, "boom"},
       {"2026-05-16 14:32:11,123 CRITICAL sync: boom", v1::SEVERITY_CRITICAL, "sync: boom"},
       {"14:32:11.123 [main] ERROR com.acme.Sync - boom", v1::SEVERITY_ERROR, "com.acme.Sync - boom"},
       {"2026-05-16 14:32:11.123 WARN  [main] c.a.Sync - slow", v1::SEVERITY_WARNING, "[main] c.a.Sync - slow"},
       {"SEVERE: boom", v1::SEVERITY_ERROR, "boom"},
       {"<3>disk full", v1::SEVERITY_ERROR, "disk full"},
       {"E0516 14:32:11.123456   12 sync.cc:7] boom", v1::SEVERITY_ERROR, "boom"},
       {"2026/05/16 14:32:11 [error] 12#0: upstream timed out", v1::SEVERITY_ERROR, "12#0: upstream timed out"},
       {"error: failed to push", v1::SEVERITY_ERROR, "failed to push"},
       {"PHP Warning:  Undefined variable", v1::SEVERITY_WARNING, "Undefined variable"},
       {"errors: 0", v1::SEVERITY_INFO}});
}

TEST(LineFormsOnKafka, AStackTraceIsOneErrorAndItsNeighboursStayByThemselves) {
  expect_recorded({{"starting", v1::SEVERITY_INFO},
                   {"Traceback (most recent call last):\n"
                    "  File \"a.py\", line 3, in <module>\n"
                    "    run()\n"
                    "ValueError: bad",
                    v1::SEVERITY_ERROR},
                   {"going on", v1::SEVERITY_INFO},
                   {"Traceback (most recent call last):\n"
                    "  File \"a.py\", line 3, in f\n"
                    "KeyError: 'x'\n"
                    "\n"
                    "During handling of the above exception, another exception occurred:\n"
                    "\n"
                    "Traceback (most recent call last):\n"
                    "  File \"a.py\", line 5, in f\n"
                    "ValueError: bad",
                    v1::SEVERITY_ERROR},
                   {"2026-05-16 14:32:11 UTC [WARN] once more", v1::SEVERITY_WARNING, "once more"},
                   {"Exception in thread \"main\" java.lang.IllegalStateException: boom\n"
                    "\tat com.acme.Sync.run(Sync.java:12)\n"
                    "Caused by: java.io.IOException: no route\n"
                    "\tat com.acme.Http.get(Http.java:7)\n"
                    "\t... 3 more",
                    v1::SEVERITY_ERROR},
                   {"java.lang.NullPointerException\n"
                    "\tat com.acme.Sync.run(Sync.java:12)",
                    v1::SEVERITY_ERROR},
                   {"bye", v1::SEVERITY_INFO},
                   {"Traceback (most recent call last):\n"
                    "  File \"a.py\", line 9, in <module>\n"
                    "RuntimeError: the last words",
                    v1::SEVERITY_ERROR}});
}

TEST(LineFormsOnKafka, StdoutIsTakenForDataWhateverItsLinesLookLike) {
  const std::vector<Line> said{{"2026-05-16 14:32:11 UTC [ERROR] five", v1::SEVERITY_INFO},
                               {R"({"level":"error","message":"no route"})", v1::SEVERITY_INFO},
                               {"Traceback (most recent call last):", v1::SEVERITY_INFO},
                               {"  File \"a.py\", line 3, in <module>", v1::SEVERITY_INFO},
                               {"ValueError: bad", v1::SEVERITY_INFO}};
  const ExecRun run = print(kPrint, said);
  EXPECT_EQ(run.out, whole(said));
  ASSERT_EQ(run.told.logs.size(), said.size());
  for (std::size_t i = 0; i < said.size(); ++i) {
    EXPECT_EQ(run.told.logs[i].stream(), v1::LOG_STREAM_STDOUT);
    EXPECT_EQ(run.told.logs[i].severity(), v1::SEVERITY_INFO) << said[i].text;
    EXPECT_EQ(run.told.logs[i].message(), said[i].text);
  }
}

}  // namespace
}  // namespace runfold

// Which lines make one stack trace.
#include "producer/agent/stack_trace.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runfold::agent {
namespace {

using Lines = std::vector<std::string>;

struct TraceCase {
  const char* name;
  Lines trace;
  /// The line behind it.
  const char* next = "done";
};

void PrintTo(const TraceCase& one, std::ostream* out) {
  *out << one.name;
}

class Traces : public ::testing::TestWithParam<TraceCase> {};

TEST_P(Traces, StayTogetherAndEndWithTheirLastLine) {
  const TraceCase& one = GetParam();
  StackTrace trace;
  EXPECT_TRUE(trace.begins(one.trace.front())) << one.trace.front();
  for (std::size_t i = 1; i < one.trace.size(); ++i) EXPECT_TRUE(trace.continues(one.trace[i])) << one.trace[i];
  EXPECT_FALSE(trace.continues(one.next));
  EXPECT_FALSE(trace.under_way());
}

INSTANTIATE_TEST_SUITE_P(
    Languages, Traces,
    ::testing::Values(
        TraceCase{"Python", {"Traceback (most recent call last):", "  File \"a.py\", line 3, in <module>", "    run()", "ValueError: bad"}},
        TraceCase{"PythonChained",
                  {"Traceback (most recent call last):", "  File \"a.py\", line 3, in f", "KeyError: 'x'", "",
                   "During handling of the above exception, another exception occurred:", "",
                   "Traceback (most recent call last):", "  File \"a.py\", line 5, in f", "ValueError: bad"}},
        TraceCase{"PythonSyntaxError", {"  File \"a.py\", line 3", "    if x", "        ^", "SyntaxError: invalid syntax"}},
        TraceCase{"Java",
                  {"Exception in thread \"main\" java.lang.IllegalStateException: boom", "\tat com.acme.Sync.run(Sync.java:12)",
                   "Caused by: java.io.IOException: no route", "\tat com.acme.Http.get(Http.java:7)", "\t... 3 more"}},
        TraceCase{"JavaLogged", {"java.lang.NullPointerException", "\tat com.acme.Sync.run(Sync.java:12)"}},
        TraceCase{"Node",
                  {"Error: connect ECONNREFUSED 127.0.0.1:1", "    at TCPConnectWrap.afterConnect (node:net:1300:16) {",
                   "  code: 'ECONNREFUSED'", "}"},
                  ""},
        TraceCase{"DotNet", {"Unhandled exception. System.Exception: boom", "   at Program.Main() in /src/Program.cs:line 3"}},
        TraceCase{"Go",
                  {"panic: runtime error: index out of range [5] with length 3", "", "goroutine 1 [running]:", "main.main()",
                   "\t/src/main.go:7 +0x1d", "exit status 2"}},
        TraceCase{"GoDeadlock", {"fatal error: all goroutines are asleep - deadlock!", "", "goroutine 1 [chan receive]:", "main.main()"}},
        TraceCase{"Cpp", {"terminate called after throwing an instance of 'std::runtime_error'", "  what():  boom"}},
        TraceCase{"CAssertion", {"sync: sync.c:12: main: Assertion `n > 0' failed."}},
        TraceCase{"Glibc", {"*** stack smashing detected ***: terminated"}},
        TraceCase{"Sanitizer", {"==12==ERROR: AddressSanitizer: heap-use-after-free", "    #0 0x1 in main a.c:3"}},
        TraceCase{"RustOld",
                  {"thread 'main' panicked at 'boom', src/main.rs:2:5", "note: run with `RUST_BACKTRACE=1` environment variable"}},
        TraceCase{"RustNew",
                  {"thread 'main' panicked at src/main.rs:2:5:", "boom", "stack backtrace:", "   0: rust_begin_unwind",
                   "             at /rustc"}},
        TraceCase{"Php",
                  {"PHP Fatal error:  Uncaught Exception: boom in /a.php:3", "Stack trace:", "#0 {main}", "  thrown in /a.php on line 3"}}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(StackTrace, DoesNotBeginWithAnOrdinaryLine) {
  StackTrace trace;
  for (const char* line : {"", "done", "an Error: in the middle", "Errors: 3", "ErrorCount: 3", "panic", "threads 'a' panicked at ",
                           "  indented", "Exception handling is on", "==12== note", "*** 3 files ***"}) {
    EXPECT_FALSE(trace.begins(line)) << line;
  }
}

}  // namespace
}  // namespace runfold::agent

// Asks promtool what it thinks of a metrics page.
#pragma once

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace runfold::test {

/// Fails the test when promtool finds fault with the page. Without promtool the test is skipped, and in CI fails.
inline void check_with_promtool(const std::string& page) {
  const char* named = std::getenv("PROMTOOL");
  const std::string promtool = named != nullptr ? named : std::system("command -v promtool >/dev/null") == 0 ? "promtool" : "";
  if (promtool.empty()) {
    const char* ci = std::getenv("CI");
    ASSERT_FALSE(ci != nullptr && std::string(ci) == "true") << "PROMTOOL is not set and promtool is not on PATH; ./check sets it";
    GTEST_SKIP() << "there is no promtool: nobody has checked the metrics' format";
  }
  FILE* pipe = ::popen((promtool + " check metrics").c_str(), "w");
  ASSERT_NE(pipe, nullptr);
  EXPECT_EQ(std::fwrite(page.data(), 1, page.size(), pipe), page.size());
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "promtool's findings stand above; it was given:\n" << page;
}

}  // namespace runfold::test

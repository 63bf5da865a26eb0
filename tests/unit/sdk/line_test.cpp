// The fixed line on stderr.
#include "producer/sdk/line.hpp"

#include "producer/sdk/logger.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <string>

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

/// A pipe in the place of stderr.
class PipedStderr {
 public:
  PipedStderr() : saved_(::dup(STDERR_FILENO)) {
    EXPECT_EQ(::pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0);
    ::dup2(ends_[1], STDERR_FILENO);
  }
  ~PipedStderr() {
    ::dup2(saved_, STDERR_FILENO);
    for (const int fd : {saved_, ends_[0], ends_[1]}) ::close(fd);
  }
  void fill_and_block() const {
    const std::string page(4096, '.');
    while (::write(ends_[1], page.data(), page.size()) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, 0);
  }
  std::string written() const {
    std::string all;
    char buffer[8192];
    for (ssize_t n = 0; (n = ::read(ends_[0], buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }

 private:
  int saved_;
  int ends_[2] = {-1, -1};
};

TEST(Line, IsSkippedRatherThanWaitedForWhenNobodyReadsStderr) {
  const PipedStderr piped;
  piped.fill_and_block();
  print_line_if_writable(kAt, v1::SEVERITY_WARNING, "nobody reads this");
  EXPECT_EQ(piped.written().find("nobody"), std::string::npos);
  print_line_if_writable(kAt, v1::SEVERITY_WARNING, "there is room again");
  EXPECT_EQ(piped.written(), "2026-05-16 14:32:11 UTC [WARN] there is room again\n");
}

TEST(Line, IsCutToWhatAPipeTakesWhenItMustNotWait) {
  const PipedStderr piped;
  print_line_if_writable(kAt, v1::SEVERITY_WARNING, std::string(10'000, '\n'));
  const std::string line = piped.written();
  EXPECT_EQ(line.size(), 4096U);
  EXPECT_TRUE(line.ends_with("n\n"));
}

}  // namespace
}  // namespace runfold

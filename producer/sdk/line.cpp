// The fixed line: "2026-05-16 14:32:11 UTC [INFO] message".
#include "producer/sdk/line.hpp"

#include "producer/sdk/logger.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

namespace runfold {
namespace {

std::string_view level(v1::Severity severity) noexcept {
  switch (severity) {
    case v1::SEVERITY_EMERGENCY:
      return "EMERGENCY";
    case v1::SEVERITY_ALERT:
      return "ALERT";
    case v1::SEVERITY_CRITICAL:
      return "CRITICAL";
    case v1::SEVERITY_ERROR:
      return "ERROR";
    case v1::SEVERITY_WARNING:
      return "WARN";
    case v1::SEVERITY_NOTICE:
      return "NOTICE";
    case v1::SEVERITY_DEBUG:
      return "DEBUG";
    default:
      return "INFO";
  }
}

void write_all(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody made stderr non-blocking. A line cut in half would be worse than the wait any program has here.
      pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      static_cast<void>(::poll(&writable, 1, -1));
    } else if (errno != EINTR) {
      return;  // stderr is closed: there is nowhere left to say so
    }
  }
}

}  // namespace

void append_line(std::string& out, std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(at));
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char stamp[96];
  const int size = std::snprintf(stamp, sizeof stamp, "%04d-%02d-%02d %02d:%02d:%02d UTC [", utc.tm_year + 1900, utc.tm_mon + 1,
                                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  out.append(stamp, static_cast<std::size_t>(size));
  out += level(severity);
  out += "] ";
  for (auto rest = message; !rest.empty();) {
    const auto plain = rest.substr(0, rest.find_first_of("\n\r"));
    out += plain;
    rest.remove_prefix(plain.size());
    if (rest.empty()) break;
    out += rest.front() == '\n' ? "\\n" : "\\r";
    rest.remove_prefix(1);
  }
}

void print_line(std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message) {
  static thread_local std::string line;
  line.clear();
  append_line(line, at, severity, message);
  line += '\n';
  write_all(line);
  constexpr std::size_t kKeep = 64 * 1024;
  if (line.capacity() > kKeep) line = {};
}

void print_line_if_writable(std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message) {
  // A pipe with any room takes this much at once; so the write below does not wait.
  static_assert(PIPE_BUF == 4096);
  std::string line = format_line(at, severity, message.substr(0, PIPE_BUF));
  if (line.size() >= PIPE_BUF) line.resize(PIPE_BUF - 1);
  line += '\n';
  pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string format_line(std::chrono::system_clock::time_point at, v1::Severity severity, std::string_view message) {
  std::string out;
  append_line(out, at, severity, message);
  return out;
}

}  // namespace runfold

// Log lines for an operator, on stderr in the fixed format.
#include "collector/operator_log.hpp"

#include <array>
#include <cerrno>
#include <ctime>
#include <mutex>

#include <unistd.h>

namespace runfold::collector {

namespace {
constexpr std::array<std::string_view, 8> kLevels{"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG"};
}  // namespace

std::string operator_line(int severity, std::string_view message) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> time{};
  const std::size_t size = std::strftime(time.data(), time.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);

  std::string line(time.data(), size);
  line += " [";
  line += kLevels[static_cast<std::size_t>(severity < 0 ? 0 : severity > 7 ? 7 : severity)];
  line += "] ";
  for (const char c : message) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += c;
    }
  }
  line += '\n';
  return line;
}

void operator_log(int severity, std::string_view message) {
  static std::mutex mutex;
  const std::string line = operator_line(severity, message);
  const std::scoped_lock lock(mutex);
  std::string_view left = line;
  while (!left.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, left.data(), left.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return;  // stderr is closed or full: there is nowhere left to say so.
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace runfold::collector

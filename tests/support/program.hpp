// Starts a program as a test's child, reads what it prints, signals it, and waits for its end.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace runfold::test {

/// How a program ended: one of the two is set.
struct Ending {
  std::optional<int> exit_code;
  std::optional<int> signal;
};

/// A child process with its stdout and stderr gathered. The destructor kills it if it still runs.
///
/// Thread: one, beside the reader threads of its own.
class Program {
 public:
  /// Takes what the program prints, as it comes, on a thread of its own; nothing of it is gathered then.
  using OnOutput = std::function<void(std::string_view)>;

  /// `command[0]` is a path. `environment` is added to the test's own; an empty value takes the name out.
  explicit Program(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment = {},
                   OnOutput on_out = {}, OnOutput on_err = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// What it has printed so far.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

  void signal(int number);
  [[nodiscard]] bool running();
  /// Absent when it still runs after `limit`. Its output is complete then.
  [[nodiscard]] std::optional<Ending> wait(std::chrono::milliseconds limit = std::chrono::seconds(60));

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  void reap(int wait_status);

  pid_t pid_ = -1;
  std::optional<Ending> ending_;
  mutable std::mutex mutex_;
  std::string out_;
  std::string err_;
  std::vector<std::thread> readers_;
};

/// The first line that contains `part`, without its newline; empty when there is none.
[[nodiscard]] std::string line_with(const std::string& text, const std::string& part);
/// How many lines contain `part`.
[[nodiscard]] int lines_with(const std::string& text, const std::string& part);

}  // namespace runfold::test

// Runs child processes with pipes for what they print.
#include "tests/support/program.hpp"

#include "tests/support/wait_until.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

extern char** environ;

namespace runfold::test {
namespace {

std::vector<std::string> with_environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) result.push_back(name + "=" + value);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Program::Program(const std::vector<std::string>& command, const std::map<std::string, std::string>& environment, OnOutput on_out,
                 OnOutput on_err) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe");
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  std::vector<std::string> arguments = command;
  std::vector<std::string> variables = with_environment(environment);
  const int failed =
      ::posix_spawn(&pid_, command.front().c_str(), &actions, nullptr, pointers(arguments).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(err[1]);
  if (failed != 0) {
    ::close(out[0]);
    ::close(err[0]);
    throw std::system_error(failed, std::generic_category(), "cannot start " + command.front());
  }
  const auto into = [this](std::string& text) {
    return [this, &text](std::string_view bytes) {
      const std::scoped_lock lock(mutex_);
      text.append(bytes);
    };
  };
  const auto read_all = [](int from, const OnOutput& on_output) {
    std::vector<char> buffer(64 * 1024);
    for (ssize_t size = 0; (size = ::read(from, buffer.data(), buffer.size())) != 0;) {
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) break;
      on_output({buffer.data(), static_cast<std::size_t>(size)});
    }
    ::close(from);
  };
  readers_.emplace_back(read_all, out[0], on_out ? std::move(on_out) : into(out_));
  readers_.emplace_back(read_all, err[0], on_err ? std::move(on_err) : into(err_));
}

Program::~Program() {
  if (!ending_) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    reap(status);
  }
}

std::string Program::out() const {
  const std::scoped_lock lock(mutex_);
  return out_;
}

std::string Program::err() const {
  const std::scoped_lock lock(mutex_);
  return err_;
}

void Program::signal(int number) {
  if (!ending_) ::kill(pid_, number);
}

bool Program::running() {
  if (ending_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  reap(status);
  return false;
}

std::optional<Ending> Program::wait(std::chrono::milliseconds limit) {
  static_cast<void>(wait_until([this] { return !running(); }, limit));
  return ending_;
}

void Program::reap(int wait_status) {
  Ending& ending = ending_.emplace();
  if (WIFEXITED(wait_status)) ending.exit_code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) ending.signal = WTERMSIG(wait_status);
  for (std::thread& reader : readers_) reader.join();
  readers_.clear();
}

std::string line_with(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) return line;
  }
  return {};
}

int lines_with(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(part) != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace runfold::test

// A folder for one test's database files, a bare connection to look into them, and processes of the test's own.
#pragma once

#include <sqlite3.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace runfold::collector {

/// Made with a name of its own, gone with all in it.
class Folder {
 public:
  Folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "runfold-store-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder can be made at " + pattern);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A connection that knows nothing of the store.
class Bare {
 public:
  explicit Bare(const std::filesystem::path& path) { check(sqlite3_open(path.c_str(), &handle_)); }
  ~Bare() { sqlite3_close(handle_); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;
  void run(const std::string& sql) { check(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr)); }
  /// Every row's last column, a line each.
  std::string lines(const std::string& sql) {
    std::string out;
    const auto add = [](void* to, int columns, char** values, char**) {
      *static_cast<std::string*>(to) += std::string(values[columns - 1] ? values[columns - 1] : "NULL") + "\n";
      return 0;
    };
    check(sqlite3_exec(handle_, sql.c_str(), add, &out, nullptr));
    return out;
  }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(handle_));
  }
  sqlite3* handle_ = nullptr;
};

/// Runs `work` in a process of its own; its result is the exit code. Killed with this object unless waited for.
class Child {
 public:
  explicit Child(const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
      int code = 99;
      try {
        code = work();
      } catch (const std::exception& e) {
        static_cast<void>(!::write(2, e.what(), std::string(e.what()).size()));
      }
      ::_exit(code);
    }
  }
  ~Child() {
    if (pid_ > 0) kill_9();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Waits for its end; the exit code, or 128 + the signal.
  int wait() {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) throw std::runtime_error("waitpid failed");
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int kill_9() {
    ::kill(pid_, SIGKILL);
    return wait();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

}  // namespace runfold::collector

// Small files by which processes of the same user find each other.
#include "transport/kafka/state_file.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace runfold::kafka {
namespace {

namespace fs = std::filesystem;

fs::path environment_path(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

Error file_error(const std::string& doing, const fs::path& path, int number) {
  return Error{Errc::kOther, "cannot " + doing + " " + path.string() + ": " + std::strerror(number) +
                                 "; set RUNFOLD_STATE_DIR to a folder that can be written"};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

fs::path state_file(std::string_view name) {
  if (const auto dir = environment_path("RUNFOLD_STATE_DIR"); !dir.empty()) return dir / name;
  if (const auto dir = environment_path("XDG_STATE_HOME"); !dir.empty()) return dir / "runfold" / name;
  if (const auto home = environment_path("HOME"); !home.empty()) return home / ".local" / "state" / "runfold" / name;
  return fs::path("/tmp") / ("runfold-" + std::to_string(::getuid())) / name;
}

Result<void> write_state_file(const fs::path& path, std::string_view text) {
  std::error_code failed;
  const bool folder_is_new = fs::create_directories(path.parent_path(), failed);
  if (failed) return file_error("make the folder", path.parent_path(), failed.value());
  if (folder_is_new) fs::permissions(path.parent_path(), fs::perms::owner_all, failed);

  // Written beside and renamed over: a reader sees the old file or the new one, never half of one.
  std::string beside = path.string() + ".XXXXXX";
  const int fd = ::mkostemp(beside.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return file_error("write", path, errno);
  const bool written = write_all(fd, text);
  int number = errno;
  const bool closed = ::close(fd) == 0;
  if (written && !closed) number = errno;
  if (written && closed) {
    if (::rename(beside.c_str(), path.c_str()) == 0) return {};
    number = errno;
  }
  ::unlink(beside.c_str());
  return file_error("write", path, number);
}

}  // namespace runfold::kafka

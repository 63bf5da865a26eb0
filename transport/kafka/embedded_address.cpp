// The file by which commands find the embedded broker of a collector of the same user.
#include "transport/kafka/embedded_broker.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace runfold::kafka {
namespace {

namespace fs = std::filesystem;

fs::path environment_path(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? fs::path() : fs::path(value);
}

/// When a process was started, in clock ticks since boot; tells a process from a later one with the same id. Empty: it does not live.
std::string start_ticks(int os_pid) {
  std::ifstream stat("/proc/" + std::to_string(os_pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return {};
  // The second field, in parentheses, may hold anything; the start time is the 20th after it.
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string field;
  for (int i = 0; i < 20; ++i) fields >> field;
  return field;
}

struct AddressFile {
  EmbeddedAddress address;
  std::string started;
};

std::optional<AddressFile> read_file() {
  std::ifstream in(embedded_address_file());
  AddressFile file;
  for (std::string line; std::getline(in, line);) {
    const auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string name = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    if (name == "bootstrap_servers") file.address.bootstrap_servers = value;
    if (name == "collector_url") file.address.collector_url = value;
    if (name == "started") file.started = value;
    if (name == "os_pid") std::from_chars(value.data(), value.data() + value.size(), file.address.os_pid);
  }
  if (file.address.bootstrap_servers.empty() || file.address.os_pid <= 0) return std::nullopt;
  return file;
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

fs::path embedded_address_file() {
  if (const auto dir = environment_path("RUNFOLD_STATE_DIR"); !dir.empty()) return dir / "embedded-broker";
  if (const auto dir = environment_path("XDG_STATE_HOME"); !dir.empty()) return dir / "runfold" / "embedded-broker";
  if (const auto home = environment_path("HOME"); !home.empty()) return home / ".local" / "state" / "runfold" / "embedded-broker";
  return fs::path("/tmp") / ("runfold-" + std::to_string(::getuid())) / "embedded-broker";
}

Result<void> write_embedded_address(const EmbeddedAddress& address) {
  const fs::path path = embedded_address_file();
  std::error_code failed;
  const bool folder_is_new = fs::create_directories(path.parent_path(), failed);
  if (failed) return file_error("make the folder", path.parent_path(), failed.value());
  if (folder_is_new) fs::permissions(path.parent_path(), fs::perms::owner_all, failed);

  // Written beside and renamed over: a reader sees the old file or the new one, never half of one.
  std::string beside = path.string() + ".XXXXXX";
  const int fd = ::mkostemp(beside.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return file_error("write", path, errno);
  std::ostringstream text;
  text << "bootstrap_servers=" << address.bootstrap_servers << "\ncollector_url=" << address.collector_url << "\nos_pid=" << address.os_pid
       << "\nstarted=" << start_ticks(address.os_pid) << "\n";
  const bool written = write_all(fd, text.str());
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

std::optional<EmbeddedAddress> read_embedded_address() {
  const auto file = read_file();
  if (!file) return std::nullopt;
  if (::kill(file->address.os_pid, 0) != 0 && errno != EPERM) return std::nullopt;
  // The id may have been given to another process since.
  if (!file->started.empty() && start_ticks(file->address.os_pid) != file->started) return std::nullopt;
  return file->address;
}

void remove_embedded_address() noexcept {
  try {
    const auto file = read_file();
    if (file && file->address.os_pid == static_cast<int>(::getpid())) {
      std::error_code gone_already;
      fs::remove(embedded_address_file(), gone_already);
    }
  } catch (const std::exception&) {
    // Out of memory while ending. A file left behind names a process that no longer lives, so readers ignore it.
  }
}

}  // namespace runfold::kafka

// The file by which commands find the embedded broker of a collector of the same user.
#include "transport/kafka/embedded_broker.hpp"
#include "transport/kafka/state_file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <sstream>

#include <unistd.h>

namespace runfold::kafka {
namespace {

namespace fs = std::filesystem;

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

}  // namespace

fs::path embedded_address_file() {
  return state_file("embedded-broker");
}

Result<void> write_embedded_address(const EmbeddedAddress& address) {
  std::ostringstream text;
  text << "bootstrap_servers=" << address.bootstrap_servers << "\ncollector_url=" << address.collector_url << "\nos_pid=" << address.os_pid
       << "\nstarted=" << start_ticks(address.os_pid) << "\n";
  return write_state_file(embedded_address_file(), text.str());
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

// Takes the owner's lock with flock(2), and says who has it when it is taken.
#include "collector/store/sqlite/owner_lock.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace runfold::collector::sqlite {
namespace {

StoreError failed(const std::string& path, std::string_view doing, int error) {
  const bool forbidden = error == EACCES || error == EPERM || error == EROFS;
  const bool full = error == ENOSPC || error == EDQUOT;
  const std::string words = path + " cannot be " + std::string(doing) + " (" + std::strerror(error) + "): ";
  if (forbidden) return {StoreErrc::kReadOnly, words + "let this user write the file and its folder"};
  if (full) return {StoreErrc::kFull, words + "make space"};
  return {StoreErrc::kUnavailable, words + "see that its folder is there and this user may use it"};
}

std::string holder(int descriptor) {
  std::array<char, 32> text{};
  const auto size = ::pread(descriptor, text.data(), text.size(), 0);
  long pid = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
  return pid > 0 ? "process " + std::to_string(pid) : std::string("another process");
}

}  // namespace

StoreResult<std::shared_ptr<OwnerLock>> OwnerLock::take(const std::filesystem::path& database) {
  const std::string path = database.string() + ".lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return failed(path, "opened", errno);
  std::shared_ptr<OwnerLock> lock(new OwnerLock(descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed(path, "locked", errno);
    return StoreError{StoreErrc::kBusy, database.string() + " belongs to " + holder(descriptor) +
                                            ": one SQLite file serves one collector; stop that one or give --store another path"};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return failed(path, "written", errno);
  }
  return lock;
}

OwnerLock::~OwnerLock() {
  ::close(descriptor_);
}

}  // namespace runfold::collector::sqlite

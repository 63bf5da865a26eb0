// Making, holding and removing a producer's folder, with others doing the same at any moment.
#include "producer/delivery/spool_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace runfold::delivery {
namespace {

namespace fs = std::filesystem;

/// How often somebody may remove what is just being made before that is an error.
constexpr int kTries = 100;

namespace errc = boost::system::errc;

DiskError make_folder(const fs::path& path) noexcept {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return {errno, boost::system::system_category()};
}

DiskError make_folders(const fs::path& path) {
  std::error_code above;
  fs::create_directories(path.parent_path().parent_path(), above);
  if (above) return above;
  if (const auto error = make_folder(path.parent_path())) return error;
  return make_folder(path);
}

}  // namespace

DiskResult<SpoolFolder> SpoolFolder::make(const fs::path& path) {
  for (int i = 0; i < kTries; ++i) {
    if (const auto error = make_folders(path)) return error;
    auto held = take(path);
    if (held || (held.error() != errc::no_such_file_or_directory && held.error() != errc::device_or_resource_busy)) return held;
    // Somebody who looks for what dead producers left has found it in this moment, and is removing it again.
    std::this_thread::yield();
  }
  return make_error_code(errc::device_or_resource_busy);
}

DiskResult<SpoolFolder> SpoolFolder::take(const fs::path& path) {
  auto lock = SpoolFile::open(path / "lock", O_RDWR | O_CREAT);
  if (!lock) return lock.error();
  if (const auto error = lock->lock()) return error;
  return SpoolFolder(path, std::move(*lock));
}

std::vector<fs::path> SpoolFolder::files(const std::string& ending) const {
  std::vector<fs::path> out;
  std::error_code unreadable;
  for (fs::directory_iterator at(path_, unreadable), end; !unreadable && at != end; at.increment(unreadable)) {
    if (at->path().extension() == ending) out.push_back(at->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool SpoolFolder::is_there() const noexcept {
  return ::access((path_ / "lock").c_str(), F_OK) == 0;
}

void SpoolFolder::remove() noexcept {
  // The lock goes while it is held: who has it open already sees that it holds nothing.
  ::unlink((path_ / "lock").c_str());
  ::rmdir(path_.c_str());
  lock_ = SpoolFile();
}

std::vector<fs::path> folders_beside(const fs::path& own) {
  std::vector<fs::path> out;
  std::error_code unreadable;
  for (fs::directory_iterator at(own.parent_path(), unreadable), end; !unreadable && at != end; at.increment(unreadable)) {
    std::error_code ignored;  // gone meanwhile: then it is no folder
    const bool is_producers = at->path().filename().native().starts_with(kProducerFolder);
    if (is_producers && at->is_directory(ignored) && !at->is_symlink(ignored) && at->path() != own) out.push_back(at->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::uint64_t bytes_in(const std::vector<fs::path>& folders) {
  std::uint64_t bytes = 0;
  for (const auto& folder : folders) {
    std::error_code unreadable;
    for (fs::directory_iterator at(folder, unreadable), end; !unreadable && at != end; at.increment(unreadable)) {
      std::error_code gone;
      const auto size = at->file_size(gone);
      if (!gone) bytes += size;
    }
  }
  return bytes;
}

}  // namespace runfold::delivery

// The system calls behind a spool's files.
#include "producer/delivery/spool_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace runfold::delivery {
namespace {

DiskError last_error() noexcept {
  return {errno, boost::system::system_category()};
}

}  // namespace

SpoolFile::~SpoolFile() {
  if (fd_ >= 0) ::close(fd_);
}

DiskResult<SpoolFile> SpoolFile::open(const std::filesystem::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return last_error();
  return SpoolFile(fd);
}

DiskError SpoolFile::write(std::uint64_t offset, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return last_error();
    offset += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

DiskResult<std::size_t> SpoolFile::read(std::uint64_t offset, char* to, std::size_t size) const noexcept {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t more = ::pread(fd_, to + got, size - got, static_cast<off_t>(offset + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return last_error();
    if (more == 0) break;
    got += static_cast<std::size_t>(more);
  }
  return got;
}

DiskError SpoolFile::truncate(std::uint64_t size) noexcept {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return last_error();
  return {};
}

bool SpoolFile::is_removed() const noexcept {
  struct stat about {};
  return ::fstat(fd_, &about) == 0 && about.st_nlink == 0;
}

DiskError SpoolFile::lock() noexcept {
  namespace errc = boost::system::errc;
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? make_error_code(errc::device_or_resource_busy) : last_error();
  }
  return is_removed() ? make_error_code(errc::no_such_file_or_directory) : DiskError();
}

}  // namespace runfold::delivery

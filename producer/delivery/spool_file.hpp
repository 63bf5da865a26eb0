// A file of a spool: an owned descriptor with whole writes, and errors as values.
#pragma once

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

namespace runfold::delivery {

template <class T>
using DiskResult = boost::system::result<T>;
using DiskError = boost::system::error_code;

/// Readable and writable by its user alone; closed when a process is executed.
class SpoolFile {
 public:
  SpoolFile() noexcept = default;
  ~SpoolFile();
  SpoolFile(SpoolFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SpoolFile& operator=(SpoolFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  /// `flags` as for open(2). Follows no symbolic link.
  [[nodiscard]] static DiskResult<SpoolFile> open(const std::filesystem::path& path, int flags);
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  /// Writes all of it, or says why only a part of it stands there now.
  [[nodiscard]] DiskError write(std::uint64_t offset, std::string_view bytes) noexcept;
  /// Reads what there is, up to `size` bytes.
  [[nodiscard]] DiskResult<std::size_t> read(std::uint64_t offset, char* to, std::size_t size) const noexcept;
  [[nodiscard]] DiskError truncate(std::uint64_t size) noexcept;
  /// Somebody has removed it: what is written to it nobody will find.
  [[nodiscard]] bool is_removed() const noexcept;

  /// Takes the lock that lasts as long as this is open. Errors: device_or_resource_busy when another has it;
  /// no_such_file_or_directory when its holder has removed the file.
  [[nodiscard]] DiskError lock() noexcept;

 private:
  explicit SpoolFile(int fd) noexcept : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace runfold::delivery

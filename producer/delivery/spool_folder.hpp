// The folder of one producer in a spool, and who holds it.
#pragma once

#include "producer/delivery/spool_file.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::delivery {

/// Holds a producer's folder: while this lives no other process uses it, and the kernel lets go of it however the process ends.
class SpoolFolder {
 public:
  /// Makes the folder, and those above it, unless it is there. Errors: of the system; device_or_resource_busy when another
  /// holds it.
  [[nodiscard]] static DiskResult<SpoolFolder> make(const std::filesystem::path& path);
  /// Holds one that a producer has left. Errors: as above.
  [[nodiscard]] static DiskResult<SpoolFolder> take(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// The files in it whose names end so, in the order of their names.
  [[nodiscard]] std::vector<std::filesystem::path> files(const std::string& ending) const;

  /// False once somebody has removed the folder, or what says that it is held.
  [[nodiscard]] bool is_there() const noexcept;
  /// Removes it, if what else was in it is gone, and lets go of it.
  void remove() noexcept;

 private:
  SpoolFolder(std::filesystem::path path, SpoolFile lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  SpoolFile lock_;
};

/// What the names of producers' folders begin with. Nothing else in a spool is touched.
inline constexpr std::string_view kProducerFolder = "producer-";
/// The producers' folders beside `own`, in the order of their names. Empty when that cannot be read.
[[nodiscard]] std::vector<std::filesystem::path> folders_beside(const std::filesystem::path& own);
/// What the files in these folders take.
[[nodiscard]] std::uint64_t bytes_in(const std::vector<std::filesystem::path>& folders);

}  // namespace runfold::delivery

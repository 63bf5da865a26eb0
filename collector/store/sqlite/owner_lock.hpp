// The lock that keeps a second collector off a database file.
#pragma once

#include "collector/store/error.hpp"

#include <filesystem>
#include <memory>

namespace runfold::collector::sqlite {

/// Owns an flock on PATH.lock, where the owner's process id stands. It goes with the process, however that ends; the file
/// stays, since removing it would let two processes lock two files of the same name.
class OwnerLock {
 public:
  /// Errors: kBusy names the path and the process that holds it.
  [[nodiscard]] static StoreResult<std::shared_ptr<OwnerLock>> take(const std::filesystem::path& database);
  ~OwnerLock();
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

 private:
  explicit OwnerLock(int descriptor) noexcept : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace runfold::collector::sqlite

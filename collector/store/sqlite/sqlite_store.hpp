// The store as one SQLite file: for one collector on one machine.
#pragma once

#include "collector/store/store.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace runfold::collector {

struct SqliteOptions {
  enum class Access : std::uint8_t {
    /// Owns the file: makes it if need be, brings its schema up to date, and keeps other owners out.
    kOwn,
    /// Reads a file that there is, whoever owns it; writer() and outbox() are kInvalid.
    kRead,
  };
  Access access = Access::kOwn;
  /// How long a call waits for another connection's transaction before it is kBusy.
  std::chrono::milliseconds busy_wait{5'000};
  /// Bound on the database file, its write-ahead log not counted; a commit that would pass it is kFull. 0: the disk's.
  std::uint64_t max_bytes = 0;
  /// What the age of rows is judged by, in nanoseconds since the Unix epoch. Null: this machine's clock.
  std::function<TimeNs()> now{};
  /// A clock that nobody sets, which a wrong `now` shows by. Null: this machine's when `now` is its too, else `now`.
  std::function<TimeNs()> steady{};
};

/// Opens the store. Its folder must be there.
///
/// The owner holds a lock on PATH.lock, where its process id stands; the lock goes with the process.
/// Beside PATH, SQLite keeps PATH-wal and PATH-shm: they belong to the database, and backups need all three.
/// Thread: the store's from any, one at a time; what it makes as store.hpp says. It may go before what it made.
/// Errors: kBusy names the process that owns the file; kCorrupt: damaged, not a Runfold database, or made by a later
/// release; kReadOnly, kFull, kUnavailable as they come.
[[nodiscard]] StoreResult<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, const SqliteOptions& options = {});

}  // namespace runfold::collector

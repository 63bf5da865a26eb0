// Opens the SQLite store: owner's lock, write-ahead log, schema; then a connection for each who works on it.
#include "collector/store/sqlite/sqlite_store.hpp"

#include "collector/store/sqlite/connection.hpp"
#include "collector/store/sqlite/outbox.hpp"
#include "collector/store/sqlite/owner_lock.hpp"
#include "collector/store/sqlite/query.hpp"
#include "collector/store/sqlite/run_reader.hpp"
#include "collector/store/sqlite/schema.hpp"
#include "collector/store/sqlite/writer.hpp"

#include <system_error>

namespace runfold::collector {
namespace {

using sqlite::Connection;
using sqlite::OpenAs;
using sqlite::OwnerLock;

/// The page size that SQLite gives a new file, and the one that max_bytes is counted in.
constexpr std::uint64_t kPageBytes = 4096;

/// NORMAL: a commit survives kill -9; a power loss may take the last few, offsets and all, and the topics repair that.
/// FAST: what is removed is overwritten only where that costs no further page; retention removes by the gigabyte.
constexpr const char* kWriterSettings =
    "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = FAST; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; "
    "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864";
constexpr const char* kReaderSettings = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192";

TimeNs wall_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TimeNs steady_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, SqliteOptions options, std::shared_ptr<OwnerLock> lock, std::optional<std::string> instance_id)
      : path_(std::move(path)), options_(std::move(options)), lock_(std::move(lock)), instance_id_(std::move(instance_id)) {}

  StoreResult<std::unique_ptr<Writer>> writer() override {
    auto connection = open_to_write();
    if (!connection) return connection.error();
    const auto now = options_.now ? options_.now : wall_clock;
    const auto steady = options_.steady ? options_.steady : options_.now ? options_.now : steady_clock;
    return std::unique_ptr<Writer>(
        std::make_unique<sqlite::SqliteWriter>(lock_, std::move(*connection), now, sqlite::TrustedTime(now, steady)));
  }
  StoreResult<std::unique_ptr<RunReader>> run_reader() override {
    auto connection = open_to_read();
    if (!connection) return connection.error();
    return std::unique_ptr<RunReader>(std::make_unique<sqlite::SqliteRunReader>(std::move(*connection)));
  }
  StoreResult<std::unique_ptr<Query>> query() override {
    auto connection = open_to_read();
    if (!connection) return connection.error();
    return std::unique_ptr<Query>(std::make_unique<sqlite::SqliteQuery>(std::move(*connection)));
  }
  StoreResult<std::unique_ptr<sinks::Outbox>> outbox() override {
    auto connection = open_to_write();
    if (!connection) return connection.error();
    return std::unique_ptr<sinks::Outbox>(std::make_unique<sqlite::SqliteOutbox>(lock_, std::move(*connection)));
  }

  std::optional<std::string> instance_id() const override { return instance_id_; }

 private:
  StoreResult<std::unique_ptr<Connection>> open_to_read() {
    auto connection = Connection::open(path_, OpenAs::kReader, options_.busy_wait);
    if (!connection) return connection.error();
    if (const auto set = (*connection)->execute(kReaderSettings); !set) return set.error();
    return connection;
  }
  StoreResult<std::unique_ptr<Connection>> open_to_write() {
    if (!lock_) return StoreError{StoreErrc::kInvalid, path_ + " was opened to be read only: open it as its owner to write"};
    auto connection = Connection::open(path_, OpenAs::kWriter, options_.busy_wait);
    if (!connection) return connection.error();
    if (const auto set = (*connection)->execute(kWriterSettings); !set) return set.error();
    if (options_.max_bytes > 0) {
      const auto limit = "PRAGMA max_page_count = " + std::to_string((options_.max_bytes + kPageBytes - 1) / kPageBytes);
      if (const auto set = (*connection)->execute(limit.c_str()); !set) return set.error();
    }
    return connection;
  }

  std::string path_;
  SqliteOptions options_;
  /// Absent when the store is open to read.
  std::shared_ptr<OwnerLock> lock_;
  std::optional<std::string> instance_id_;
};

StoreResult<std::string> read_instance_id(Connection& connection) {
  const auto select = connection.prepare("SELECT value FROM meta WHERE key = 'instance_id'");
  if (!select) return select.error();
  const sqlite::Rows rows(**select);
  (*select)->bind_all();
  const auto there = (*select)->next();
  if (!there) return there.error();
  if (!*there) return StoreError{StoreErrc::kCorrupt, connection.path() + " has lost its instance_id: restore it from a backup"};
  return (*select)->bytes(0);
}

/// Brings the file to be ours: write-ahead log, tables. Gives its instance id.
StoreResult<std::string> prepare_file(const std::string& path, const SqliteOptions& options) {
  const auto connection = Connection::open(path, OpenAs::kCreator, options.busy_wait);
  if (!connection) return connection.error();
  // Must stand before the first table; lets retention give pages back to the file system.
  if (const auto set = (*connection)->execute("PRAGMA auto_vacuum = INCREMENTAL"); !set) return set.error();
  if (const auto done = sqlite::migrate(**connection, sqlite::migrations()); !done) return done.error();
  const auto mode = (*connection)->prepare("PRAGMA journal_mode = WAL");
  if (!mode) return mode.error();
  const sqlite::Rows rows(**mode);
  (*mode)->bind_all();
  const auto there = (*mode)->next();
  if (!there) return there.error();
  if (const auto now = (*mode)->bytes(0); now != "wal") {
    return StoreError{StoreErrc::kUnavailable, path + " cannot have a write-ahead log (journal mode " + now +
                                                   "): put it on a local disk, network file systems do not do"};
  }
  return read_instance_id(**connection);
}

}  // namespace

StoreResult<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, const SqliteOptions& options) {
  // One name for one file, so that the lock is the same by whichever link it is reached.
  std::error_code failed;
  auto real = std::filesystem::weakly_canonical(path, failed);
  if (failed) return StoreError{StoreErrc::kUnavailable, path.string() + " cannot be found (" + failed.message() + "): give another path"};
  if (const auto folder = real.parent_path(); !std::filesystem::is_directory(folder, failed)) {
    return StoreError{StoreErrc::kUnavailable, "the folder " + folder.string() + " of " + path.string() + " is not there: make it"};
  }
  if (std::filesystem::is_directory(real, failed)) {
    return StoreError{StoreErrc::kInvalid, path.string() + " is a folder: name a file in it"};
  }
  std::shared_ptr<OwnerLock> lock;
  std::optional<std::string> instance_id;
  if (options.access == SqliteOptions::Access::kOwn) {
    auto taken = OwnerLock::take(real);
    if (!taken) return taken.error();
    lock = std::move(*taken);
    auto prepared = prepare_file(real.string(), options);
    if (!prepared) return prepared.error();
    instance_id = std::move(*prepared);
  } else {
    const auto connection = Connection::open(real.string(), OpenAs::kReader, options.busy_wait);
    if (!connection) return connection.error();
    if (const auto done = sqlite::verify_schema(**connection, sqlite::migrations()); !done) return done.error();
  }
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(real.string(), options, std::move(lock), std::move(instance_id)));
}

}  // namespace runfold::collector

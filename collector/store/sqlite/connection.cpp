// SQLite handles, statements, transactions, and its result codes as errors with a sentence.
#include "collector/store/sqlite/connection.hpp"

#include <cassert>

namespace runfold::collector::sqlite {
namespace {

/// Queries build one text for each set of filters; beyond this many the kept statements are dropped and made again.
constexpr std::size_t kStatementsKept = 128;

}  // namespace

StoreError make_error(int code, const std::string& path, std::string_view detail) {
  const std::string words = detail.empty() ? std::string() : " (" + std::string(detail) + ")";
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {StoreErrc::kFull,
              "the disk, or the bound set for it, of " + path + " is full" + words + ": make space; nothing is lost meanwhile"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {StoreErrc::kReadOnly, path + " cannot be written" + words + ": let this user write the file and its folder"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {StoreErrc::kBusy,
              "another connection holds " + path + " for too long" + words + ": look for a process that keeps a transaction open"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {StoreErrc::kCorrupt, path + " is damaged or not a database" + words + ": move it away or restore a backup, and start again"};
    case SQLITE_CANTOPEN:
      return {StoreErrc::kUnavailable, path + " cannot be opened" + words + ": see that its folder is there and this user may use it"};
    case SQLITE_IOERR:
      return {StoreErrc::kUnavailable, "reading or writing " + path + " failed" + words + ": see to the disk it is on"};
    default:
      return {StoreErrc::kUnavailable, "SQLite failed on " + path + words};
  }
}

std::string Statement::bytes(int column) const {
  // The pointer first, then the size: the order that SQLite asks for.
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
  return data ? std::string(data, size) : std::string();
}

StoreResult<bool> Statement::next() {
  assert(bound_ == sqlite3_bind_parameter_count(handle_));
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  StoreError error = connection_->error();
  reset();
  return error;
}

StoreResult<> Statement::finish() {
  const Rows rows(*this);
  const auto more = next();
  if (!more) return more.error();
  assert(!*more);
  return {};
}

StoreResult<std::unique_ptr<Connection>> Connection::open(const std::string& path, OpenAs how, std::chrono::milliseconds busy_wait) {
  sqlite3* handle = nullptr;
  const int flags = how == OpenAs::kReader   ? SQLITE_OPEN_READONLY
                    : how == OpenAs::kWriter ? SQLITE_OPEN_READWRITE
                                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  // The handle is there even after a failure, to be asked why and closed.
  std::unique_ptr<Connection> connection(new Connection(path, handle, busy_wait));
  if (code != SQLITE_OK) return handle ? connection->error() : make_error(code, path, "out of memory");
  sqlite3_busy_timeout(handle, static_cast<int>(busy_wait.count()));
  // SQLite opens a file that it may not write as read-only, and would say so at the first write only.
  if (how != OpenAs::kReader && sqlite3_db_readonly(handle, "main") == 1) return make_error(SQLITE_READONLY, path, {});
  return connection;
}

Connection::~Connection() {
  statements_.clear();
  // Fails only with statements left unfinalized, and there are none.
  const int code = sqlite3_close(handle_);
  assert(code == SQLITE_OK);
  static_cast<void>(code);
}

StoreError Connection::error() const {
  const int code = sqlite3_extended_errcode(handle_);
  return make_error(code, path_, std::string(sqlite3_errmsg(handle_)) + ", SQLite code " + std::to_string(code));
}

StoreResult<Statement*> Connection::prepare(std::string_view sql) {
  if (const auto kept = statements_.find(sql); kept != statements_.end()) return &kept->second.statement;
  if (statements_.size() >= kStatementsKept) statements_.clear();
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle, nullptr) != SQLITE_OK) {
    return error();
  }
  Kept kept{std::unique_ptr<sqlite3_stmt, Finalize>(handle), Statement(*this, handle)};
  return &statements_.emplace(std::string(sql), std::move(kept)).first->second.statement;
}

StoreResult<> Connection::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

StoreResult<std::int64_t> Connection::integer(std::string_view sql) {
  const auto statement = prepare(sql);
  if (!statement) return statement.error();
  const Rows rows(**statement);
  (*statement)->bind_all();
  const auto row = (*statement)->next();
  if (!row) return row.error();
  return *row ? (*statement)->integer(0) : std::int64_t{0};
}

StoreResult<> Connection::truncate_log() {
  sqlite3_busy_timeout(handle_, 0);
  const int code = sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  StoreResult<> done;
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) done = error();
  sqlite3_busy_timeout(handle_, static_cast<int>(busy_wait_.count()));
  return done;
}

StoreResult<Transaction> Transaction::begin(Connection& connection, std::string_view sql) {
  const auto statement = connection.prepare(sql);
  if (!statement) return statement.error();
  if (const auto begun = (*statement)->run(); !begun) return begun.error();
  return Transaction(connection);
}

StoreResult<Transaction> Transaction::begin_write(Connection& connection) {
  return begin(connection, "BEGIN IMMEDIATE");
}
StoreResult<Transaction> Transaction::begin_read(Connection& connection) {
  return begin(connection, "BEGIN");
}

StoreResult<> Transaction::commit() {
  const auto statement = connection_->prepare("COMMIT");
  if (!statement) return statement.error();
  return (*statement)->run();
}

Transaction::~Transaction() {
  // A full disk or an I/O error may have rolled back already. When rolling back fails too, the transaction is gone
  // with the connection's locks at the next BEGIN at the latest, which then reports it.
  if (connection_ == nullptr || !connection_->in_transaction()) return;
  static_cast<void>(connection_->execute("ROLLBACK"));
}

}  // namespace runfold::collector::sqlite

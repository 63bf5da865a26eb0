// RAII round SQLite: a connection with its prepared statements, and transactions.
#pragma once

#include "collector/store/error.hpp"

#include <sqlite3.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace runfold::collector::sqlite {

/// Bytes to bind as a BLOB; a view of nothing at all (a null pointer) as NULL.
struct Blob {
  std::string_view bytes;
};

class Connection;

/// A prepared statement, owned by its connection.
///
/// Bound text and blobs are not copied: they must live until the statement is done or reset.
class Statement {
 public:
  Statement(Connection& connection, sqlite3_stmt* handle) noexcept : connection_(&connection), handle_(handle) {}

  /// Binds all parameters in order and runs to the end: for statements that give no rows.
  template <class... Values>
  [[nodiscard]] StoreResult<> run(const Values&... values) {
    bind_all(values...);
    return finish();
  }

  /// Sets the first parameters; rows then come from next(). Use a Rows to have it reset.
  template <class... Values>
  void bind_all(const Values&... values) {
    bound_ = 0;
    (bind(values), ...);
  }

  /// Binds one more parameter.
  void bind(std::string_view text) { sqlite3_bind_text(handle_, ++bound_, text.data() ? text.data() : "", int_size(text), SQLITE_STATIC); }
  void bind(const std::string& text) { bind(std::string_view(text)); }
  void bind(Blob blob) { sqlite3_bind_blob(handle_, ++bound_, blob.bytes.data(), int_size(blob.bytes), SQLITE_STATIC); }
  void bind(std::nullptr_t) { sqlite3_bind_null(handle_, ++bound_); }
  template <std::integral T>
  void bind(T number) {
    sqlite3_bind_int64(handle_, ++bound_, static_cast<sqlite3_int64>(number));
  }
  template <class T>
  void bind(const std::optional<T>& value) {
    if (value) {
      bind(*value);
    } else {
      bind(nullptr);
    }
  }

  /// True when there is a row.
  [[nodiscard]] StoreResult<bool> next();
  void reset() noexcept { sqlite3_reset(handle_); }

  [[nodiscard]] std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(handle_, column); }
  template <std::integral T>
  [[nodiscard]] T integer(int column) const noexcept {
    return static_cast<T>(integer(column));
  }
  [[nodiscard]] bool is_null(int column) const noexcept { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  /// Text or blob, as bytes.
  [[nodiscard]] std::string bytes(int column) const;

 private:
  static int int_size(std::string_view text) noexcept { return static_cast<int>(text.size()); }
  [[nodiscard]] StoreResult<> finish();

  Connection* connection_;
  sqlite3_stmt* handle_;
  int bound_ = 0;
};

/// Resets a statement at the end of the scope that reads its rows, so that no read transaction stays open.
class Rows {
 public:
  explicit Rows(Statement& statement) noexcept : statement_(statement) {}
  ~Rows() { statement_.reset(); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

 private:
  Statement& statement_;
};

enum class OpenAs : std::uint8_t { kReader, kWriter, kCreator };

/// Owns one sqlite3 handle. Thread: one at a time.
class Connection {
 public:
  [[nodiscard]] static StoreResult<std::unique_ptr<Connection>> open(const std::string& path, OpenAs how,
                                                                     std::chrono::milliseconds busy_wait);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// A statement that is kept for the next time; nobody may be reading its rows.
  [[nodiscard]] StoreResult<Statement*> prepare(std::string_view sql);
  /// Runs SQL text that gives no rows.
  [[nodiscard]] StoreResult<> execute(const char* sql);
  /// The first column of the first row.
  [[nodiscard]] StoreResult<std::int64_t> integer(std::string_view sql);

  /// Copies the write-ahead log into the database and cuts it to nothing. Waits for nobody: while somebody reads or writes,
  /// as much is done as can be, and that is no error.
  [[nodiscard]] StoreResult<> truncate_log();

  /// Rows changed by the last INSERT, UPDATE or DELETE.
  [[nodiscard]] std::int64_t changes() const noexcept { return sqlite3_changes64(handle_); }
  [[nodiscard]] bool in_transaction() const noexcept { return sqlite3_get_autocommit(handle_) == 0; }
  /// What the last failed call says, as a sentence.
  [[nodiscard]] StoreError error() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  Connection(std::string path, sqlite3* handle, std::chrono::milliseconds busy_wait)
      : path_(std::move(path)), handle_(handle), busy_wait_(busy_wait) {}

  struct Finalize {
    void operator()(sqlite3_stmt* handle) const noexcept { sqlite3_finalize(handle); }
  };
  struct Kept {
    std::unique_ptr<sqlite3_stmt, Finalize> handle;
    Statement statement;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::string path_;
  sqlite3* handle_;
  std::chrono::milliseconds busy_wait_;
  std::unordered_map<std::string, Kept, Hash, std::equal_to<>> statements_;
};

/// A transaction that is rolled back unless committed.
class Transaction {
 public:
  /// Takes the write lock at once, so that nothing fails for want of it later.
  [[nodiscard]] static StoreResult<Transaction> begin_write(Connection& connection);
  /// One view of the database for several reads.
  [[nodiscard]] static StoreResult<Transaction> begin_read(Connection& connection);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  [[nodiscard]] StoreResult<> commit();

 private:
  explicit Transaction(Connection& connection) noexcept : connection_(&connection) {}
  static StoreResult<Transaction> begin(Connection& connection, std::string_view sql);

  Connection* connection_;
};

/// Sorts an SQLite result code, and makes the sentence.
[[nodiscard]] StoreError make_error(int code, const std::string& path, std::string_view detail);

}  // namespace runfold::collector::sqlite

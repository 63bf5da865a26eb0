// Removes what is too old or too much, oldest first, each step in a transaction; then gives free pages back to the disk.
#include "collector/store/sqlite/trim.hpp"

#include "collector/store/sqlite/schema.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace runfold::collector::sqlite {
namespace {

/// Free space that stays in the file, for rows to come: this much, and this part of the file.
constexpr std::int64_t kSlackBytes = 1024 * 1024;
constexpr std::int64_t kSlackPart = 20;
/// A write-ahead log up to this size is left as it is.
constexpr std::uintmax_t kLogWorthTruncating = 4 * 1024 * 1024;

/// What is left of a step for one kind.
struct Budget {
  std::size_t rows;
  std::uint64_t bytes;

  [[nodiscard]] bool left() const noexcept { return rows > 0 && bytes > 0; }
  void spend(std::uint64_t of_bytes) noexcept {
    rows -= std::min<std::size_t>(rows, 1);
    bytes -= std::min(bytes, of_bytes);
  }
};

/// A row to remove.
struct Found {
  std::int64_t row_id = 0;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
};

class Trim {
 public:
  Trim(Connection& connection, const Retention& keep, const TrimStep& step, TimeNs now)
      : connection_(connection), keep_(keep), step_(step), now_(now) {}

  StoreResult<Trimmed> run() {
    if (const auto done = remove(); !done) return done.error();
    const bool removed =
        done_.runs + done_.log_records + done_.api_failures + done_.api_failure_groups + done_.operations + done_.rejected > 0;
    if (const auto done = give_back(); !done) return done.error();
    if (!removed && !done_.more && step_.quiet) {
      if (const auto done = put_log_away(); !done) return done.error();
    }
    if (const auto done = measure(); !done) return done.error();
    return done_;
  }

 private:
  StoreResult<> remove() {
    auto transaction = Transaction::begin_write(connection_);
    if (!transaction) return transaction.error();
    if (const auto done = remove_logs(); !done) return done.error();
    if (const auto done = remove_runs(); !done) return done.error();
    if (const auto done = remove_others(); !done) return done.error();
    return transaction->commit();
  }

  /// Written or heard of before this is too old. Absent: nothing is.
  static std::optional<TimeNs> cutoff(const Keep& keep, TimeNs now) {
    return keep.age_ns ? std::optional(now - *keep.age_ns) : std::nullopt;
  }

  StoreResult<bool> too_much(const Keep& keep, int kind) {
    if (!keep.bytes) return false;
    const auto bytes = usage(kind);
    if (!bytes) return bytes.error();
    return *bytes > *keep.bytes;
  }

  StoreResult<std::uint64_t> usage(int kind) {
    const auto statement = connection_.prepare("SELECT bytes FROM usage WHERE kind = ?");
    if (!statement) return statement.error();
    const Rows rows(**statement);
    (*statement)->bind_all(kind);
    const auto there = (*statement)->next();
    if (!there) return there.error();
    return *there ? static_cast<std::uint64_t>(std::max<std::int64_t>(0, (*statement)->integer(0))) : 0U;
  }

  // Too old by the time they were written, or too much: then the first that were.
  StoreResult<> remove_logs() {
    const auto before = cutoff(keep_.logs, now_);
    Budget budget{step_.rows, step_.bytes};
    while (true) {
      const auto over = too_much(keep_.logs, kLogsUsage);
      if (!over) return over.error();
      const auto oldest = oldest_chunk(*over ? "rowid" : "written_at_ns");
      if (!oldest) return oldest.error();
      if (!*oldest || !(*over || (before && (*oldest)->second < *before))) return {};
      if (!budget.left()) {
        done_.more = true;
        return {};
      }
      if (const auto done = remove_chunk((*oldest)->first, budget); !done) return done.error();
    }
  }

  StoreResult<std::optional<std::pair<Found, TimeNs>>> oldest_chunk(std::string_view by) {
    const auto statement =
        connection_.prepare("SELECT rowid, length(data), records, written_at_ns FROM log_chunks ORDER BY " + std::string(by) + " LIMIT 1");
    if (!statement) return statement.error();
    const Rows rows(**statement);
    (*statement)->bind_all();
    const auto there = (*statement)->next();
    if (!there) return there.error();
    if (!*there) return std::optional<std::pair<Found, TimeNs>>();
    return std::optional(std::pair(read(**statement), (*statement)->integer(3)));
  }

  static Found read(const Statement& row) { return {row.integer(0), row.integer<std::uint64_t>(1), row.integer<std::uint64_t>(2)}; }

  StoreResult<> remove_chunk(const Found& chunk, Budget& budget) {
    const auto statement = connection_.prepare("DELETE FROM log_chunks WHERE rowid = ?");
    if (!statement) return statement.error();
    if (const auto done = (*statement)->run(chunk.row_id); !done) return done.error();
    budget.spend(chunk.bytes);
    done_.log_records += chunk.records;
    return {};
  }

  struct OldRun {
    std::int64_t row_id = 0;
    RunKey key;
    TimeNs heard_at_ns = 0;
  };

  StoreResult<> remove_runs() {
    const auto before = cutoff(keep_.runs, now_);
    Budget budget{step_.rows, step_.bytes};
    while (true) {
      const auto over = too_much(keep_.runs, kRunsUsage);
      if (!over) return over.error();
      const auto oldest = oldest_run();
      if (!oldest) return oldest.error();
      if (!*oldest || !(*over || (before && (*oldest)->heard_at_ns < *before))) return {};
      if (!budget.left()) {
        done_.more = true;
        return {};
      }
      if (const auto done = remove_run(**oldest, budget); !done) return done.error();
    }
  }

  StoreResult<std::optional<OldRun>> oldest_run() {
    const auto statement = connection_.prepare(
        "SELECT rowid, run_id, attempt, heard_at_ns FROM runs INDEXED BY runs_oldest WHERE status <> 2 ORDER BY heard_at_ns LIMIT 1");
    if (!statement) return statement.error();
    const Statement& row = **statement;
    const Rows rows(**statement);
    (*statement)->bind_all();
    const auto there = (*statement)->next();
    if (!there) return there.error();
    if (!*there) return std::optional<OldRun>();
    return std::optional(OldRun{row.integer(0), {row.bytes(1), row.integer<std::uint32_t>(2)}, row.integer(3)});
  }

  /// A run with more than the budget takes goes in several steps, its own row last: it is still the oldest then.
  StoreResult<> remove_run(const OldRun& run, Budget& budget) {
    const auto chunks =
        found("SELECT rowid, length(data), records FROM log_chunks WHERE run_id = ? AND attempt = ? LIMIT ?", run.key, budget);
    if (!chunks) return chunks.error();
    for (const Found& chunk : *chunks) {
      if (!budget.left()) return {};
      if (const auto done = remove_chunk(chunk, budget); !done) return done.error();
    }
    const auto failures =
        found("SELECT rowid, length(payload), 1 FROM api_failures WHERE run_id = ? AND attempt = ? LIMIT ?", run.key, budget);
    if (!failures) return failures.error();
    const auto remove_failure = connection_.prepare("DELETE FROM api_failures WHERE rowid = ?");
    if (!remove_failure) return remove_failure.error();
    for (const Found& failure : *failures) {
      if (!budget.left()) return {};
      if (const auto done = (*remove_failure)->run(failure.row_id); !done) return done.error();
      budget.spend(failure.bytes);
      ++done_.api_failures;
    }
    if (!budget.left()) return {};
    const auto remove_counts = connection_.prepare("DELETE FROM run_logs WHERE run_id = ? AND attempt = ?");
    if (!remove_counts) return remove_counts.error();
    if (const auto done = (*remove_counts)->run(run.key.run_id, run.key.attempt); !done) return done.error();
    const auto remove_row = connection_.prepare("DELETE FROM runs WHERE rowid = ?");
    if (!remove_row) return remove_row.error();
    if (const auto done = (*remove_row)->run(run.row_id); !done) return done.error();
    budget.spend(1);
    ++done_.runs;
    return {};
  }

  /// At most as many rows as the budget has left, and one more only if there are.
  StoreResult<std::vector<Found>> found(std::string_view sql, const RunKey& key, const Budget& budget) {
    const auto statement = connection_.prepare(sql);
    if (!statement) return statement.error();
    const Rows rows(**statement);
    (*statement)->bind_all(key.run_id, key.attempt, budget.rows);
    std::vector<Found> all;
    while (true) {
      const auto there = (*statement)->next();
      if (!there) return there.error();
      if (!*there) return all;
      all.push_back(read(**statement));
    }
  }

  StoreResult<> remove_others() {
    const auto before = cutoff(keep_.runs, now_);
    if (!before) return {};
    const auto operations = remove_older(
        "DELETE FROM operations WHERE operation_id IN "
        "(SELECT operation_id FROM operations WHERE heard_at_ns < ? ORDER BY heard_at_ns LIMIT ?)",
        *before);
    if (!operations) return operations.error();
    done_.operations = *operations;
    const auto groups = remove_older(
        "DELETE FROM api_failure_groups WHERE rowid IN "
        "(SELECT rowid FROM api_failure_groups WHERE heard_at_ns < ? ORDER BY heard_at_ns LIMIT ?)",
        *before);
    if (!groups) return groups.error();
    done_.api_failure_groups = *groups;
    const auto rejected = remove_older(
        "DELETE FROM outbox_rejected WHERE id IN "
        "(SELECT id FROM outbox_rejected WHERE rejected_at_ns < ? ORDER BY rejected_at_ns LIMIT ?)",
        *before);
    if (!rejected) return rejected.error();
    done_.rejected = *rejected;
    return {};
  }

  StoreResult<std::uint64_t> remove_older(std::string_view sql, TimeNs before) {
    const auto statement = connection_.prepare(sql);
    if (!statement) return statement.error();
    if (const auto done = (*statement)->run(before, step_.rows); !done) return done.error();
    const auto removed = static_cast<std::uint64_t>(connection_.changes());
    if (removed >= step_.rows) done_.more = true;
    return removed;
  }

  // Outside of a transaction: each of these is one by itself.

  StoreResult<> give_back() {
    const auto pages = connection_.integer("PRAGMA page_count");
    if (!pages) return pages.error();
    const auto free = connection_.integer("PRAGMA freelist_count");
    if (!free) return free.error();
    const auto page_bytes = connection_.integer("PRAGMA page_size");
    if (!page_bytes) return page_bytes.error();
    const std::int64_t keep = std::max(kSlackBytes / *page_bytes, *pages / kSlackPart);
    if (*free <= keep) return {};
    const std::int64_t most = std::max<std::int64_t>(1, static_cast<std::int64_t>(step_.give_back) / *page_bytes);
    const std::int64_t now = std::min(*free - keep, most);
    if (const auto done = connection_.execute(("PRAGMA incremental_vacuum(" + std::to_string(now) + ")").c_str()); !done)
      return done.error();
    if (*free - now > keep) done_.more = true;
    return {};
  }

  /// Copies the log into the database and cuts both to what they hold, unless a reader is in the way: the next quiet time
  /// comes. Until then the file is as long as it was, whatever was given back.
  StoreResult<> put_log_away() {
    std::error_code missing;
    const auto bytes = std::filesystem::file_size(connection_.path() + "-wal", missing);
    if (missing) return {};
    const auto pages = connection_.integer("PRAGMA page_count");
    if (!pages) return pages.error();
    const auto page_bytes = connection_.integer("PRAGMA page_size");
    if (!page_bytes) return page_bytes.error();
    const auto on_disk = std::filesystem::file_size(connection_.path(), missing);
    const bool shrinks = !missing && on_disk > static_cast<std::uintmax_t>(*pages * *page_bytes);
    if (bytes < kLogWorthTruncating && !shrinks) return {};
    return connection_.truncate_log();
  }

  StoreResult<> measure() {
    const auto runs = usage(kRunsUsage);
    if (!runs) return runs.error();
    const auto logs = usage(kLogsUsage);
    if (!logs) return logs.error();
    const auto pages = connection_.integer("PRAGMA page_count");
    if (!pages) return pages.error();
    const auto free = connection_.integer("PRAGMA freelist_count");
    if (!free) return free.error();
    const auto page_bytes = connection_.integer("PRAGMA page_size");
    if (!page_bytes) return page_bytes.error();
    done_.runs_bytes = *runs;
    done_.logs_bytes = *logs;
    done_.file_bytes = static_cast<std::uint64_t>(*pages * *page_bytes);
    done_.free_bytes = static_cast<std::uint64_t>(*free * *page_bytes);
    return {};
  }

  Connection& connection_;
  const Retention& keep_;
  const TrimStep& step_;
  TimeNs now_;
  Trimmed done_;
};

}  // namespace

StoreResult<Trimmed> trim_store(Connection& connection, const Retention& keep, const TrimStep& step, TimeNs now) {
  return Trim(connection, keep, step, now).run();
}

}  // namespace runfold::collector::sqlite

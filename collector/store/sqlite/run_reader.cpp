// Loads what the fold needs of a run that is not in memory.
#include "collector/store/sqlite/run_reader.hpp"

#include "collector/store/sqlite/columns.hpp"

#include <string>

namespace runfold::collector::sqlite {
namespace {

/// Asks `sql` for each key, in one read transaction: `read` makes of the row what was looked for.
template <class Row, class Read>
StoreResult<std::vector<std::optional<Row>>> load(Connection& connection, const std::string& sql, std::span<const RunKey> keys, Read read) {
  std::vector<std::optional<Row>> found(keys.size());
  if (keys.empty()) return found;
  auto transaction = Transaction::begin_read(connection);
  if (!transaction) return transaction.error();
  const auto select = connection.prepare(sql);
  if (!select) return select.error();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Statement& row = **select;
    const Rows rows(row);
    row.bind_all(keys[i].run_id, keys[i].attempt);
    const auto there = row.next();
    if (!there) return there.error();
    if (!*there) continue;
    StoreResult<Row> loaded = read(row, keys[i]);
    if (!loaded) return loaded.error();
    found[i] = std::move(*loaded);
  }
  if (const auto done = transaction->commit(); !done) return done.error();
  return found;
}

}  // namespace

StoreResult<std::vector<std::optional<RunRow>>> SqliteRunReader::load_runs(std::span<const RunKey> keys) {
  const std::string sql =
      std::string("SELECT ") + kRunColumns + ", r.fold_state FROM runs r WHERE r.run_id = ? AND r.attempt = ? AND r.snapshot IS NOT NULL";
  return load<RunRow>(*connection_, sql, keys, [](const Statement& row, const RunKey&) -> StoreResult<RunRow> {
    RunRow run = read_run(row, 0);
    run.fold_state = row.bytes(kRunColumnCount);
    return run;
  });
}

StoreResult<std::vector<std::optional<RunLogsRow>>> SqliteRunReader::load_run_logs(std::span<const RunKey> keys) {
  const std::string sql = std::string("SELECT ") + kRunLogsColumns + ", l.fold_state FROM run_logs l WHERE l.run_id = ? AND l.attempt = ?";
  return load<RunLogsRow>(*connection_, sql, keys, [](const Statement& row, const RunKey& key) {
    auto logs = read_run_logs(row, 0, key);
    if (logs) logs->fold_state = row.bytes(kRunLogsColumnCount);
    return logs;
  });
}

}  // namespace runfold::collector::sqlite

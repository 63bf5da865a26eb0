// Loads what the fold needs of a run that is not in memory.
#include "collector/store/sqlite/run_reader.hpp"

#include "collector/store/sqlite/columns.hpp"

namespace runfold::collector::sqlite {

StoreResult<std::vector<std::optional<RunRow>>> SqliteRunReader::load_runs(std::span<const RunKey> keys) {
  std::vector<std::optional<RunRow>> found(keys.size());
  if (keys.empty()) return found;
  auto transaction = Transaction::begin_read(*connection_);
  if (!transaction) return transaction.error();
  const auto select = connection_->prepare(std::string("SELECT ") + kRunColumns +
                                           ", r.fold_state FROM runs r WHERE r.run_id = ? AND r.attempt = ? AND r.snapshot IS NOT NULL");
  if (!select) return select.error();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Statement& row = **select;
    const Rows rows(row);
    row.bind_all(keys[i].run_id, keys[i].attempt);
    const auto there = row.next();
    if (!there) return there.error();
    if (!*there) continue;
    found[i] = read_run(row, 0);
    found[i]->fold_state = row.bytes(kRunColumnCount);
  }
  if (const auto done = transaction->commit(); !done) return done.error();
  return found;
}

StoreResult<std::vector<std::optional<RunLogsRow>>> SqliteRunReader::load_run_logs(std::span<const RunKey> keys) {
  std::vector<std::optional<RunLogsRow>> found(keys.size());
  if (keys.empty()) return found;
  auto transaction = Transaction::begin_read(*connection_);
  if (!transaction) return transaction.error();
  const auto select = connection_->prepare(std::string("SELECT ") + kRunLogsColumns +
                                           ", l.fold_state FROM run_logs l WHERE l.run_id = ? AND l.attempt = ?");
  if (!select) return select.error();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Statement& row = **select;
    const Rows rows(row);
    row.bind_all(keys[i].run_id, keys[i].attempt);
    const auto there = row.next();
    if (!there) return there.error();
    if (!*there) continue;
    auto logs = read_run_logs(row, 0, keys[i]);
    if (!logs) return logs.error();
    found[i] = std::move(*logs);
    found[i]->fold_state = row.bytes(kRunLogsColumnCount);
  }
  if (const auto done = transaction->commit(); !done) return done.error();
  return found;
}

}  // namespace runfold::collector::sqlite

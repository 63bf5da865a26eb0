// Answers the API's questions: pages by key, newest first, each from an index that already has the order.
#include "collector/store/sqlite/query.hpp"

#include "collector/store/sqlite/columns.hpp"
#include "collector/store/sqlite/lists.hpp"

#include <type_traits>
#include <utility>

namespace runfold::collector::sqlite {
namespace {

constexpr std::size_t kMaxLimit = 1000;

/// The cursor's key; absent for the first page.
StoreResult<std::optional<CursorKey>> page_start(const CursorScope& scope, std::size_t limit, std::string_view cursor) {
  if (limit < 1 || limit > kMaxLimit) {
    return StoreError{StoreErrc::kInvalid, "limit: " + std::to_string(limit) + " is not between 1 and " + std::to_string(kMaxLimit)};
  }
  if (cursor.empty()) return std::optional<CursorKey>();
  const auto key = read_cursor(scope, cursor);
  if (!key) return key.error();
  return std::optional<CursorKey>(*key);
}

/// Reads a page: one row more than the limit tells that there is a next one, and is not read.
template <class Row, class Read, class Key>
StoreResult<Page<Row>> read_page(Connection& connection, const Select& select, const CursorScope& scope, std::size_t limit, Read read,
                                 Key key) {
  const auto statement = select.prepare(connection);
  if (!statement) return statement.error();
  const Rows rows(**statement);
  Page<Row> page;
  while (true) {
    const auto there = (*statement)->next();
    if (!there) return there.error();
    if (!*there) return page;
    if (page.items.size() == limit) break;
    if constexpr (std::is_same_v<decltype(read(**statement)), Row>) {
      page.items.push_back(read(**statement));
    } else {
      auto row = read(**statement);
      if (!row) return row.error();
      page.items.push_back(std::move(*row));
    }
  }
  page.next_cursor = make_cursor(scope, key(page.items.back()));
  return page;
}

StoreResult<StoredRun> read_stored_run(const Statement& row) {
  StoredRun stored;
  stored.run = read_run(row, 0);
  if (row.is_null(kRunColumnCount)) return stored;
  auto logs = read_run_logs(row, kRunColumnCount, stored.run.key);
  if (!logs) return logs.error();
  stored.logs = std::move(*logs);
  return stored;
}

ApiFailureRow read_failure(const Statement& row) {
  ApiFailureRow failure;
  failure.failure_id = row.bytes(0);
  failure.key = {row.bytes(1), row.integer<std::uint32_t>(2)};
  failure.connector_id = row.bytes(3);
  failure.site = row.bytes(4);
  failure.at_ns = row.integer(5);
  if (!row.is_null(6)) failure.code = row.integer<std::uint32_t>(6);
  failure.origin = {row.integer<std::int32_t>(7), row.integer(8)};
  failure.payload = row.bytes(9);
  return failure;
}

LossRow read_loss(const Statement& row) {
  LossRow loss;
  loss.at_ns = row.integer(0);
  loss.topic = row.bytes(1);
  loss.partition = row.integer<std::int32_t>(2);
  loss.from_offset = row.integer(3);
  loss.to_offset = row.integer(4);
  if (!row.is_null(5)) loss.records = row.integer<std::uint64_t>(5);
  loss.reason = row.bytes(6);
  return loss;
}

OperationRow read_operation(const Statement& row) {
  OperationRow operation;
  operation.operation_id = row.bytes(0);
  operation.status = row.bytes(1);
  operation.name = row.bytes(2);
  operation.owner_id = row.bytes(3);
  operation.connector_id = row.bytes(4);
  operation.created_at_ns = row.integer(5);
  operation.updated_at_ns = row.integer(6);
  operation.origin = {row.integer<std::int32_t>(7), row.integer(8)};
  operation.payload = row.bytes(9);
  return operation;
}

}  // namespace

StoreResult<Page<StoredRun>> SqliteQuery::runs(const RunFilter& filter, std::size_t limit, std::string_view cursor) {
  CursorScope scope("runs");
  for (const auto* text : {&filter.run_id, &filter.connector_id, &filter.version, &filter.site}) scope.add(*text);
  scope.add_number(filter.status);
  scope.add_number(filter.result);
  scope.add_number(filter.from_ns);
  scope.add_number(filter.to_ns);
  const auto start = page_start(scope, limit, cursor);
  if (!start) return start.error();

  const Select select = select_runs(filter, limit, *start);
  return read_page<StoredRun>(*connection_, select, scope, limit, read_stored_run, [](const StoredRun& last) {
    return CursorKey{last.run.sort_at_ns, last.run.key.attempt, last.run.key.run_id};
  });
}

StoreResult<std::optional<StoredRun>> SqliteQuery::run(std::string_view run_id, std::optional<std::uint32_t> attempt) {
  const Select select = select_run(run_id, attempt);
  const auto statement = select.prepare(*connection_);
  if (!statement) return statement.error();
  const Rows rows(**statement);
  const auto there = (*statement)->next();
  if (!there) return there.error();
  if (!*there) return std::optional<StoredRun>();
  auto stored = read_stored_run(**statement);
  if (!stored) return stored.error();
  return std::optional<StoredRun>(std::move(*stored));
}

StoreResult<std::vector<LogChunk>> SqliteQuery::log_chunks(const RunKey& key, const ChunkRange& range, std::size_t limit) {
  const Select select = select_log_chunks(key, range, limit);
  const auto statement = select.prepare(*connection_);
  if (!statement) return statement.error();
  const Statement& row = **statement;
  const Rows rows(**statement);
  std::vector<LogChunk> chunks;
  while (true) {
    const auto there = (*statement)->next();
    if (!there) return there.error();
    if (!*there) return chunks;
    LogChunk chunk;
    chunk.key = key;
    chunk.chunk = row.integer<std::uint32_t>(0);
    chunk.records = row.integer<std::uint32_t>(1);
    chunk.first_ns = row.integer(2);
    chunk.last_ns = row.integer(3);
    chunk.severities = row.integer<std::uint8_t>(4);
    chunk.streams = row.integer<std::uint8_t>(5);
    chunk.data = row.bytes(6);
    chunks.push_back(std::move(chunk));
  }
}

StoreResult<Page<ApiFailureRow>> SqliteQuery::api_failures(const ApiFailureFilter& filter, std::size_t limit, std::string_view cursor) {
  CursorScope scope("api_failures");
  for (const auto* text : {&filter.run_id, &filter.connector_id, &filter.site}) scope.add(*text);
  scope.add_number(filter.attempt);
  scope.add_number(filter.code);
  scope.add_number(filter.from_ns);
  scope.add_number(filter.to_ns);
  const auto start = page_start(scope, limit, cursor);
  if (!start) return start.error();

  const Select select = select_api_failures(filter, limit, *start);
  return read_page<ApiFailureRow>(*connection_, select, scope, limit, read_failure, [](const ApiFailureRow& last) {
    return CursorKey{last.at_ns, 0, last.failure_id};
  });
}

StoreResult<Page<ApiFailureGroupRow>> SqliteQuery::api_failure_groups(const ApiFailureGroupFilter& filter, std::size_t limit,
                                                                      std::string_view cursor) {
  CursorScope scope("api-failure-groups");
  scope.add(filter.fingerprint);
  scope.add(filter.connector_id);
  scope.add_number(filter.code);
  scope.add_number(filter.from_ns);
  scope.add_number(filter.to_ns);
  const auto start = page_start(scope, limit, cursor);
  if (!start) return start.error();

  const Select select = select_api_failure_groups(filter, limit, *start);
  return read_page<ApiFailureGroupRow>(*connection_, select, scope, limit, read_group, [](const ApiFailureGroupRow& last) {
    return CursorKey{last.last_ns, 0, last.kind.fingerprint + ' ' + last.connector_id};
  });
}

StoreResult<Page<OperationRow>> SqliteQuery::operations(const OperationFilter& filter, std::size_t limit, std::string_view cursor) {
  CursorScope scope("operations");
  for (const auto* text : {&filter.status, &filter.name, &filter.owner_id, &filter.connector_id}) scope.add(*text);
  const auto start = page_start(scope, limit, cursor);
  if (!start) return start.error();

  const Select select = select_operations(filter, limit, *start);
  return read_page<OperationRow>(*connection_, select, scope, limit, read_operation, [](const OperationRow& last) {
    return CursorKey{last.created_at_ns, 0, last.operation_id};
  });
}

StoreResult<std::optional<OperationRow>> SqliteQuery::operation(std::string_view operation_id) {
  const Select select = select_operation(operation_id);
  const auto statement = select.prepare(*connection_);
  if (!statement) return statement.error();
  const Rows rows(**statement);
  const auto there = (*statement)->next();
  if (!there) return there.error();
  if (!*there) return std::optional<OperationRow>();
  return std::optional<OperationRow>(read_operation(**statement));
}

StoreResult<Page<LossRow>> SqliteQuery::losses(const LossFilter& filter, std::size_t limit, std::string_view cursor) {
  CursorScope scope("losses");
  scope.add(filter.topic);
  scope.add_number(filter.partition);
  const auto start = page_start(scope, limit, cursor);
  if (!start) return start.error();

  const Select select = select_losses(filter, limit, *start);
  return read_page<LossRow>(*connection_, select, scope, limit, read_loss, [](const LossRow& last) {
    return CursorKey{last.at_ns, static_cast<std::uint32_t>(last.partition), last.topic};
  });
}

StoreResult<std::vector<std::uint32_t>> SqliteQuery::attempts(std::string_view run_id) {
  const auto statement = connection_->prepare("SELECT attempt FROM runs WHERE run_id = ? ORDER BY attempt");
  if (!statement) return statement.error();
  const Rows rows(**statement);
  (*statement)->bind_all(run_id);
  std::vector<std::uint32_t> found;
  while (true) {
    const auto there = (*statement)->next();
    if (!there) return there.error();
    if (!*there) return found;
    found.push_back((*statement)->integer<std::uint32_t>(0));
  }
}

StoreResult<std::vector<std::pair<std::string, std::uint64_t>>> SqliteQuery::running_by_connector() {
  const auto statement = connection_->prepare("SELECT connector_id, count(*) FROM runs WHERE status = 2 GROUP BY connector_id");
  if (!statement) return statement.error();
  const Rows rows(**statement);
  (*statement)->bind_all();
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  while (true) {
    const auto there = (*statement)->next();
    if (!there) return there.error();
    if (!*there) return counts;
    counts.emplace_back((*statement)->bytes(0), (*statement)->integer<std::uint64_t>(1));
  }
}

}  // namespace runfold::collector::sqlite

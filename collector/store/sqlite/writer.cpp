// Writes batches: fence first, then rows in the order of their keys, so that neighbours share pages.
#include "collector/store/sqlite/writer.hpp"

#include "collector/store/sqlite/columns.hpp"
#include "collector/store/sqlite/lists.hpp"
#include "collector/store/sqlite/trim.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace runfold::collector::sqlite {
namespace {

/// Rows of one key stay in their order.
template <class Row, class Key>
std::vector<const Row*> sorted(const std::vector<Row>& rows, Key key) {
  std::vector<const Row*> order;
  order.reserve(rows.size());
  for (const auto& row : rows) order.push_back(&row);
  std::stable_sort(order.begin(), order.end(), [&key](const Row* a, const Row* b) { return key(*a) < key(*b); });
  return order;
}

}  // namespace

StoreResult<std::vector<Claim>> SqliteWriter::claim(std::span<const std::pair<std::string, std::int32_t>> partitions) {
  auto transaction = Transaction::begin_write(*connection_);
  if (!transaction) return transaction.error();
  const auto statement = connection_->prepare(
      "INSERT INTO partitions (topic, partition, epoch) VALUES (?, ?, 1) "
      "ON CONFLICT (topic, partition) DO UPDATE SET epoch = epoch + 1 "
      "RETURNING epoch, next_offset, last_timestamp_ms, last_hash, clock_ns, covered_until_ns");
  if (!statement) return statement.error();
  std::vector<Claim> claims;
  claims.reserve(partitions.size());
  for (const auto& [topic, partition] : partitions) {
    Statement& row = **statement;
    const Rows rows(row);
    row.bind_all(topic, partition);
    if (const auto there = row.next(); !there) return there.error();
    Claim claim{topic, partition, row.integer(0), std::nullopt, std::nullopt, row.integer(4), row.integer(5)};
    if (!row.is_null(1)) claim.next_offset = row.integer(1);
    if (!row.is_null(3)) claim.last = LastRecord{row.integer(2), row.integer<std::uint64_t>(3)};
    claims.push_back(std::move(claim));
  }
  if (const auto done = transaction->commit(); !done) return done.error();
  return claims;
}

StoreResult<> SqliteWriter::commit(const Batch& batch) {
  auto transaction = Transaction::begin_write(*connection_);
  if (!transaction) return transaction.error();
  if (const auto done = advance(batch.partitions); !done) return done.error();
  const auto stamp = time_.stamp(*connection_);
  if (!stamp) return stamp.error();
  const TimeNs now = *stamp;
  if (const auto done = write_runs(batch.runs, now); !done) return done.error();
  if (const auto done = write_run_logs(batch.run_logs); !done) return done.error();
  if (const auto done = list_runs_known_by_logs(batch, now); !done) return done.error();
  if (const auto done = write_log_chunks(batch.log_chunks, now); !done) return done.error();
  if (const auto done = write_api_failures(batch.api_failures, now); !done) return done.error();
  if (const auto done = write_operations(batch.operations, now); !done) return done.error();
  if (const auto done = write_outbox(batch.outbox, now_()); !done) return done.error();
  if (const auto done = write_losses(batch.losses); !done) return done.error();
  return transaction->commit();
}

StoreResult<> SqliteWriter::advance(const std::vector<PartitionRow>& partitions) {
  const auto statement = connection_->prepare(
      "UPDATE partitions SET next_offset = coalesce(?, next_offset), last_timestamp_ms = ?, last_hash = ?, clock_ns = ?, "
      "covered_until_ns = ? WHERE topic = ? AND partition = ? AND epoch = ?");
  if (!statement) return statement.error();
  for (const auto& row : partitions) {
    const auto timestamp_ms = row.last ? std::optional(row.last->timestamp_ms) : std::nullopt;
    const auto hash = row.last ? std::optional(row.last->hash) : std::nullopt;
    const auto done =
        (*statement)->run(row.next_offset, timestamp_ms, hash, row.clock_ns, row.covered_until_ns, row.topic, row.partition, row.epoch);
    if (!done) return done.error();
    if (connection_->changes() == 0) {
      return StoreError{StoreErrc::kFenced, "partition " + std::to_string(row.partition) + " of " + row.topic +
                                                " has been claimed by another collector since epoch " + std::to_string(row.epoch) +
                                                ": nothing was written"};
    }
  }
  return {};
}

StoreResult<> SqliteWriter::write_runs(const std::vector<RunRow>& rows, TimeNs now) {
  if (rows.empty()) return {};
  // Most changes of a run leave what lists sort and filter by as it is: then no index needs to be touched. heard_at_ns is in
  // none while the run is running.
  const auto refresh = connection_->prepare(
      "UPDATE runs SET heard_at_ns = ?, snapshot = ?, fold_state = ? WHERE run_id = ? AND attempt = ? AND connector_id = ? AND version = ? "
      "AND site = ? AND status = ? AND result = ? AND sort_at_ns = ? AND partition IS ? AND deadline_ns IS ?");
  if (!refresh) return refresh.error();
  // What changes next often is when a running one is due: that is one index.
  const auto put_off = connection_->prepare(
      "UPDATE runs SET heard_at_ns = ?, snapshot = ?, fold_state = ?, partition = ?, deadline_ns = ? WHERE run_id = ? AND attempt = ? "
      "AND connector_id = ? AND version = ? AND site = ? AND status = ? AND result = ? AND sort_at_ns = ?");
  if (!put_off) return put_off.error();
  const auto upsert = connection_->prepare(
      "INSERT INTO runs (heard_at_ns, snapshot, fold_state, run_id, attempt, connector_id, version, site, status, result, sort_at_ns, "
      "partition, deadline_ns) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, attempt) DO UPDATE SET heard_at_ns = excluded.heard_at_ns, "
      "snapshot = excluded.snapshot, fold_state = excluded.fold_state, connector_id = excluded.connector_id, version = excluded.version, "
      "site = excluded.site, status = excluded.status, result = excluded.result, sort_at_ns = excluded.sort_at_ns, "
      "partition = excluded.partition, deadline_ns = excluded.deadline_ns");
  if (!upsert) return upsert.error();
  const auto apply = [now](Statement& statement, const RunRow& row) {
    return statement.run(now, Blob{row.snapshot}, Blob{row.fold_state}, row.key.run_id, row.key.attempt, row.connector_id, row.version,
                         row.site, row.status, row.result, row.sort_at_ns, row.partition, row.deadline_ns);
  };
  for (const RunRow* row : sorted(rows, [](const RunRow& r) -> const RunKey& { return r.key; })) {
    if (const auto done = apply(**refresh, *row); !done) return done.error();
    if (connection_->changes() > 0) continue;
    const auto moved =
        (*put_off)->run(now, Blob{row->snapshot}, Blob{row->fold_state}, row->partition, row->deadline_ns, row->key.run_id,
                        row->key.attempt, row->connector_id, row->version, row->site, row->status, row->result, row->sort_at_ns);
    if (!moved) return moved.error();
    if (connection_->changes() > 0) continue;
    if (const auto done = apply(**upsert, *row); !done) return done.error();
  }
  return {};
}

StoreResult<> SqliteWriter::write_run_logs(const std::vector<RunLogsRow>& rows) {
  if (rows.empty()) return {};
  const auto upsert = connection_->prepare(
      "INSERT INTO run_logs (run_id, attempt, connector_id, version, site, severity_0, severity_1, severity_2, severity_3, severity_4, "
      "severity_5, severity_6, severity_7, api_failures, received, next_chunk, offsets, partition, heard_ns, fold_state) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, attempt) DO UPDATE SET "
      "connector_id = excluded.connector_id, version = excluded.version, site = excluded.site, severity_0 = excluded.severity_0, "
      "severity_1 = excluded.severity_1, severity_2 = excluded.severity_2, severity_3 = excluded.severity_3, "
      "severity_4 = excluded.severity_4, severity_5 = excluded.severity_5, severity_6 = excluded.severity_6, "
      "severity_7 = excluded.severity_7, api_failures = excluded.api_failures, received = excluded.received, "
      "next_chunk = excluded.next_chunk, offsets = excluded.offsets, partition = excluded.partition, heard_ns = excluded.heard_ns, "
      "fold_state = excluded.fold_state");
  if (!upsert) return upsert.error();
  for (const RunLogsRow* row : sorted(rows, [](const RunLogsRow& r) -> const RunKey& { return r.key; })) {
    const auto& n = row->counts;
    const std::string offsets = offsets_text(row->offsets);
    const auto done = (*upsert)->run(row->key.run_id, row->key.attempt, row->connector_id, row->version, row->site, n[0], n[1], n[2], n[3],
                                     n[4], n[5], n[6], n[7], row->api_failures, row->received, row->next_chunk, offsets, row->partition,
                                     row->heard_ns, Blob{row->fold_state});
    if (!done) return done.error();
  }
  return {};
}

// Lists have the run, as pending, whether or not its events come, and whether or not it was removed since its last chunk; and while it
// logs, it has been heard of.
StoreResult<> SqliteWriter::list_runs_known_by_logs(const Batch& batch, TimeNs now) {
  if (batch.log_chunks.empty()) return {};
  const auto upsert = connection_->prepare(
      "INSERT INTO runs (run_id, attempt, connector_id, version, site, status, result, sort_at_ns, heard_at_ns) "
      "VALUES (?, ?, ?, ?, ?, 1, 0, ?, ?) ON CONFLICT (run_id, attempt) DO UPDATE SET heard_at_ns = excluded.heard_at_ns "
      "WHERE runs.status <> 2");
  if (!upsert) return upsert.error();
  const auto logs = sorted(batch.run_logs, [](const RunLogsRow& r) -> const RunKey& { return r.key; });
  for (const LogChunk& chunk : batch.log_chunks) {
    const auto row =
        std::lower_bound(logs.begin(), logs.end(), chunk.key, [](const RunLogsRow* a, const RunKey& key) { return a->key < key; });
    if (row == logs.end() || (*row)->key != chunk.key) continue;
    const auto done =
        (*upsert)->run(chunk.key.run_id, chunk.key.attempt, (*row)->connector_id, (*row)->version, (*row)->site, chunk.first_ns, now);
    if (!done) return done.error();
  }
  return {};
}

StoreResult<> SqliteWriter::write_log_chunks(const std::vector<LogChunk>& chunks, TimeNs now) {
  if (chunks.empty()) return {};
  const auto upsert = connection_->prepare(
      "INSERT INTO log_chunks (run_id, attempt, chunk, records, first_ns, last_ns, written_at_ns, severities, streams, data) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, attempt, chunk) DO UPDATE SET records = excluded.records, "
      "first_ns = excluded.first_ns, last_ns = excluded.last_ns, written_at_ns = excluded.written_at_ns, severities = excluded.severities, "
      "streams = excluded.streams, "
      "data = excluded.data");
  if (!upsert) return upsert.error();
  for (const LogChunk* chunk : sorted(chunks, [](const LogChunk& c) { return std::tie(c.key, c.chunk); })) {
    const auto done = (*upsert)->run(chunk->key.run_id, chunk->key.attempt, chunk->chunk, chunk->records, chunk->first_ns, chunk->last_ns,
                                     now, chunk->severities, chunk->streams, Blob{chunk->data});
    if (!done) return done.error();
  }
  return {};
}

StoreResult<> SqliteWriter::write_api_failures(const std::vector<ApiFailureRow>& rows, TimeNs now) {
  if (rows.empty()) return {};
  const auto insert = connection_->prepare(
      "INSERT INTO api_failures (failure_id, run_id, attempt, connector_id, site, at_ns, code, partition, record, payload) VALUES (?, ?, "
      "?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (failure_id) DO NOTHING");
  if (!insert) return insert.error();
  std::map<std::pair<std::string, std::string>, ApiFailureGroupRow> groups;
  for (const ApiFailureRow* row : sorted(rows, [](const ApiFailureRow& r) { return std::tie(r.key, r.at_ns, r.failure_id); })) {
    const auto done = (*insert)->run(row->failure_id, row->key.run_id, row->key.attempt, row->connector_id, row->site, row->at_ns,
                                     row->code, row->origin.partition, row->origin.offset, Blob{row->payload});
    if (!done) return done.error();
    if (connection_->changes() == 0) continue;
    ApiFailureGroupRow alone = group_of(*row);
    const auto [group, fresh] = groups.try_emplace({row->kind.fingerprint, row->connector_id}, alone);
    if (!fresh) merge(group->second, alone);
  }
  for (auto& [key, group] : groups) {
    if (const auto done = add_to_group(std::move(group), now); !done) return done.error();
  }
  return {};
}

StoreResult<> SqliteWriter::add_to_group(ApiFailureGroupRow group, TimeNs now) {
  const auto select =
      connection_->prepare(std::string("SELECT ") + kGroupColumns + " FROM api_failure_groups WHERE fingerprint = ? AND connector_id = ?");
  if (!select) return select.error();
  {
    Statement& row = **select;
    const Rows rows(row);
    row.bind_all(group.kind.fingerprint, group.connector_id);
    const auto there = row.next();
    if (!there) return there.error();
    if (*there) {
      const auto before = read_group(row);
      if (!before) return before.error();
      merge(group, *before);
    }
  }
  const auto upsert = connection_->prepare(
      "INSERT INTO api_failure_groups (fingerprint, connector_id, method, uri_template, code, body, failures, first_ns, last_ns, "
      "first_version, sites, offsets, heard_at_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint, connector_id) "
      "DO UPDATE SET failures = excluded.failures, first_ns = excluded.first_ns, last_ns = excluded.last_ns, "
      "first_version = excluded.first_version, sites = excluded.sites, offsets = excluded.offsets, heard_at_ns = excluded.heard_at_ns");
  if (!upsert) return upsert.error();
  const std::string sites = sites_text(group.sites);
  const std::string offsets = offsets_text(group.offsets);
  return (*upsert)->run(group.kind.fingerprint, group.connector_id, group.kind.method, group.kind.uri_template, group.code, group.kind.body,
                        group.count, group.first_ns, group.last_ns, group.first_version, sites, offsets, now);
}

StoreResult<> SqliteWriter::write_operations(const std::vector<OperationRow>& rows, TimeNs now) {
  if (rows.empty()) return {};
  const auto upsert = connection_->prepare(
      "INSERT INTO operations (operation_id, status, name, owner_id, connector_id, created_at_ns, updated_at_ns, heard_at_ns, partition, "
      "record, payload) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (operation_id) DO UPDATE SET status = excluded.status, name = excluded.name, "
      "owner_id = excluded.owner_id, connector_id = excluded.connector_id, created_at_ns = excluded.created_at_ns, "
      "updated_at_ns = max(excluded.updated_at_ns, operations.updated_at_ns), heard_at_ns = excluded.heard_at_ns, "
      "partition = excluded.partition, record = excluded.record, payload = excluded.payload "
      "WHERE excluded.updated_at_ns >= operations.updated_at_ns "
      "OR (excluded.payload IS NULL AND excluded.partition = operations.partition AND excluded.record > operations.record)");
  if (!upsert) return upsert.error();
  for (const OperationRow* row : sorted(rows, [](const OperationRow& r) -> const std::string& { return r.operation_id; })) {
    const Blob payload{row->payload ? std::string_view(*row->payload) : std::string_view()};
    const auto done = (*upsert)->run(row->operation_id, row->status, row->name, row->owner_id, row->connector_id, row->created_at_ns,
                                     row->updated_at_ns, now, row->origin.partition, row->origin.offset, payload);
    if (!done) return done.error();
  }
  return {};
}

// In the batch's own order: ids are given in it, and a run's records are delivered in the order of their ids.
StoreResult<> SqliteWriter::write_outbox(const std::vector<OutboxRow>& rows, TimeNs now) {
  if (rows.empty()) return {};
  const auto insert = connection_->prepare(
      "INSERT INTO outbox (sink, kind, idempotency_key, run_id, created_at_ns, payload) VALUES (?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (sink, idempotency_key) DO NOTHING");
  if (!insert) return insert.error();
  for (const auto& row : rows) {
    const auto done =
        (*insert)->run(row.sink, static_cast<std::uint8_t>(row.kind), row.idempotency_key, row.run_id, now, Blob{row.payload});
    if (!done) return done.error();
  }
  return {};
}

StoreResult<> SqliteWriter::write_losses(const std::vector<LossRow>& rows) {
  if (rows.empty()) return {};
  const auto insert = connection_->prepare(
      "INSERT INTO losses (at_ns, topic, partition, from_offset, to_offset, records, reason) VALUES (?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (at_ns, topic, partition) DO NOTHING");
  if (!insert) return insert.error();
  for (const auto& row : rows) {
    const auto done = (*insert)->run(row.at_ns, row.topic, row.partition, row.from_offset, row.to_offset, row.records, row.reason);
    if (!done) return done.error();
  }
  return {};
}

StoreResult<Trimmed> SqliteWriter::trim(const Retention& keep, const TrimStep& step) {
  const auto now = time_.advance(*connection_);
  if (!now) return now.error();
  return trim_store(*connection_, keep, step, *now);
}

StoreResult<std::vector<RunKey>> SqliteWriter::overdue_runs(std::int32_t partition, TimeNs clock_ns, std::size_t limit) {
  const Select select = select_overdue(partition, clock_ns, limit);
  const auto statement = select.prepare(*connection_);
  if (!statement) return statement.error();
  Statement& row = **statement;
  const Rows rows(row);
  std::vector<RunKey> found;
  while (true) {
    const auto there = row.next();
    if (!there) return there.error();
    if (!*there) return found;
    found.push_back({row.bytes(0), row.integer<std::uint32_t>(1)});
  }
}

StoreResult<> SqliteWriter::forget_offsets() {
  return connection_->execute("UPDATE partitions SET next_offset = NULL, last_timestamp_ms = NULL, last_hash = NULL");
}

}  // namespace runfold::collector::sqlite

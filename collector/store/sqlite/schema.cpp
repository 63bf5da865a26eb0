// The tables of the SQLite store. A list's order ends every index that serves it, so that no page is ever sorted.
#include "collector/store/sqlite/schema.hpp"

#include <array>
#include <string>
#include <string_view>

namespace runfold::collector::sqlite {
namespace {

/// Times are nanoseconds since the Unix epoch.
constexpr const char* kVersion1 = R"sql(
-- What is known of the database as a whole. instance_id names its owner, see Store::instance_id(); time_ns is what
-- rows age by, see TrustedTime.
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('instance_id', 'runfold-' || lower(hex(randomblob(16))));

-- One attempt of one run. A run of which only logs have come stands here as pending, with no snapshot, so that lists have it.
CREATE TABLE runs (
  run_id       TEXT    NOT NULL,
  attempt      INTEGER NOT NULL,
  connector_id TEXT    NOT NULL,
  version      TEXT    NOT NULL,
  site         TEXT    NOT NULL,
  status       INTEGER NOT NULL,
  result       INTEGER NOT NULL,
  sort_at_ns   INTEGER NOT NULL,
  heard_at_ns  INTEGER NOT NULL, -- when its row, or its logs, were last written, by this machine's clock
  partition    INTEGER,
  deadline_ns  INTEGER,
  snapshot     BLOB,
  fold_state   BLOB,
  PRIMARY KEY (run_id, attempt)
);
CREATE INDEX runs_newest       ON runs (sort_at_ns, run_id, attempt);
CREATE INDEX runs_by_connector ON runs (connector_id, sort_at_ns, run_id, attempt);
CREATE INDEX runs_by_site      ON runs (site, sort_at_ns, run_id, attempt) WHERE site <> '';
CREATE INDEX runs_by_status    ON runs (status, sort_at_ns, run_id, attempt);
CREATE INDEX runs_by_result    ON runs (result, sort_at_ns, run_id, attempt);
CREATE INDEX runs_running      ON runs (connector_id) WHERE status = 2;
CREATE INDEX runs_oldest       ON runs (heard_at_ns) WHERE status <> 2;
CREATE INDEX runs_due          ON runs (partition, deadline_ns) WHERE status = 2;

-- What was counted of a run's logs.
CREATE TABLE run_logs (
  run_id       TEXT    NOT NULL,
  attempt      INTEGER NOT NULL,
  connector_id TEXT    NOT NULL,
  version      TEXT    NOT NULL,
  site         TEXT    NOT NULL,
  severity_0   INTEGER NOT NULL,
  severity_1   INTEGER NOT NULL,
  severity_2   INTEGER NOT NULL,
  severity_3   INTEGER NOT NULL,
  severity_4   INTEGER NOT NULL,
  severity_5   INTEGER NOT NULL,
  severity_6   INTEGER NOT NULL,
  severity_7   INTEGER NOT NULL,
  api_failures INTEGER NOT NULL,
  received     INTEGER NOT NULL,
  next_chunk   INTEGER NOT NULL,
  offsets      TEXT    NOT NULL, -- of the logs topic: "partition:first-last", comma-separated
  partition    INTEGER NOT NULL,
  heard_ns     INTEGER NOT NULL,
  fold_state   BLOB    NOT NULL,
  PRIMARY KEY (run_id, attempt)
) WITHOUT ROWID;

-- Compressed blocks of log records. The data stands last: what is skipped by its bits is not read. Row ids rise with the order
-- of writing, which is not that of written_at_ns where the clock was ahead for a while.
CREATE TABLE log_chunks (
  run_id        TEXT    NOT NULL,
  attempt       INTEGER NOT NULL,
  chunk         INTEGER NOT NULL,
  records       INTEGER NOT NULL,
  first_ns      INTEGER NOT NULL,
  last_ns       INTEGER NOT NULL,
  written_at_ns INTEGER NOT NULL, -- by this machine's clock
  severities    INTEGER NOT NULL,
  streams       INTEGER NOT NULL,
  data          BLOB    NOT NULL,
  PRIMARY KEY (run_id, attempt, chunk)
);
CREATE INDEX log_chunks_oldest ON log_chunks (written_at_ns);

CREATE TABLE api_failures (
  failure_id   TEXT    NOT NULL PRIMARY KEY,
  run_id       TEXT    NOT NULL,
  attempt      INTEGER NOT NULL,
  connector_id TEXT    NOT NULL,
  site         TEXT    NOT NULL,
  at_ns        INTEGER NOT NULL,
  code         INTEGER,
  partition    INTEGER NOT NULL, -- of the logs topic
  record       INTEGER NOT NULL, -- its offset there
  payload      BLOB    NOT NULL
);
CREATE INDEX api_failures_newest       ON api_failures (at_ns, failure_id);
CREATE INDEX api_failures_by_run       ON api_failures (run_id, at_ns, failure_id);
CREATE INDEX api_failures_by_connector ON api_failures (connector_id, at_ns, failure_id);
CREATE INDEX api_failures_by_site      ON api_failures (site, at_ns, failure_id) WHERE site <> '';
CREATE INDEX api_failures_by_code      ON api_failures (code, at_ns, failure_id);

-- API failures added up, each counted in the transaction that inserts it above.
CREATE TABLE api_failure_groups (
  fingerprint   TEXT    NOT NULL,
  connector_id  TEXT    NOT NULL,
  method        TEXT    NOT NULL,
  uri_template  TEXT    NOT NULL,
  code          INTEGER,
  body          TEXT    NOT NULL,
  failures      INTEGER NOT NULL,
  first_ns      INTEGER NOT NULL,
  last_ns       INTEGER NOT NULL,
  first_version TEXT    NOT NULL,
  sites         TEXT    NOT NULL, -- each as "length:name"
  offsets       TEXT    NOT NULL, -- of the logs topic: "partition:first-last", comma-separated
  heard_at_ns   INTEGER NOT NULL, -- by this machine's clock
  PRIMARY KEY (fingerprint, connector_id)
);
CREATE INDEX api_failure_groups_oldest       ON api_failure_groups (heard_at_ns);
CREATE INDEX api_failure_groups_newest       ON api_failure_groups (last_ns, fingerprint, connector_id);
CREATE INDEX api_failure_groups_by_connector ON api_failure_groups (connector_id, last_ns, fingerprint);

-- The newest state of each operation. One that was removed keeps its row, with no payload, so that an older state of it
-- that comes late does not bring it back.
CREATE TABLE operations (
  operation_id  TEXT    NOT NULL PRIMARY KEY,
  status        TEXT    NOT NULL,
  name          TEXT    NOT NULL,
  owner_id      TEXT    NOT NULL,
  connector_id  TEXT    NOT NULL,
  created_at_ns INTEGER NOT NULL,
  updated_at_ns INTEGER NOT NULL,
  partition     INTEGER NOT NULL, -- of the operations topic
  record        INTEGER NOT NULL, -- its offset there
  heard_at_ns   INTEGER NOT NULL, -- by this machine's clock
  payload       BLOB
) WITHOUT ROWID;
CREATE INDEX operations_oldest       ON operations (heard_at_ns);
CREATE INDEX operations_newest       ON operations (created_at_ns, operation_id) WHERE payload IS NOT NULL;
CREATE INDEX operations_by_status    ON operations (status, created_at_ns, operation_id) WHERE payload IS NOT NULL;
CREATE INDEX operations_by_name      ON operations (name, created_at_ns, operation_id) WHERE payload IS NOT NULL;
CREATE INDEX operations_by_owner     ON operations (owner_id, created_at_ns, operation_id) WHERE payload IS NOT NULL;
CREATE INDEX operations_by_connector ON operations (connector_id, created_at_ns, operation_id) WHERE payload IS NOT NULL;

-- Records for sinks. AUTOINCREMENT: the id of a delivered record is never given again, so ids rise for ever.
CREATE TABLE outbox (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  sink            TEXT    NOT NULL,
  kind            INTEGER NOT NULL,
  idempotency_key TEXT    NOT NULL,
  run_id          TEXT    NOT NULL,
  created_at_ns   INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  next_attempt_ns INTEGER NOT NULL DEFAULT 0,
  last_reason     TEXT    NOT NULL DEFAULT '',
  payload         BLOB    NOT NULL,
  UNIQUE (sink, idempotency_key)
);
CREATE INDEX outbox_in_order ON outbox (sink, id, next_attempt_ns, run_id);
CREATE INDEX outbox_by_run   ON outbox (sink, run_id, id, next_attempt_ns);
CREATE INDEX outbox_put_off  ON outbox (sink, next_attempt_ns) WHERE attempts > 0;

-- Records that a sink's receiver refused for good.
CREATE TABLE outbox_rejected (
  id              INTEGER PRIMARY KEY,
  sink            TEXT    NOT NULL,
  kind            INTEGER NOT NULL,
  idempotency_key TEXT    NOT NULL,
  run_id          TEXT    NOT NULL,
  rejected_at_ns  INTEGER NOT NULL,
  attempts        INTEGER NOT NULL,
  reason          TEXT    NOT NULL,
  payload         BLOB    NOT NULL
);
CREATE INDEX outbox_rejected_oldest ON outbox_rejected (rejected_at_ns);

-- What stands in the tables: 1 of runs, run_logs and api_failures, 2 of log_chunks. Kept by triggers, so that it is of the
-- same transaction as what it counts and nobody has to add up tables. The bytes are an estimate of the disk's, indexes
-- included: of each row's own content, and of keys and overheads as often as they are stored.
CREATE TABLE usage (
  kind  INTEGER PRIMARY KEY,
  bytes INTEGER NOT NULL
);
INSERT INTO usage VALUES (1, 0), (2, 0);

-- How far each partition has come, which claim may write it, and how much of its time was observed.
CREATE TABLE partitions (
  topic             TEXT    NOT NULL,
  partition         INTEGER NOT NULL,
  next_offset       INTEGER,
  epoch             INTEGER NOT NULL,
  last_timestamp_ms INTEGER,
  last_hash         INTEGER,
  clock_ns          INTEGER NOT NULL DEFAULT 0,
  covered_until_ns  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition)
) WITHOUT ROWID;

-- Ranges that partitions skipped. Kept for ever: there are few, and somebody will ask.
CREATE TABLE losses (
  at_ns       INTEGER NOT NULL,
  topic       TEXT    NOT NULL,
  partition   INTEGER NOT NULL,
  from_offset INTEGER NOT NULL,
  to_offset   INTEGER NOT NULL,
  records     INTEGER,
  reason      TEXT    NOT NULL,
  PRIMARY KEY (at_ns, topic, partition)
) WITHOUT ROWID;
)sql";

/// What a row of a table counts in usage; ROW stands for old or new.
struct Counted {
  const char* table;
  int kind;
  const char* bytes;
  /// The columns in `bytes` that an update may change.
  const char* updated;
};
constexpr std::array kCounted{
    Counted{"runs", kRunsUsage,
            "(coalesce(length(ROW.snapshot), 0) + coalesce(length(ROW.fold_state), 0) + 7 * length(ROW.run_id) + "
            "2 * length(ROW.connector_id) + 2 * length(ROW.site) + length(ROW.version) + 200)",
            "snapshot, fold_state, connector_id, site, version"},
    Counted{"run_logs", kRunsUsage,
            "(length(ROW.fold_state) + length(ROW.run_id) + length(ROW.connector_id) + length(ROW.site) + length(ROW.version) + 60)",
            "fold_state, connector_id, site, version"},
    Counted{"api_failures", kRunsUsage,
            "(length(ROW.payload) + 7 * length(ROW.failure_id) + 2 * length(ROW.run_id) + 2 * length(ROW.connector_id) + "
            "2 * length(ROW.site) + 150)",
            "payload"},
    Counted{"log_chunks", kLogsUsage, "(length(ROW.data) + 2 * length(ROW.run_id) + 80)", "data"},
};

std::string of_row(std::string_view expression, std::string_view row) {
  std::string text(expression);
  for (std::size_t at = 0; (at = text.find("ROW.", at)) != std::string::npos;) text.replace(at, 3, row);
  return text;
}

/// The triggers that keep usage.
std::string usage_triggers() {
  std::string sql;
  for (const Counted& one : kCounted) {
    const auto trigger = [&](const std::string& name, const std::string& when, const std::string& change) {
      sql += "CREATE TRIGGER " + std::string(one.table) + "_" + name + " AFTER " + when + " ON " + one.table +
             " BEGIN UPDATE usage SET bytes = bytes" + change + " WHERE kind = " + std::to_string(one.kind) + "; END;\n";
    };
    trigger("count", "INSERT", " + " + of_row(one.bytes, "new"));
    trigger("recount", std::string("UPDATE OF ") + one.updated, " + " + of_row(one.bytes, "new") + " - " + of_row(one.bytes, "old"));
    trigger("uncount", "DELETE", " - " + of_row(one.bytes, "old"));
  }
  return sql;
}

const std::string& version_1() {
  static const std::string sql = kVersion1 + usage_triggers();
  return sql;
}

/// The version the file is at; an empty file is at 0.
StoreResult<std::int64_t> version_of(Connection& connection, std::size_t known) {
  const auto application = connection.integer("PRAGMA application_id");
  if (!application) return application.error();
  const auto version = connection.integer("PRAGMA user_version");
  if (!version) return version.error();
  const auto tables = connection.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  const bool empty = *application == 0 && *version == 0 && *tables == 0;
  if (!empty && *application != kApplicationId) {
    return StoreError{StoreErrc::kCorrupt, connection.path() + " is a database of another program: give another path"};
  }
  if (*version < 0 || static_cast<std::uint64_t>(*version) > known) {
    return StoreError{StoreErrc::kCorrupt, connection.path() + " has schema version " + std::to_string(*version) +
                                               ", and this release knows versions up to " + std::to_string(known) +
                                               ": start the later release that made it, or give another path"};
  }
  return *version;
}

}  // namespace

std::span<const char* const> migrations() {
  static const std::array all{version_1().c_str()};
  return all;
}

std::vector<std::pair<int, std::string>> usage_sums() {
  std::vector<std::pair<int, std::string>> sums;
  for (const Counted& one : kCounted) {
    sums.emplace_back(one.kind, "SELECT coalesce(sum(" + of_row(one.bytes, one.table) + "), 0) FROM " + one.table);
  }
  return sums;
}

StoreResult<> migrate(Connection& connection, std::span<const char* const> steps) {
  auto transaction = Transaction::begin_write(connection);
  if (!transaction) return transaction.error();
  const auto version = version_of(connection, steps.size());
  if (!version) return version.error();
  if (static_cast<std::size_t>(*version) == steps.size()) return {};
  for (const char* step : steps.subspan(static_cast<std::size_t>(*version))) {
    if (const auto done = connection.execute(step); !done) return done.error();
  }
  const std::string stamp =
      "PRAGMA application_id = " + std::to_string(kApplicationId) + "; PRAGMA user_version = " + std::to_string(steps.size());
  if (const auto done = connection.execute(stamp.c_str()); !done) return done.error();
  return transaction->commit();
}

StoreResult<> verify_schema(Connection& connection, std::span<const char* const> steps) {
  const auto version = version_of(connection, steps.size());
  if (!version) return version.error();
  if (static_cast<std::size_t>(*version) == steps.size()) return {};
  return StoreError{StoreErrc::kInvalid, connection.path() + " has schema version " + std::to_string(*version) +
                                             " and this release reads " + std::to_string(steps.size()) +
                                             ": start runfold-collector on it once, it brings it up to date"};
}

}  // namespace runfold::collector::sqlite

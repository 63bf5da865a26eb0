// Reads and judges outbox rows.
#include "collector/store/sqlite/outbox.hpp"

#include <algorithm>
#include <chrono>

namespace runfold::collector::sqlite {
namespace {

std::int64_t to_ns(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

std::chrono::system_clock::time_point from_ns(std::int64_t ns) {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(ns)));
}

template <class T>
sinks::OutboxResult<T> told(StoreResult<T> result) {
  if (!result) return sinks::OutboxError{result.error().message};
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*result);
  }
}

}  // namespace

sinks::OutboxResult<std::vector<sinks::Item>> SqliteOutbox::due(const std::string& sink, TimePoint now, std::size_t limit) {
  return told(read_due(sink, now, limit));
}
sinks::OutboxResult<std::optional<SqliteOutbox::TimePoint>> SqliteOutbox::next_due(const std::string& sink, TimePoint now) {
  return told(read_next_due(sink, now));
}
sinks::OutboxResult<> SqliteOutbox::judge(const std::string& sink, std::span<const Judged> judged) {
  return told(write_judged(sink, judged));
}
sinks::OutboxResult<SqliteOutbox::Backlog> SqliteOutbox::backlog(const std::string& sink, TimePoint now) {
  return told(read_backlog(sink, now));
}

StoreResult<std::vector<sinks::Item>> SqliteOutbox::read_due(const std::string& sink, TimePoint now, std::size_t limit) {
  const auto statement = connection_->prepare(
      "SELECT o.id, o.kind, o.idempotency_key, o.run_id, o.payload, o.attempts FROM outbox o "
      "WHERE o.sink = ? AND o.next_attempt_ns <= ? AND NOT EXISTS (SELECT 1 FROM outbox e "
      "WHERE e.sink = o.sink AND e.run_id = o.run_id AND e.id < o.id AND e.next_attempt_ns > ?) ORDER BY o.id LIMIT ?");
  if (!statement) return statement.error();
  Statement& row = **statement;
  const Rows rows(row);
  row.bind_all(sink, to_ns(now), to_ns(now), limit);
  std::vector<sinks::Item> items;
  while (true) {
    const auto there = row.next();
    if (!there) return there.error();
    if (!*there) return items;
    sinks::Item item;
    item.outbox_id = row.integer(0);
    item.kind = static_cast<sinks::Kind>(row.integer(1));
    item.idempotency_key = row.bytes(2);
    item.run_id = row.bytes(3);
    item.payload = row.bytes(4);
    item.attempts = row.integer<std::uint32_t>(5);
    items.push_back(std::move(item));
  }
}

StoreResult<std::optional<SqliteOutbox::TimePoint>> SqliteOutbox::read_next_due(const std::string& sink, TimePoint now) {
  const auto statement =
      connection_->prepare("SELECT min(next_attempt_ns) FROM outbox WHERE sink = ? AND attempts > 0 AND next_attempt_ns > ?");
  if (!statement) return statement.error();
  Statement& row = **statement;
  const Rows rows(row);
  row.bind_all(sink, to_ns(now));
  const auto there = row.next();
  if (!there) return there.error();
  if (!*there || row.is_null(0)) return std::optional<TimePoint>();
  return std::optional<TimePoint>(from_ns(row.integer(0)));
}

StoreResult<> SqliteOutbox::write_judged(const std::string& sink, std::span<const Judged> judged) {
  auto transaction = Transaction::begin_write(*connection_);
  if (!transaction) return transaction.error();
  const auto remove = connection_->prepare("DELETE FROM outbox WHERE id = ? AND sink = ?");
  if (!remove) return remove.error();
  const auto put_off =
      connection_->prepare("UPDATE outbox SET attempts = attempts + 1, next_attempt_ns = ?, last_reason = ? WHERE id = ? AND sink = ?");
  if (!put_off) return put_off.error();
  for (const auto& one : judged) {
    if (one.verdict.outcome == sinks::Outcome::kRetry) {
      const auto done = (*put_off)->run(to_ns(one.next_attempt), one.verdict.reason, one.outbox_id, sink);
      if (!done) return done.error();
      continue;
    }
    if (one.verdict.outcome == sinks::Outcome::kRejected) {
      if (const auto done = set_aside(sink, one); !done) return done.error();
    }
    if (const auto done = (*remove)->run(one.outbox_id, sink); !done) return done.error();
  }
  return transaction->commit();
}

StoreResult<> SqliteOutbox::set_aside(const std::string& sink, const Judged& rejected) {
  const auto copy = connection_->prepare(
      "INSERT INTO outbox_rejected (sink, kind, idempotency_key, run_id, rejected_at_ns, attempts, reason, payload) "
      "SELECT sink, kind, idempotency_key, run_id, ?, attempts + 1, ?, payload FROM outbox WHERE id = ? AND sink = ?");
  if (!copy) return copy.error();
  return (*copy)->run(to_ns(std::chrono::system_clock::now()), rejected.verdict.reason, rejected.outbox_id, sink);
}

StoreResult<SqliteOutbox::Backlog> SqliteOutbox::read_backlog(const std::string& sink, TimePoint now) {
  const auto statement = connection_->prepare(
      "SELECT (SELECT count(*) FROM outbox WHERE sink = ?), (SELECT created_at_ns FROM outbox WHERE sink = ? ORDER BY id LIMIT 1)");
  if (!statement) return statement.error();
  Statement& row = **statement;
  const Rows rows(row);
  row.bind_all(sink, sink);
  const auto there = row.next();
  if (!there) return there.error();
  Backlog backlog;
  if (!*there || row.is_null(1)) return backlog;
  backlog.records = row.integer<std::uint64_t>(0);
  const auto age = now - from_ns(row.integer(1));
  backlog.oldest_age = std::max(std::chrono::milliseconds(0), std::chrono::duration_cast<std::chrono::milliseconds>(age));
  return backlog;
}

}  // namespace runfold::collector::sqlite

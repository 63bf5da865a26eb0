// Builds the statements of the queries, so that each list is read from an index that already has its order.
#include "collector/store/sqlite/lists.hpp"

#include "collector/store/sqlite/columns.hpp"

#include <algorithm>

namespace runfold::collector::sqlite {
namespace {

std::string runs_with_logs() {
  return std::string("SELECT ") + kRunColumns + ", " + kRunLogsColumns +
         " FROM runs r LEFT JOIN run_logs l ON l.run_id = r.run_id AND l.attempt = r.attempt";
}

constexpr const char* kOperations =
    "SELECT operation_id, status, name, owner_id, connector_id, created_at_ns, updated_at_ns, partition, record, payload FROM operations";

std::int64_t one_more_than(std::size_t limit) {
  return static_cast<std::int64_t>(limit) + 1;
}

}  // namespace

Select select_runs(const RunFilter& filter, std::size_t limit, const std::optional<CursorKey>& after) {
  Select select(runs_with_logs());
  select.where_text("r.run_id = ?", filter.run_id).where_text("r.connector_id = ?", filter.connector_id);
  // Runs with no site are not in the index over sites: saying that none of them is wanted lets SQLite use it.
  select.where_text("r.site <> '' AND r.site = ?", filter.site).where_text("r.version = ?", filter.version);
  select.where_number("r.status = ?", filter.status).where_number("r.result = ?", filter.result);
  select.where_number("r.sort_at_ns >= ?", filter.from_ns);
  if (after) {
    // What comes after the page before is before to_ns anyway.
    select.where("(r.sort_at_ns, r.run_id, r.attempt) < (?, ?, ?)",
                 {after->at_ns, std::string_view(after->id), static_cast<std::int64_t>(after->attempt)});
  } else {
    select.where_number("r.sort_at_ns < ?", filter.to_ns);
  }
  select.add(" ORDER BY r.sort_at_ns DESC, r.run_id DESC, r.attempt DESC LIMIT ?", {one_more_than(limit)});
  return select;
}

Select select_run(std::string_view run_id, std::optional<std::uint32_t> attempt) {
  Select select(runs_with_logs());
  select.where("r.run_id = ?", {run_id}).where_number("r.attempt = ?", attempt).add(" ORDER BY r.attempt DESC LIMIT 1");
  return select;
}

Select select_overdue(std::int32_t partition, TimeNs clock_ns, std::size_t limit) {
  Select select("SELECT run_id, attempt FROM runs");
  select.where("status = 2").where("partition = ?", {std::int64_t{partition}}).where("deadline_ns <= ?", {clock_ns});
  return select.add(" ORDER BY deadline_ns LIMIT ?", {static_cast<std::int64_t>(limit)});
}

Select select_log_chunks(const RunKey& key, const Query::ChunkRange& range, std::size_t limit) {
  Select select("SELECT chunk, records, first_ns, last_ns, severities, streams, data FROM log_chunks");
  select.where("run_id = ?", {std::string_view(key.run_id)}).where("attempt = ?", {static_cast<std::int64_t>(key.attempt)});
  select.where_number(range.descending ? "chunk <= ?" : "chunk >= ?", range.start);
  if (range.severities != 0xff) select.where("(severities & ?) <> 0", {std::int64_t{range.severities}});
  if (range.streams != 0xff) select.where("(streams & ?) <> 0", {std::int64_t{range.streams}});
  select.add(range.descending ? " ORDER BY chunk DESC LIMIT ?" : " ORDER BY chunk LIMIT ?", {static_cast<std::int64_t>(limit)});
  return select;
}

Select select_api_failures(const ApiFailureFilter& filter, std::size_t limit, const std::optional<CursorKey>& after) {
  Select select("SELECT failure_id, run_id, attempt, connector_id, site, at_ns, code, partition, record, payload FROM api_failures");
  select.where_text("run_id = ?", filter.run_id).where_number("attempt = ?", filter.attempt);
  select.where_text("connector_id = ?", filter.connector_id).where_text("site <> '' AND site = ?", filter.site);
  select.where_number("code = ?", filter.code).where_number("at_ns >= ?", filter.from_ns);
  if (after) {
    select.where("(at_ns, failure_id) < (?, ?)", {after->at_ns, std::string_view(after->id)});
  } else {
    select.where_number("at_ns < ?", filter.to_ns);
  }
  select.add(" ORDER BY at_ns DESC, failure_id DESC LIMIT ?", {one_more_than(limit)});
  return select;
}

// A cursor names a group by its fingerprint, in which there is no space, and its connector.
Select select_api_failure_groups(const ApiFailureGroupFilter& filter, std::size_t limit, const std::optional<CursorKey>& after) {
  Select select(std::string("SELECT ") + kGroupColumns + " FROM api_failure_groups");
  select.where_text("fingerprint = ?", filter.fingerprint).where_text("connector_id = ?", filter.connector_id);
  select.where_number("code = ?", filter.code).where_number("last_ns >= ?", filter.from_ns).where_number("first_ns < ?", filter.to_ns);
  if (after) {
    const std::string_view id = after->id;
    const std::size_t space = std::min(id.size(), id.find(' '));
    select.where("(last_ns, fingerprint, connector_id) < (?, ?, ?)",
                 {after->at_ns, id.substr(0, space), id.substr(std::min(id.size(), space + 1))});
  }
  select.add(" ORDER BY last_ns DESC, fingerprint DESC, connector_id DESC LIMIT ?", {one_more_than(limit)});
  return select;
}

Select select_operations(const OperationFilter& filter, std::size_t limit, const std::optional<CursorKey>& after) {
  Select select(kOperations);
  select.where("payload IS NOT NULL").where_text("status = ?", filter.status).where_text("name = ?", filter.name);
  select.where_text("owner_id = ?", filter.owner_id).where_text("connector_id = ?", filter.connector_id);
  if (after) select.where("(created_at_ns, operation_id) < (?, ?)", {after->at_ns, std::string_view(after->id)});
  select.add(" ORDER BY created_at_ns DESC, operation_id DESC LIMIT ?", {one_more_than(limit)});
  return select;
}

Select select_losses(const LossFilter& filter, std::size_t limit, const std::optional<CursorKey>& after) {
  Select select("SELECT at_ns, topic, partition, from_offset, to_offset, records, reason FROM losses");
  select.where_text("topic = ?", filter.topic).where_number("partition = ?", filter.partition);
  if (after) {
    select.where("(at_ns, topic, partition) < (?, ?, ?)",
                 {after->at_ns, std::string_view(after->id), static_cast<std::int64_t>(after->attempt)});
  }
  select.add(" ORDER BY at_ns DESC, topic DESC, partition DESC LIMIT ?", {one_more_than(limit)});
  return select;
}

Select select_operation(std::string_view operation_id) {
  Select select(kOperations);
  select.where("operation_id = ?", {operation_id}).where("payload IS NOT NULL");
  return select;
}

}  // namespace runfold::collector::sqlite

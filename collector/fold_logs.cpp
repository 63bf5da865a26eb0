// What each log batch does to its run's logs.
#include "collector/fold_logs.hpp"

#include "collector/decode_wire.hpp"
#include "collector/fold_writer.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

/// The layout of fold_state. A row with another one was made by another release.
constexpr std::uint64_t kLogsLayout = 1;
enum LogsState : std::uint32_t { kLogsVersion = 1, kLogsSources };

void keep_first(std::string& held, std::string_view name) {
  if (name.empty()) return;
  if (held.empty() || name < held) held = name;
}

std::size_t bytes_of(const ApiFailureRow& row) noexcept {
  return sizeof(ApiFailureRow) + row.failure_id.size() + row.key.run_id.size() + row.connector_id.size() + row.site.size() +
         row.payload.size() + row.version.size() + row.kind.fingerprint.size() + row.kind.method.size() + row.kind.uri_template.size() +
         row.kind.body.size();
}

}  // namespace

Folded RunLogsState::fold(const LogBatchView& batch, const Origin& origin, Tally& tally, PendingSheet& pending) {
  const TimeNs record_time_ns = std::max<TimeNs>(origin.record_time_ns, 0);
  ConnectorCounts& counts = tally.connector(batch.identity.connector_id);
  bool any = false;
  const auto fold_stretch = [&](std::uint64_t first, std::uint64_t last) {
    any = true;
    for (std::size_t index = first; index <= last; ++index) {
      const LogRecordView& record = batch.records[index];
      const TimeNs at_ns = record.logged_at_ns.value_or(record_time_ns);
      append(record, at_ns, pending);
      ++counts_[record.severity];
      ++counts.log_records[record.severity][record.stream];
      if (const ApiCallView* call = batch.api_call(record)) {
        ++api_failures_;
        const std::uint32_t code_class = call->response_code.value_or(0) / 100;
        ++counts.api_failures[code_class < counts.api_failures.size() ? code_class : 0];
        const ApiFailureRow& failure = pending.api_failures.emplace_back(api_failure_row(batch, index, at_ns, origin));
        pending.bytes += bytes_of(failure);
      }
    }
  };
  sources_.add(sources_.index(batch.identity.source_id), batch.first_sequence, batch.records.size(), fold_stretch);
  if (!any) return Folded::kDuplicate;
  widen(origin);
  const bool elsewhere = !heard_ || heard_->partition != origin.partition;
  heard_ = {origin.partition, elsewhere ? origin.clock_ns : std::max(heard_->clock_ns, origin.clock_ns)};
  keep_first(connector_id_, batch.identity.connector_id);
  keep_first(version_, batch.identity.version);
  keep_first(site_, batch.identity.site);
  return Folded::kFolded;
}

void RunLogsState::append(const LogRecordView& record, TimeNs at_ns, PendingSheet& pending) {
  const bool full = open_chunk_ != kNone && pending.logs[open_chunk_].batch.size() + record.bytes.size() > PendingSheet::kChunkBytes;
  if (open_chunk_ == kNone || full) {
    open_chunk_ = pending.logs.size();
    PendingLogs& opened = pending.logs.emplace_back();
    opened.key = key_;
    opened.chunk = next_chunk_++;
    opened.first_ns = opened.last_ns = at_ns;
  }
  PendingLogs& chunk = pending.logs[open_chunk_];
  const std::size_t before = chunk.batch.size();
  WireWriter(chunk.batch).bytes(4, record.bytes);
  pending.bytes += chunk.batch.size() - before;
  ++chunk.records;
  chunk.first_ns = std::min(chunk.first_ns, at_ns);
  chunk.last_ns = std::max(chunk.last_ns, at_ns);
  chunk.severities |= static_cast<std::uint8_t>(1U << record.severity);
  chunk.streams |= static_cast<std::uint8_t>(1U << record.stream);
}

void RunLogsState::widen(const Origin& origin) {
  for (OffsetBounds& bounds : bounds_) {
    if (bounds.partition != origin.partition) continue;
    bounds.first = std::min(bounds.first, origin.offset);
    bounds.last = std::max(bounds.last, origin.offset);
    return;
  }
  bounds_.push_back({origin.partition, origin.offset, origin.offset});
}

RunLogsRow RunLogsState::row() {
  open_chunk_ = kNone;
  RunLogsRow row;
  row.key = key_;
  row.connector_id = connector_id_;
  row.version = version_;
  row.site = site_;
  row.counts = counts_;
  row.api_failures = api_failures_;
  row.received = sources_.received();
  row.next_chunk = next_chunk_;
  row.offsets = bounds_;
  std::sort(row.offsets.begin(), row.offsets.end());
  if (heard_) {
    row.partition = heard_->partition;
    row.heard_ns = heard_->clock_ns;
  }
  WireWriter out(row.fold_state);
  out.number(kLogsVersion, kLogsLayout);
  sources_.write(out, kLogsSources);
  return row;
}

bool RunLogsState::restore(const RunLogsRow& row) {
  if (row.key != key_) return false;
  connector_id_ = row.connector_id;
  version_ = row.version;
  site_ = row.site;
  counts_ = row.counts;
  api_failures_ = row.api_failures;
  next_chunk_ = row.next_chunk;
  bounds_ = row.offsets;
  heard_ = {row.partition, row.heard_ns};
  bool known_layout = false;
  wire::Trouble trouble(row.fold_state);
  wire::Fields fields(row.fold_state, trouble);
  while (fields.next()) {
    const std::uint32_t field = fields.tag() >> 3;
    if (field == kLogsVersion) known_layout = fields.number() == kLogsLayout;
    if (field >= kLogsSources && field <= kLogsSources + 2U && !sources_.read(field - kLogsSources, fields.number(), fields.bytes()))
      return false;
  }
  return fields.ok() && known_layout;
}

}  // namespace runfold::collector

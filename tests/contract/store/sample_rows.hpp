// Rows to write in tests, every member different from its default.
#pragma once

#include "collector/store/batch.hpp"

#include <string>

namespace runfold::collector::contract {

inline RunRow sample_run(const std::string& run_id, TimeNs sort_at_ns = 1'000, std::uint32_t attempt = 1) {
  RunRow row;
  row.key = {run_id, attempt};
  row.connector_id = "invoices";
  row.version = "1.2.3";
  row.site = "acme";
  row.status = 2;
  row.result = 0;
  row.sort_at_ns = sort_at_ns;
  row.partition = 3;
  row.deadline_ns = sort_at_ns + 5;
  row.snapshot = std::string("snapshot\0of ", 12) + run_id;
  row.fold_state = std::string("state\0of ", 9) + run_id;
  return row;
}

inline RunLogsRow sample_logs(const std::string& run_id, std::uint32_t attempt = 1) {
  RunLogsRow row;
  row.key = {run_id, attempt};
  row.connector_id = "invoices";
  row.version = "1.2.3";
  row.site = "acme";
  row.counts = {1, 2, 3, 4, 5, 6, 7, 8};
  row.api_failures = 9;
  row.received = 36;
  row.next_chunk = 2;
  row.offsets = {{1, 20, 40}, {3, 0, 9'000'000'000}};
  row.partition = 4;
  row.heard_ns = 77;
  row.fold_state = std::string("windows\0of ", 11) + run_id;
  return row;
}

inline LogChunk sample_chunk(const std::string& run_id, std::uint32_t chunk, std::uint8_t severities = 0x08, std::uint8_t streams = 0x02) {
  LogChunk row;
  row.key = {run_id, 1};
  row.chunk = chunk;
  row.records = 3;
  row.first_ns = 100 + chunk;
  row.last_ns = 200 + chunk;
  row.severities = severities;
  row.streams = streams;
  row.data = std::string("\0block", 6) + std::to_string(chunk);
  return row;
}

inline ApiFailureRow sample_failure(const std::string& failure_id, const std::string& run_id, TimeNs at_ns) {
  ApiFailureRow row;
  row.failure_id = failure_id;
  row.key = {run_id, 1};
  row.connector_id = "invoices";
  row.site = "acme";
  row.at_ns = at_ns;
  row.code = 404;
  row.origin = {3, 9'000'000'001};
  row.payload = std::string("failure\0", 8) + failure_id;
  row.version = "1.2.3";
  row.kind = {"v1:0123456789abcdef", "GET", "/files/{id}", "no file {n}"};
  return row;
}

inline OperationRow sample_operation(const std::string& operation_id, TimeNs created_at_ns, TimeNs updated_at_ns) {
  OperationRow row;
  row.operation_id = operation_id;
  row.status = "pending";
  row.name = "build_connector";
  row.owner_id = "u-1";
  row.connector_id = "invoices";
  row.created_at_ns = created_at_ns;
  row.updated_at_ns = updated_at_ns;
  row.origin = {2, 77};
  row.payload = std::string("operation\0", 10) + operation_id;
  return row;
}

inline OutboxRow sample_outbox(const std::string& sink, const std::string& key, const std::string& run_id) {
  return {sink, sinks::Kind::kRun, key, run_id, std::string("payload\0", 8) + key};
}

}  // namespace runfold::collector::contract

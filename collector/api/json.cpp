// Rows as the JSON of the API. What is unknown has no key.
#include "collector/api/json.hpp"

#include "collector/api/log_page.hpp"
#include "collector/api/rfc3339.hpp"
#include "collector/api/words.hpp"
#include "runfold/v1/api_failure.pb.h"
#include "runfold/v1/operation.pb.h"
#include "runfold/v1/run.pb.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <map>
#include <optional>
#include <string_view>

namespace runfold::collector {

namespace json = boost::json;
using google::protobuf::Duration;
using google::protobuf::Timestamp;

namespace {

// Each put_* leaves the key out when there is nothing to say.

void put(json::object& to, std::string_view key, std::string_view text) {
  if (!text.empty()) {
    to[key] = text;
  }
}

void put_time(json::object& to, std::string_view key, bool known, const Timestamp& at) {
  // The fold takes no time outside what nanoseconds in 64 bits can hold.
  if (known) {
    to[key] = rfc3339(at.seconds() * 1'000'000'000 + at.nanos());
  }
}

void put_ms(json::object& to, std::string_view key, bool known, const Duration& duration) {
  if (known) {
    to[key] = duration.seconds() * 1'000 + duration.nanos() / 1'000'000;
  }
}

/// What runs and steps have in common.
template <class RunOrStep>
void put_outcome(json::object& to, const RunOrStep& of) {
  put(to, "status", word_of(of.status()));
  put(to, "result", word_of(of.result()));
}

template <class RunOrStep>
void put_times_and_counts(json::object& to, const RunOrStep& of) {
  put_ms(to, "duration_ms", of.has_duration(), of.duration());
  if (of.has_entities()) to["entities"] = of.entities();
  if (of.has_relationships()) to["relationships"] = of.relationships();
}

json::object object_of(const v1::SyncStats& stats) {
  json::object to;
  if (stats.has_entities_created()) to["entities_created"] = stats.entities_created();
  if (stats.has_entities_updated()) to["entities_updated"] = stats.entities_updated();
  if (stats.has_entities_deleted()) to["entities_deleted"] = stats.entities_deleted();
  if (stats.has_relationships_created()) to["relationships_created"] = stats.relationships_created();
  if (stats.has_relationships_updated()) to["relationships_updated"] = stats.relationships_updated();
  if (stats.has_relationships_deleted()) to["relationships_deleted"] = stats.relationships_deleted();
  return to;
}

json::object object_of(const v1::Step& step) {
  json::object to;
  to["step_id"] = step.step_id();
  to["attempt"] = step.attempt();
  put_outcome(to, step);
  put(to, "error", step.error());
  put_time(to, "started_at", step.has_started_at(), step.started_at());
  put_time(to, "finished_at", step.has_finished_at(), step.finished_at());
  put_times_and_counts(to, step);
  return to;
}

/// How many records of one topic, or of all, were expected and came.
struct Account {
  std::optional<std::uint64_t> expected;
  std::uint64_t received = 0;
  std::map<std::string, std::uint64_t, std::less<>> dropped;
};

json::object object_of(const Account& account) {
  json::object to;
  if (account.expected) to["expected"] = *account.expected;
  to["received"] = account.received;
  // Until the producers' totals are in, nobody knows whether anything was dropped.
  if (account.expected || !account.dropped.empty()) {
    json::object& dropped = to["dropped"].emplace_object();
    for (const auto& [reason, records] : account.dropped) {
      dropped[reason] = records;
    }
  }
  return to;
}

/// The sums over both topics, and each topic by itself below "topics".
json::object completeness(const v1::Run& run, const std::optional<RunLogsRow>& logs) {
  std::map<std::string, Account, std::less<>> topics;
  for (const auto& part : run.completeness()) {
    Account& account = topics[std::string(word_of(part.topic()))];
    if (part.has_expected()) account.expected = part.expected();
    account.received = part.received();
    for (const auto& drop : part.drops()) {
      account.dropped[std::string(word_of(drop.reason()))] += drop.records();
    }
  }
  // The run is folded from events alone; of the logs it knows only what producers say of them.
  if (logs) {
    topics["logs"].received = logs->received;
  }

  Account all{0, 0, {}};
  json::object by_topic;
  for (const auto& [name, account] : topics) {
    all.received += account.received;
    all.expected = all.expected && account.expected ? std::optional(*all.expected + *account.expected) : std::nullopt;
    for (const auto& [reason, records] : account.dropped) {
      all.dropped[reason] += records;
    }
    by_topic[name] = object_of(account);
  }
  json::object to = object_of(all);
  to["topics"] = std::move(by_topic);
  return to;
}

json::object object_of(const v1::ApiCall& call) {
  json::object to;
  put(to, "method", call.method());
  put(to, "uri", call.request_uri());
  if (call.has_response_code()) {
    to["code"] = call.response_code();
    to["body"] = call.response_body();
  }
  if (call.response_body_truncated()) to["body_truncated"] = true;
  put_ms(to, "duration_ms", call.has_duration(), call.duration());
  put(to, "error", call.transport_error());
  return to;
}

json::object bounds(std::int32_t partition, std::int64_t first, std::int64_t last) {
  return {{"partition", partition}, {"first", first}, {"last", last}};
}

/// The records that the run was folded from, by topic; no key for a topic of which there were none.
json::object offsets(const v1::Run& run, const std::optional<RunLogsRow>& logs) {
  json::object to;
  if (run.offsets_size() > 0) {
    json::array& events = to["events"].emplace_array();
    for (const v1::OffsetBounds& one : run.offsets()) events.push_back(bounds(one.partition(), one.first_offset(), one.last_offset()));
  }
  if (logs && !logs->offsets.empty()) {
    json::array& of_logs = to["logs"].emplace_array();
    for (const OffsetBounds& one : logs->offsets) of_logs.push_back(bounds(one.partition, one.first, one.last));
  }
  return to;
}

json::object place(std::string_view topic, const RecordPlace& at) {
  return {{"topic", topic}, {"partition", at.partition}, {"offset", at.offset}};
}

StoreError unreadable(std::string what) {
  return {StoreErrc::kCorrupt, what + " is stored in a form that cannot be read; it was made by a later release, or the store is damaged"};
}

}  // namespace

StoreResult<json::object> to_json(const StoredRun& stored, Steps steps) {
  v1::Run run;
  if (!run.ParseFromString(stored.run.snapshot)) {
    return unreadable("run " + stored.run.key.run_id);
  }
  json::object to;
  to["run_id"] = stored.run.key.run_id;
  to["attempt"] = stored.run.key.attempt;
  put(to, "connector_id", stored.run.connector_id);
  put(to, "version", stored.run.version);
  put(to, "site", stored.run.site);
  put_outcome(to, run);
  if (stored.run.snapshot.empty()) put(to, "status", word_of(static_cast<v1::RunStatus>(stored.run.status)));
  put(to, "result_source", word_of(run.result_source()));
  if (run.has_exit_code()) to["exit_code"] = run.exit_code();
  if (run.has_signal()) to["signal"] = run.signal();
  put(to, "error", run.error());
  put_time(to, "started_at", run.has_started_at(), run.started_at());
  put_time(to, "finished_at", run.has_finished_at(), run.finished_at());
  put_time(to, "last_seen_at", run.has_last_seen_at(), run.last_seen_at());
  put_times_and_counts(to, run);
  if (run.has_stats()) to["stats"] = object_of(run.stats());
  if (run.has_progress()) {
    json::object& progress = to["progress"].emplace_object();
    put(progress, "step_id", run.progress().step_id());
    progress["done"] = run.progress().done();
    if (run.progress().has_total()) progress["total"] = run.progress().total();
    put(progress, "message", run.progress().message());
  }
  if (steps == Steps::kWith) {
    json::array& list = to["steps"].emplace_array();
    for (const auto& step : run.steps()) {
      list.push_back(object_of(step));
    }
  }
  if (stored.logs) {
    json::object& counts = to["log_counts"].emplace_object();
    for (std::size_t severity = 0; severity < stored.logs->counts.size(); ++severity) {
      counts[std::to_string(severity)] = stored.logs->counts[severity];
    }
    to["api_failures"] = stored.logs->api_failures;
  }
  to["completeness"] = completeness(run, stored.logs);
  put_ms(to, "heartbeat_interval_ms", run.has_heartbeat_interval(), run.heartbeat_interval());
  put_ms(to, "clock_skew_ms", run.has_clock_skew(), run.clock_skew());
  if (run.has_os_pid()) to["os_pid"] = run.os_pid();
  put(to, "host", run.host());
  put(to, "account", run.account());
  put(to, "trace_id", run.trace_id());
  if (run.revision() != 0) to["revision"] = run.revision();
  if (json::object built_from = offsets(run, stored.logs); !built_from.empty()) to["offsets"] = std::move(built_from);
  return to;
}

StoreResult<json::object> to_json(const ApiFailureRow& row) {
  v1::ApiFailure failure;
  if (!failure.ParseFromString(row.payload)) {
    return unreadable("API failure " + row.failure_id);
  }
  json::object to;
  to["failure_id"] = row.failure_id;
  to["run_id"] = row.key.run_id;
  to["attempt"] = row.key.attempt;
  put(to, "connector_id", row.connector_id);
  put(to, "version", failure.version());
  put(to, "site", row.site);
  put(to, "step", failure.step_id());
  to["at"] = rfc3339(row.at_ns);
  for (auto& [key, value] : object_of(failure.call())) {
    to[key] = std::move(value);
  }
  to["origin"] = place("logs", row.origin);
  return to;
}

json::object to_json(const ApiFailureGroupRow& group) {
  json::object to;
  to["fingerprint"] = group.kind.fingerprint;
  put(to, "connector_id", group.connector_id);
  put(to, "method", group.kind.method);
  put(to, "uri_template", group.kind.uri_template);
  if (group.code) to["code"] = *group.code;
  put(to, "body", group.kind.body);
  to["count"] = group.count;
  to["first_seen_at"] = rfc3339(group.first_ns);
  to["last_seen_at"] = rfc3339(group.last_ns);
  put(to, "first_version", group.first_version);
  json::array& sites = to["sites"].emplace_array();
  for (std::size_t i = 0; i < group.sites.size() && i < kMaxGroupSites; ++i) sites.emplace_back(group.sites[i]);
  if (group.sites.size() > kMaxGroupSites) to["more_sites"] = true;
  json::array& of_logs = to["offsets"].emplace_object()["logs"].emplace_array();
  for (const OffsetBounds& one : group.offsets) of_logs.push_back(bounds(one.partition, one.first, one.last));
  return to;
}

StoreResult<json::object> to_json(const OperationRow& row) {
  v1::Operation operation;
  if (!row.payload || !operation.ParseFromString(*row.payload)) {
    return unreadable("operation " + row.operation_id);
  }
  json::object to;
  to["operation_id"] = row.operation_id;
  put(to, "status", row.status);
  put(to, "name", row.name);
  put(to, "owner_id", row.owner_id);
  put(to, "connector_id", row.connector_id);
  put(to, "version", operation.version());
  put_time(to, "created_at", operation.has_created_at(), operation.created_at());
  put_time(to, "updated_at", operation.has_updated_at(), operation.updated_at());
  put(to, "error", operation.error());
  to["origin"] = place("operations", row.origin);
  return to;
}

json::object to_json(const v1::LogRecord& record) {
  const int severity = syslog_of(record.severity());
  json::object to;
  to["at"] = rfc3339(logged_at_ns(record));
  to["severity"] = severity;
  to["level"] = severity_word(severity);
  to["stream"] = word_of(stream_or_application(record.stream()));
  to["message"] = record.message();
  put(to, "step", record.step_id());
  if (!record.detail_json().empty()) {
    boost::system::error_code error;
    json::value detail = json::parse(record.detail_json(), error);
    to["detail"] = error ? json::value(record.detail_json()) : std::move(detail);
  }
  if (record.truncated()) to["truncated"] = true;
  if (record.partial()) to["partial"] = true;
  if (record.has_api_call()) to["api_call"] = object_of(record.api_call());
  return to;
}

std::string to_line(const v1::LogRecord& record) {
  std::string line = line_time(logged_at_ns(record));
  line += " [";
  line += severity_line_word(syslog_of(record.severity()));
  line += "] ";
  for (const char c : record.message()) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += c;
    }
  }
  line += '\n';
  return line;
}

void append_output(const v1::LogRecord& record, std::string& bytes) {
  bytes += record.raw().empty() ? record.message() : record.raw();
  if (!record.partial()) {
    bytes += '\n';
  }
}

}  // namespace runfold::collector

// Holds a store against the oracle, field by field.
#include "collector/log_chunk.hpp"
#include "runfold/v1/api_failure.pb.h"
#include "tests/simulation/oracle.hpp"
#include "tests/simulation/time.hpp"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <sstream>

namespace runfold::simulation {
namespace {

using collector::RunKey;

std::string text(const RunKey& key) {
  return key.run_id + "/" + std::to_string(key.attempt);
}
std::string shown(const auto& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

template <class Value>
void equal(const std::string& key, const char* field, const Value& expected, const Value& found) {
  if (expected != found) throw Failure(key + ": " + field + " should be " + shown(expected) + ", the store has " + shown(found));
}

/// The same keys in both.
template <class Left, class Right>
void same_keys(const char* what, const Left& expected, const Right& found) {
  for (const auto& [key, value] : expected) {
    if (!found.contains(key)) throw Failure(std::string(what) + " " + text(key) + " is not in the store");
  }
  for (const auto& [key, value] : found) {
    if (!expected.contains(key)) throw Failure(std::string(what) + " " + text(key) + " is in the store, and never was in the log");
  }
}

/// A run of which no Completed came must be lost by now, or timed out where it may not take long.
void expect_inferred_end(const std::string& key, const v1::Run& found, v1::Run& expected) {
  const bool may_time_out = expected.connector_id() == "connector-2";
  const bool right = found.result() == v1::RUN_RESULT_LOST || (may_time_out && found.result() == v1::RUN_RESULT_TIMEOUT);
  if (!right) throw Failure(key + " has been silent for long and is not lost, but " + v1::RunResult_Name(found.result()));
  expected.set_status(v1::RUN_STATUS_FINISHED);
  expected.set_result(found.result());
  expected.set_result_source(v1::RESULT_SOURCE_INFERRED);
  expected.set_error(found.error());
}

/// Beside its events, each verdict and each return raise the revision.
void expect_revision(const std::string& key, const v1::Run& found, v1::Run& expected) {
  if (found.revision() < expected.revision()) throw Failure(key + ": the revision " + shown(found.revision()) + " is less than its events");
  const std::uint64_t changes = found.revision() - expected.revision();
  const bool may_time_out = expected.connector_id() == "connector-2";
  const bool lost = found.result_source() == v1::RESULT_SOURCE_INFERRED && found.result() == v1::RUN_RESULT_LOST;
  if (!may_time_out && (changes % 2 == 1) != lost)
    throw Failure(key + ": the revision " + shown(found.revision()) + " was raised for nothing");
  expected.set_revision(found.revision());
}

void compare_run(v1::Run expected, std::int64_t sort_at_ns, const collector::RunRow& row) {
  const std::string key = "run " + text(row.key);
  v1::Run found;
  if (!found.ParseFromString(row.snapshot)) throw Failure(key + ": the snapshot cannot be read");
  if (!expected.has_finished_at()) expect_inferred_end(key, found, expected);
  expect_revision(key, found, expected);
  std::string differences;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&differences);
  if (!differencer.Compare(expected, found)) throw Failure(key + ", expected -> found: " + differences);
  equal(key, "connector_id", expected.connector_id(), row.connector_id);
  equal(key, "version", expected.version(), row.version);
  equal(key, "site", expected.site(), row.site);
  equal(key, "status", static_cast<std::int32_t>(expected.status()), row.status);
  equal(key, "result", static_cast<std::int32_t>(expected.result()), row.result);
  equal(key, "sort_at_ns", sort_at_ns, row.sort_at_ns);
}

void compare_logs(const RunKey& run, const ExpectedLogs& expected, const Contents& contents) {
  const std::string key = "logs of run " + text(run);
  const collector::RunLogsRow& row = contents.run_logs.at(run);
  equal(key, "connector_id", expected.connector, row.connector_id);
  equal(key, "version", expected.version, row.version);
  equal(key, "site", expected.site, row.site);
  for (std::size_t i = 0; i < 8; ++i) equal(key, ("severity " + std::to_string(i)).c_str(), expected.counts[i], row.counts[i]);
  equal(key, "received", expected.received, row.received);
  equal(key, "api_failures", expected.api_failures.size(), static_cast<std::size_t>(row.api_failures));
  std::vector<std::string> messages;
  std::uint32_t chunks = 0;
  for (auto at = contents.chunks.lower_bound({run, 0}); at != contents.chunks.end() && at->first.first == run; ++at) {
    equal(key, "the number of a chunk", chunks++, at->first.second);
    const auto batch = collector::from_chunk(at->second);
    if (!batch) throw Failure(key + ": " + batch.error().message);
    for (const auto& record : batch->records()) messages.push_back(record.message());
  }
  equal(key, "next_chunk", chunks, row.next_chunk);
  std::ranges::sort(messages);
  equal(key, "the number of log records", expected.messages.size(), messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) equal(key, "a log record", expected.messages[i], messages[i]);
}

void compare_failures(const Expected& expected, const Contents& contents, const Witness& witness) {
  using Call = std::tuple<RunKey, std::string, std::int64_t, std::int64_t>;
  std::vector<Call> wanted;
  std::vector<Call> found;
  for (const auto& [key, logs] : expected.logs) {
    for (const auto& [name, call] : logs.api_failures) {
      wanted.emplace_back(key, name.substr(0, name.find(" #")), call.second, call.first ? std::int64_t{*call.first} : -1);
    }
  }
  for (const auto& [id, row] : contents.api_failures) {
    v1::ApiFailure failure;
    if (!failure.ParseFromString(row.payload)) throw Failure("API failure " + id + " cannot be read");
    found.emplace_back(row.key, failure.call().request_uri(), row.at_ns, row.code ? std::int64_t{*row.code} : -1);
    if (!witness.published_failures().contains(id)) throw Failure("API failure " + id + " was never published");
  }
  std::ranges::sort(wanted);
  std::ranges::sort(found);
  equal("API failures", "their number", wanted.size(), found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::string key = "API failure of run " + text(std::get<0>(wanted[i]));
    equal(key, "the run", text(std::get<0>(wanted[i])), text(std::get<0>(found[i])));
    equal(key, "request_uri", std::get<1>(wanted[i]), std::get<1>(found[i]));
    equal(key, "at_ns", std::get<2>(wanted[i]), std::get<2>(found[i]));
    equal(key, "code", std::get<3>(wanted[i]), std::get<3>(found[i]));
  }
}

void compare_groups(const Expected& expected, const Contents& contents) {
  equal("groups of API failures", "their number", expected.groups.size(), contents.api_failure_groups.size());
  for (const auto& [key, group] : contents.api_failure_groups) {
    const auto at = expected.groups.find({group.connector_id, group.kind.uri_template, group.code});
    const std::string name = "API failure group " + group.kind.uri_template + " of " + group.connector_id;
    if (at == expected.groups.end()) throw Failure(name + " is in the store, and nothing of it was in the log");
    const ExpectedGroup& wanted = at->second;
    equal(name, "count", wanted.count, group.count);
    equal(name, "first_ns", wanted.first.first, group.first_ns);
    equal(name, "first_version", wanted.first.second, group.first_version);
    equal(name, "last_ns", wanted.last_ns, group.last_ns);
    if (!std::ranges::equal(wanted.sites, group.sites)) throw Failure(name + ": the sites are others");
    std::vector<collector::OffsetBounds> offsets;
    for (const auto& [partition, bounds] : wanted.offsets) offsets.push_back({partition, bounds.first, bounds.second});
    if (offsets != group.offsets) throw Failure(name + ": the offset bounds are others");
  }
}

}  // namespace

void compare(const Expected& expected, const Contents& contents, const Witness& witness) {
  same_keys("run", expected.runs, contents.runs);
  for (const auto& [key, run] : expected.runs) {
    compare_run(run, expected.sort_at_ns.at(key), contents.runs.at(key));
    // What is worth publishing was published, last of all the newest.
    if (run.revision() == 0) continue;
    const auto published = witness.published().find(key);
    v1::Run found;
    static_cast<void>(found.ParseFromString(contents.runs.at(key).snapshot));
    equal("run " + text(key), "the revision published last", found.revision(),
          published == witness.published().end() ? 0 : published->second.back());
  }
  same_keys("logs of run", expected.logs, contents.run_logs);
  for (const auto& [key, logs] : expected.logs) compare_logs(key, logs, contents);
  compare_failures(expected, contents, witness);
  compare_groups(expected, contents);
  for (const auto& [id, row] : contents.operations) {
    if (!expected.operations.contains(id)) throw Failure(id + " is in the store, and never was in the log");
  }
  for (const auto& [id, operation] : expected.operations) {
    const auto at = contents.operations.find(id);
    const bool there = at != contents.operations.end() && at->second.payload.has_value();
    equal(id, "whether it is there", !operation.removed, there);
    if (!there) continue;
    equal(id, "updated_at_ns", operation.updated_at_ns, at->second.updated_at_ns);
    equal(id, "status", operation.status, at->second.status);
  }
}

}  // namespace runfold::simulation

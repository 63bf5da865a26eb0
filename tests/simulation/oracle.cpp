// Works out runs, logs and operations from the records in the log.
#include "tests/simulation/oracle.hpp"

#include "tests/simulation/time.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace runfold::simulation {
namespace {

using collector::RunKey;

std::int64_t ns(const auto& time) {
  return time.seconds() * kSecond + time.nanos();
}
void set(auto& time, std::int64_t at_ns) {
  time.set_seconds(at_ns / kSecond);
  time.set_nanos(static_cast<std::int32_t>(at_ns % kSecond));
}
RunKey key_of(const v1::RunIdentity& identity) {
  return {identity.run_id(), std::max(identity.attempt(), 1U)};
}

/// An event, when it happened, and where it was read first.
struct Heard {
  const v1::SyncEvent* event = nullptr;
  std::int64_t at_ns = 0;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

/// The number of (topic, source, sequence) seen before. What is not numbered is never seen before.
class Seen {
 public:
  bool first(const RunKey& key, const std::string& source, std::uint64_t sequence) {
    return sequence == 0 || seen_.emplace(key, source, sequence).second;
  }

 private:
  std::set<std::tuple<RunKey, std::string, std::uint64_t>> seen_;
};

v1::Step& step_of(std::map<std::pair<std::string, std::uint32_t>, v1::Step>& steps, const auto& told) {
  const std::uint32_t attempt = std::max(told.step_attempt(), 1U);
  v1::Step& step = steps[{told.step_id(), attempt}];
  step.set_step_id(told.step_id());
  step.set_attempt(attempt);
  return step;
}

void end_step(v1::Step& step, const auto& told, std::int64_t at_ns) {
  step.set_result(v1::RUN_RESULT_SUCCESS);
  set(*step.mutable_finished_at(), at_ns);
  if (told.has_duration()) *step.mutable_duration() = told.duration();
}

void declare_result(const v1::Completed& completed, v1::Run& run) {
  run.set_result_source(v1::RESULT_SOURCE_DECLARED);
  if (completed.result() != v1::RUN_RESULT_UNSPECIFIED) {
    run.set_result(completed.result());
  } else if (completed.has_signal()) {
    run.set_result(v1::RUN_RESULT_ERROR);
  } else if (completed.has_exit_code()) {
    run.set_result(completed.exit_code() == 0 ? v1::RUN_RESULT_SUCCESS : v1::RUN_RESULT_FAILURE);
  } else {
    run.set_result(v1::RUN_RESULT_SUCCESS);
    run.set_result_source(v1::RESULT_SOURCE_INFERRED);
  }
}

void expect_completeness(const std::vector<Heard>& events, v1::Run& run) {
  std::set<std::string> sources;
  std::map<std::string, const v1::Completed*> accounts;
  for (const Heard& heard : events) {
    sources.insert(heard.event->identity().source_id());
    const bool tells = heard.event->has_completed() && heard.event->completed().totals_size() > 0;
    if (tells) accounts[heard.event->identity().source_id()] = &heard.event->completed();
  }
  for (const v1::Topic topic : {v1::TOPIC_EVENTS, v1::TOPIC_LOGS}) {
    std::uint64_t emitted = 0;
    std::size_t told = 0;
    std::map<int, std::uint64_t> drops;
    for (const auto& [source, account] : accounts) {
      for (const auto& totals : account->totals()) {
        if (totals.topic() != topic) continue;
        ++told;
        emitted += totals.emitted();
        for (const auto& drop : totals.drops()) drops[drop.reason()] += drop.records();
      }
    }
    if (topic == v1::TOPIC_LOGS && told == 0) continue;
    auto& completeness = *run.add_completeness();
    completeness.set_topic(topic);
    if (told == sources.size()) completeness.set_expected(emitted);
    if (topic == v1::TOPIC_EVENTS) completeness.set_received(events.size());
    for (const auto& [reason, records] : drops) {
      auto& drop = *completeness.add_drops();
      drop.set_reason(static_cast<v1::DropReason>(reason));
      drop.set_records(records);
    }
  }
}

using StepKey = std::pair<std::string, std::uint32_t>;

/// Where each step began, or ended when nobody said that it began.
using Places = std::map<StepKey, const Heard*>;

/// A step stands at its time, but not before the steps that its source told of before.
void expect_steps(std::map<StepKey, v1::Step> steps, const Places& places, v1::Run& run) {
  const auto when = [&](const v1::Step& step) {
    const Heard& own = *places.at({step.step_id(), step.attempt()});
    const auto& source = own.event->identity().source_id();
    std::int64_t at_ns = own.at_ns;
    for (const auto& [key, other] : places) {
      const bool before = own.event->sequence() != 0 && other->event->sequence() != 0 && other->event->sequence() < own.event->sequence();
      if (before && other->event->identity().source_id() == source) at_ns = std::max(at_ns, other->at_ns);
    }
    return std::tuple(at_ns, source, own.event->sequence());
  };
  std::vector<v1::Step> sorted;
  for (auto& [key, step] : steps) {
    step.set_status(step.has_finished_at() ? v1::RUN_STATUS_FINISHED : v1::RUN_STATUS_RUNNING);
    const bool measurable = step.has_started_at() && step.has_finished_at() && !step.has_duration();
    if (measurable && ns(step.finished_at()) >= ns(step.started_at())) {
      set(*step.mutable_duration(), ns(step.finished_at()) - ns(step.started_at()));
    }
    if (step.has_entities()) run.set_entities(run.entities() + step.entities());
    if (step.has_relationships()) run.set_relationships(run.relationships() + step.relationships());
    sorted.push_back(std::move(step));
  }
  std::ranges::stable_sort(sorted, [&](const v1::Step& left, const v1::Step& right) { return when(left) < when(right); });
  for (v1::Step& step : sorted) *run.add_steps() = std::move(step);
}

void add_stats(const v1::SyncStats& told, v1::SyncStats& sum) {
  if (told.has_entities_created()) sum.set_entities_created(sum.entities_created() + told.entities_created());
  if (told.has_entities_updated()) sum.set_entities_updated(sum.entities_updated() + told.entities_updated());
  if (told.has_relationships_deleted()) sum.set_relationships_deleted(sum.relationships_deleted() + told.relationships_deleted());
}

/// The Completed that holds: the earliest that declares a result, else the earliest. Null: it has not ended.
const v1::SyncEvent* end_of(const std::vector<Heard>& events) {
  const v1::SyncEvent* end = nullptr;
  for (const Heard& heard : events) {
    if (!heard.event->has_completed()) continue;
    const auto& completed = heard.event->completed();
    if (completed.result() != v1::RUN_RESULT_UNSPECIFIED || completed.has_signal() || completed.has_exit_code()) return heard.event;
    if (end == nullptr) end = heard.event;
  }
  return end;
}

/// `events` are of one run, no duplicates among them.
v1::Run expect_run(const RunKey& key, std::vector<Heard> events) {
  std::ranges::sort(
      events, {}, [](const Heard& heard) { return std::tuple(heard.at_ns, heard.event->identity().source_id(), heard.event->sequence()); });
  v1::Run run;
  run.set_run_id(key.run_id);
  run.set_attempt(key.attempt);
  run.set_status(v1::RUN_STATUS_RUNNING);
  std::map<StepKey, v1::Step> steps;
  std::map<std::pair<std::string, bool>, const Heard*> progress;
  const Heard* last_progress = nullptr;
  Places begun;
  Places ended;
  std::map<std::int32_t, std::pair<std::int64_t, std::int64_t>> offsets;
  const v1::SyncEvent* end = end_of(events);
  for (const Heard& heard : events) {
    const v1::SyncEvent& event = *heard.event;
    const v1::RunIdentity& identity = event.identity();
    if (run.connector_id().empty()) run.set_connector_id(identity.connector_id());
    if (run.version().empty()) run.set_version(identity.version());
    if (run.site().empty()) run.set_site(identity.site());
    if (run.trace_id().empty() && event.has_trace()) run.set_trace_id(event.trace().traceparent().substr(3, 32));
    set(*run.mutable_last_seen_at(), heard.at_ns);
    if (!event.has_heartbeat() && !event.has_progress()) run.set_revision(run.revision() + 1);
    auto& [first, last] = offsets.try_emplace(heard.partition, heard.offset, heard.offset).first->second;
    first = std::min(first, heard.offset);
    last = std::max(last, heard.offset);

    if (event.has_started() && !run.has_started_at()) {
      set(*run.mutable_started_at(), heard.at_ns);
      const v1::Started& started = event.started();
      if (started.has_heartbeat_interval()) *run.mutable_heartbeat_interval() = started.heartbeat_interval();
      if (started.has_os_pid()) run.set_os_pid(started.os_pid());
      run.set_host(started.host());
      run.set_account(started.account());
    } else if (event.has_step_started()) {
      v1::Step& step = step_of(steps, event.step_started());
      if (!step.has_started_at()) set(*step.mutable_started_at(), heard.at_ns);
      begun.try_emplace({step.step_id(), step.attempt()}, &heard);
    } else if (event.has_step_completed()) {
      const auto& told = event.step_completed();
      v1::Step& step = step_of(steps, told);
      if (step.has_finished_at()) continue;
      end_step(step, told, heard.at_ns);
      ended.try_emplace({step.step_id(), step.attempt()}, &heard);
      if (told.has_entities()) step.set_entities(told.entities());
      if (told.has_relationships()) step.set_relationships(told.relationships());
    } else if (event.has_step_failed()) {
      v1::Step& step = step_of(steps, event.step_failed());
      if (step.has_finished_at()) continue;
      end_step(step, event.step_failed(), heard.at_ns);
      ended.try_emplace({step.step_id(), step.attempt()}, &heard);
      step.set_result(v1::RUN_RESULT_FAILURE);
      step.set_error(event.step_failed().error());
    } else if (&event == end) {
      const v1::Completed& completed = event.completed();
      run.set_status(v1::RUN_STATUS_FINISHED);
      set(*run.mutable_finished_at(), heard.at_ns);
      declare_result(completed, run);
      if (completed.has_exit_code()) run.set_exit_code(completed.exit_code());
      if (completed.has_signal()) run.set_signal(completed.signal());
      if (completed.has_duration()) *run.mutable_duration() = completed.duration();
      run.set_error(completed.error());
    } else if (event.has_progress()) {
      // The source heard of last tells, what it numbered last.
      const Heard*& of_source = progress[{identity.source_id(), event.sequence() != 0}];
      if (of_source == nullptr || event.sequence() >= of_source->event->sequence()) of_source = &heard;
      last_progress = of_source;
    } else if (event.has_stats_committed()) {
      add_stats(event.stats_committed().stats(), *run.mutable_stats());
    }
  }
  if (last_progress != nullptr) *run.mutable_progress() = last_progress->event->progress();
  if (run.has_stats() && run.stats().ByteSizeLong() == 0) run.clear_stats();
  const bool measurable = run.has_started_at() && run.has_finished_at() && !run.has_duration();
  if (measurable && ns(run.finished_at()) >= ns(run.started_at())) {
    set(*run.mutable_duration(), ns(run.finished_at()) - ns(run.started_at()));
  }
  begun.merge(ended);
  expect_steps(std::move(steps), begun, run);
  expect_completeness(events, run);
  for (const auto& [partition, bounds] : offsets) {
    auto& one = *run.add_offsets();
    one.set_partition(partition);
    one.set_first_offset(bounds.first);
    one.set_last_offset(bounds.second);
  }
  return run;
}

/// The connectors ask for things of a few kinds, each by its number: "/orders/17?of=...".
void expect_in_group(const v1::RunIdentity& identity, const v1::ApiCall& call, std::int64_t at_ns, const kafka::TopicPartition& at,
                     std::int64_t offset, Expected& expected) {
  const std::string uri = call.request_uri().substr(0, call.request_uri().find('/', 1)) + "/{id}?of={}";
  const auto code = call.has_response_code() ? std::optional(call.response_code()) : std::nullopt;
  ExpectedGroup& group = expected.groups[{identity.connector_id(), uri, code}];
  const std::pair first{at_ns, identity.version()};
  group.first = group.count == 0 ? first : std::min(group.first, first);
  group.last_ns = std::max(group.last_ns, at_ns);
  ++group.count;
  if (!identity.site().empty()) group.sites.insert(identity.site());
  auto& [low, high] = group.offsets.try_emplace(at.partition, offset, offset).first->second;
  low = std::min(low, offset);
  high = std::max(high, offset);
}

void expect_logs(const Entry& entry, const kafka::TopicPartition& at, std::int64_t offset, const v1::LogBatch& batch, Seen& seen,
                 Expected& expected) {
  const v1::RunIdentity& identity = batch.identity();
  ExpectedLogs& logs = expected.logs[key_of(identity)];
  const auto keep_first = [](std::string& held, const std::string& name) {
    if (!name.empty() && (held.empty() || name < held)) held = name;
  };
  bool any = false;
  for (int i = 0; i < batch.records_size(); ++i) {
    const std::uint64_t sequence = batch.first_sequence() == 0 ? 0 : batch.first_sequence() + static_cast<std::uint64_t>(i);
    if (!seen.first(key_of(identity), identity.source_id(), sequence)) continue;
    any = true;
    const v1::LogRecord& record = batch.records(i);
    const std::size_t severity = record.severity() == v1::SEVERITY_UNSPECIFIED ? 6 : static_cast<std::size_t>(record.severity()) - 1;
    ++logs.counts[severity];
    ++logs.received;
    logs.messages.push_back(record.message());
    if (!record.has_api_call()) continue;
    const std::int64_t at_ns = record.has_logged_at() ? ns(record.logged_at()) : entry.timestamp_ms * kMs;
    const auto& call = record.api_call();
    // What is not numbered counts each time it comes.
    const std::string name = call.request_uri() + (sequence == 0 ? " #" + std::to_string(logs.received) : "");
    logs.api_failures[name] = {call.has_response_code() ? std::optional(call.response_code()) : std::nullopt, at_ns};
    expect_in_group(identity, call, at_ns, at, offset, expected);
  }
  if (!any) return;
  keep_first(logs.connector, identity.connector_id());
  keep_first(logs.version, identity.version());
  keep_first(logs.site, identity.site());
}

void expect_operation(const Entry& entry, std::int32_t partition, ExpectedOperation& operation) {
  std::int64_t updated_at_ns = entry.timestamp_ms * kMs;
  const auto* told = std::get_if<v1::Operation>(&entry.sent->meaning);
  if (told != nullptr && told->has_updated_at()) updated_at_ns = ns(told->updated_at());
  const bool removes = told == nullptr && operation.partition == partition;
  if (!removes && updated_at_ns < operation.updated_at_ns) return;
  operation.partition = partition;
  operation.updated_at_ns = std::max(operation.updated_at_ns, updated_at_ns);
  operation.removed = told == nullptr;
  operation.status = told == nullptr ? "" : told->status();
}

}  // namespace

Expected expect(const Logs& logs) {
  Expected expected;
  std::map<RunKey, std::vector<Heard>> events;
  std::map<RunKey, std::int64_t> skews;
  Seen seen_events;
  Seen seen_logs;
  for (const auto& [at, log] : logs) {
    for (std::int64_t offset = 0; offset < log.high(); ++offset) {
      const Entry& entry = log.entries[static_cast<std::size_t>(offset)];
      const auto& meaning = entry.sent->meaning;
      if (const auto* event = std::get_if<v1::SyncEvent>(&meaning)) {
        const RunKey key = key_of(event->identity());
        if (!seen_events.first(key, event->identity().source_id(), event->sequence())) continue;
        const std::int64_t at_ns = event->has_occurred_at() ? ns(event->occurred_at()) : entry.timestamp_ms * kMs;
        events[key].push_back({event, at_ns, at.partition, offset});
        if (event->has_occurred_at() && entry.timestamp_ms > 0) {
          const std::int64_t behind_ns = entry.timestamp_ms * kMs - at_ns;
          const auto [least, first] = skews.emplace(key, behind_ns);
          if (!first) least->second = std::min(least->second, behind_ns);
        }
      } else if (const auto* batch = std::get_if<v1::LogBatch>(&meaning)) {
        expect_logs(entry, at, offset, *batch, seen_logs, expected);
      } else if (at.topic == kOperations) {
        expect_operation(entry, at.partition, expected.operations[entry.sent->key]);
      }
    }
  }
  for (auto& [key, of_run] : events) {
    const auto earliest = std::ranges::min(of_run, {}, &Heard::at_ns).at_ns;
    v1::Run& run = expected.runs.emplace(key, expect_run(key, std::move(of_run))).first->second;
    if (const auto skew = skews.find(key); skew != skews.end() && std::abs(skew->second) >= kSecond) {
      run.mutable_clock_skew()->set_seconds(skew->second / kSecond);
      run.mutable_clock_skew()->set_nanos(static_cast<std::int32_t>(skew->second % kSecond));
    }
    expected.sort_at_ns[key] = run.has_started_at() ? ns(run.started_at()) : earliest;
  }
  for (auto& [key, logged] : expected.logs) std::ranges::sort(logged.messages);
  return expected;
}

}  // namespace runfold::simulation

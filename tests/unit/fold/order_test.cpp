// Whatever the order, batching, repetition and forgetting: the same records give the same rows, byte for byte.
#include "tests/support/folding.hpp"
#include "tests/support/random_messages.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace runfold::collector {
namespace {

using test::Folding;
using test::RandomMessages;

/// A message with its place in the log.
template <class Message>
struct Sent {
  Message message;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  TimeNs record_time_ns = 0;
};

template <class Message>
Folded send(Folding& folding, const Sent<Message>& sent) {
  folding.origin.partition = sent.partition;
  folding.origin.offset = sent.offset;
  folding.origin.record_time_ns = sent.record_time_ns;
  return folding.send(sent.message);
}

/// Events of one or two attempts by up to three sources, with few different times, names and values, so that many tie.
class RandomEvents {
 public:
  explicit RandomEvents(std::uint64_t seed) : random_(seed) {}

  std::vector<Sent<v1::SyncEvent>> make() {
    std::vector<Sent<v1::SyncEvent>> events;
    for (std::uint32_t attempt = 1; attempt <= 1 + random_.below(2); ++attempt) {
      for (std::uint64_t source = 0; source < 1 + random_.below(3); ++source) {
        std::uint64_t sequence = 0;
        for (std::uint64_t left = 1 + random_.below(25); left > 0; --left) {
          ++sequence;
          if (random_.one_in(10)) continue;  // never arrives
          Sent<v1::SyncEvent> sent{event(), static_cast<std::int32_t>(random_.below(2)), static_cast<std::int64_t>(events.size()), 0};
          sent.record_time_ns = static_cast<TimeNs>(random_.below(6)) * 1'000'000'000;
          sent.message.set_sequence(random_.one_in(10) ? 0 : sequence);
          sent.message.mutable_identity()->set_attempt(attempt);
          sent.message.mutable_identity()->set_source_id(source == 2 ? "" : "source " + std::to_string(source));
          events.push_back(std::move(sent));
        }
      }
    }
    return events;
  }

 private:
  std::string one_of(const std::vector<std::string>& texts) { return texts[random_.below(texts.size())]; }
  void maybe_time(auto* duration) { duration->set_seconds(static_cast<std::int64_t>(random_.below(4)) - 1); }

  v1::SyncEvent event() {
    v1::SyncEvent event;
    event.mutable_identity()->set_run_id("r-1");
    event.mutable_identity()->set_connector_id(one_of({"", "invoices", "orders"}));
    event.mutable_identity()->set_version(one_of({"", "1", "2"}));
    event.mutable_identity()->set_site(one_of({"", "acme", "zeta"}));
    if (!random_.one_in(10)) event.mutable_occurred_at()->set_seconds(static_cast<std::int64_t>(random_.below(6)));
    if (random_.one_in(3)) {
      const std::string id =
          one_of({"4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736", "not a trace id, but as long as one"});
      event.mutable_trace()->set_traceparent("00-" + id + "-00f067aa0ba902b7-01");
    }
    const std::string step = one_of({"read", "transform", "upload"});
    const auto step_attempt = static_cast<std::uint32_t>(random_.below(3));
    switch (random_.below(10)) {
      case 0: {
        auto& started = *event.mutable_started();
        if (random_.one_in(2)) maybe_time(started.mutable_heartbeat_interval());
        if (random_.one_in(2)) started.set_os_pid(random_.below(3));
        started.set_host(one_of({"", "web-1", "web-2"}));
        started.set_account(one_of({"", "a"}));
        break;
      }
      case 1:
      case 2:
        event.mutable_step_started()->set_step_id(step);
        event.mutable_step_started()->set_step_attempt(step_attempt);
        break;
      case 3:
      case 4: {
        auto& completed = *event.mutable_step_completed();
        completed.set_step_id(step);
        completed.set_step_attempt(step_attempt);
        if (random_.one_in(2)) completed.set_entities(random_.below(3));
        if (random_.one_in(2)) completed.set_relationships(random_.one_in(4) ? ~std::uint64_t{0} : random_.below(3));
        if (random_.one_in(2)) maybe_time(completed.mutable_duration());
        break;
      }
      case 5: {
        auto& failed = *event.mutable_step_failed();
        failed.set_step_id(step);
        failed.set_step_attempt(step_attempt);
        failed.set_error(one_of({"", "503", "timeout"}));
        if (random_.one_in(2)) maybe_time(failed.mutable_duration());
        break;
      }
      case 6: {
        auto& completed = *event.mutable_completed();
        completed.set_result(static_cast<v1::RunResult>(random_.below(9)));
        if (random_.one_in(2)) completed.set_exit_code(static_cast<int>(random_.below(3)));
        if (random_.one_in(3)) completed.set_signal(static_cast<int>(random_.below(3)));
        completed.set_error(one_of({"", "boom", "bang"}));
        if (random_.one_in(2)) maybe_time(completed.mutable_duration());
        for (std::uint64_t i = random_.below(3); i > 0; --i) {
          auto& totals = *completed.add_totals();
          totals.set_topic(static_cast<v1::Topic>(random_.below(4)));
          totals.set_emitted(random_.below(30));
          totals.set_last_sequence(random_.below(30));
          if (random_.one_in(2)) {
            totals.add_drops()->set_reason(static_cast<v1::DropReason>(random_.below(8)));
            totals.mutable_drops(0)->set_records(random_.below(4));
          }
        }
        break;
      }
      case 7:
        event.mutable_heartbeat();
        break;
      case 8: {
        auto& progress = *event.mutable_progress();
        progress.set_step_id(one_of({"", "read"}));
        progress.set_done(random_.below(3));
        if (random_.one_in(2)) progress.set_total(random_.below(3));
        progress.set_message(one_of({"", "half-way"}));
        break;
      }
      default: {
        auto& stats = *event.mutable_stats_committed()->mutable_stats();
        if (random_.one_in(2)) stats.set_entities_created(random_.below(5));
        if (random_.one_in(2)) stats.set_entities_deleted(random_.one_in(4) ? ~std::uint64_t{0} : random_.below(5));
        if (random_.one_in(2)) stats.set_relationships_updated(random_.below(5));
      }
    }
    return event;
  }

  RandomMessages random_;
};

/// Everything in a row but `publish`, which is about what changed.
auto content(const RunRow& row) {
  return std::tuple(row.key, row.connector_id, row.version, row.site, row.status, row.result, row.sort_at_ns, row.snapshot, row.fold_state);
}

std::string shown(const RunRow& row) {
  v1::Run run;
  return run.ParseFromString(row.snapshot) ? run.DebugString() : "an unreadable snapshot";
}

void expect_same_runs(const Folding& expected, const Folding& actual) {
  ASSERT_EQ(expected.runs.size(), actual.runs.size());
  for (const auto& [key, row] : expected.runs) {
    const auto at = actual.runs.find(key);
    ASSERT_NE(at, actual.runs.end());
    ASSERT_TRUE(content(row) == content(at->second)) << "expected " << shown(row) << "\nbut got " << shown(at->second);
  }
}

/// Sends them in a random order, some again, with commits, restarts and evictions between them.
template <class Message, class IsNumbered>
void send_somehow(Folding& folding, std::vector<Sent<Message>> sent, RandomMessages& random, IsNumbered&& is_numbered) {
  const std::size_t count = sent.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (random.one_in(4) && is_numbered(sent[i].message)) sent.push_back(sent[i]);
  }
  std::mt19937_64 engine(random.below(1'000'000));
  std::shuffle(sent.begin(), sent.end(), engine);
  const bool batches = random.one_in(2);
  for (const auto& one : sent) {
    send(folding, one);
    if (!batches) continue;
    switch (random.below(8)) {
      case 0:
        folding.commit();
        break;
      case 1:
        folding.restart();
        break;
      case 2:
        folding.commit();
        if (random.one_in(2)) folding.commit();
        folding.fold.evict(random.below(2), random.one_in(2) ? 0 : 1'000'000);
        break;
      default:
        break;
    }
  }
  folding.commit();
}

constexpr auto kEventIsNumbered = [](const v1::SyncEvent& event) { return event.sequence() != 0; };

TEST(Order, AnyOrderBatchingAndRepetitionOfEventsGivesTheSameRows) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto events = RandomEvents(seed).make();
    Folding expected;
    for (const auto& event : events) send(expected, event);
    expected.commit();
    RandomMessages random(seed + 1'000'000);
    for (int trial = 0; trial < 10; ++trial) {
      Folding actual;
      send_somehow(actual, events, random, kEventIsNumbered);
      expect_same_runs(expected, actual);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Order, EveryPermutationOfAShortRunGivesTheSameRow) {
  test::Telling t;
  std::vector<Sent<v1::SyncEvent>> events;
  const auto add = [&](v1::SyncEvent event) { events.push_back({std::move(event), 0, static_cast<std::int64_t>(events.size()), 0}); };
  add(t.started(10));
  add(t.step_started(11, "upload", 1));
  add(t.step_failed(12, "upload", "503", 1));
  add(t.step_completed(14, "upload", 9, 2));
  add(t.exited(20, 0));
  add(test::Telling("r-1", "agent").exited(20, 1));
  Folding expected;
  for (const auto& event : events) send(expected, event);
  expected.commit();
  std::vector<std::size_t> order(events.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  do {
    Folding actual;
    for (const std::size_t i : order) {
      send(actual, events[i]);
      actual.restart();
    }
    expect_same_runs(expected, actual);
    if (HasFatalFailure()) return;
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Order, WhatIsCountedOverAllBatchesDoesNotDependOnThem) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto events = RandomEvents(seed).make();
    std::set<std::uint32_t> started, finished, heard;
    std::set<std::tuple<std::uint32_t, std::string, std::uint32_t>> ended;
    for (const auto& [event, partition, offset, time] : events) {
      const std::uint32_t attempt = event.identity().attempt();
      heard.insert(attempt);
      if (event.has_started()) started.insert(attempt);
      if (event.has_completed()) finished.insert(attempt);
      const auto end = [&](const auto& step) { ended.emplace(attempt, step.step_id(), std::max(step.step_attempt(), 1U)); };
      if (event.has_step_completed()) end(event.step_completed());
      if (event.has_step_failed()) end(event.step_failed());
    }
    std::vector<Sent<v1::SyncEvent>> twice = events;
    for (const auto& event : events) {
      if (kEventIsNumbered(event.message)) twice.push_back(event);
    }
    std::mt19937_64 engine(seed);
    std::shuffle(twice.begin(), twice.end(), engine);
    ConnectorCounts sum;
    std::map<std::string, std::int64_t> active;
    std::uint64_t duplicates = 0, records = 0, runs_finished = 0;
    Folding folding;
    for (const auto& event : twice) {
      send(folding, event);
      if (engine() % 3 != 0 && &event != &twice.back()) continue;
      folding.restart();
      for (const auto& [name, counts] : folding.last_counts.connectors) {
        sum.runs_started += counts.runs_started;
        active[name] += counts.runs_active;
        for (const auto count : counts.runs_finished) runs_finished += count;
        sum.steps_completed += counts.steps_completed + counts.steps_failed;
      }
      for (const auto& [name, counts] : folding.last_counts.topics) {
        duplicates += counts.duplicates;
        records += counts.records;
      }
    }
    EXPECT_EQ(sum.runs_started, started.size());
    EXPECT_EQ(runs_finished, finished.size());
    for (const auto& [key, row] : folding.runs) {
      if (!finished.contains(key.attempt)) --active[row.connector_id.empty() ? "unknown" : row.connector_id];
    }
    for (const auto& [name, left] : active) EXPECT_EQ(left, 0) << "runs are active that nobody has, of connector " << name;
    EXPECT_EQ(sum.steps_completed, ended.size());
    EXPECT_EQ(duplicates, twice.size() - events.size());
    EXPECT_EQ(records, twice.size());
  }
}

/// The records of two sources, to be cut into batches.
std::vector<std::vector<v1::LogRecord>> random_records(RandomMessages& random) {
  std::vector<std::vector<v1::LogRecord>> sources(1 + random.below(2));
  for (auto& records : sources) {
    records.resize(1 + random.below(40));
    for (auto& record : records) {
      record.mutable_logged_at()->set_seconds(static_cast<std::int64_t>(random.below(100)));
      record.set_severity(static_cast<v1::Severity>(random.below(9)));
      record.set_stream(static_cast<v1::LogStream>(random.below(5)));
      record.set_message(random.text(20));
      if (!random.one_in(5)) continue;
      record.mutable_api_call()->set_request_uri(random.text(5));
      if (random.one_in(2)) record.mutable_api_call()->set_response_code(static_cast<std::uint32_t>(400 + random.below(200)));
    }
  }
  return sources;
}

Sent<v1::LogBatch> cut(const std::vector<std::vector<v1::LogRecord>>& sources, std::size_t source, std::size_t first, std::size_t count) {
  Sent<v1::LogBatch> sent;
  auto& identity = *sent.message.mutable_identity();
  identity.set_run_id("r-1");
  identity.set_connector_id("invoices");
  identity.set_source_id("source " + std::to_string(source));
  sent.message.set_first_sequence(first + 1);
  for (std::size_t i = first; i < std::min(first + count, sources[source].size()); ++i) *sent.message.add_records() = sources[source][i];
  return sent;
}

std::vector<std::string> texts(const Folding& folding) {
  std::vector<std::string> texts;
  for (const PendingLogs& chunk : folding.chunks) {
    v1::LogBatch batch;
    EXPECT_TRUE(batch.ParseFromString(chunk.batch));
    EXPECT_EQ(batch.records_size(), static_cast<int>(chunk.records));
    for (const auto& record : batch.records()) texts.push_back(record.SerializeAsString());
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST(Order, AnyOrderCuttingAndRepetitionOfLogRecordsGivesTheSameRows) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomMessages random(seed);
    const auto sources = random_records(random);
    Folding expected;
    std::vector<Sent<v1::LogBatch>> batches;
    for (std::size_t source = 0; source < sources.size(); ++source) {
      send(expected, cut(sources, source, 0, sources[source].size()));
      // Batches that overlap and together hold everything.
      for (std::size_t first = 0; first < sources[source].size();) {
        const std::size_t count = 1 + random.below(8);
        batches.push_back(cut(sources, source, first, count + random.below(4)));
        first += count;
      }
    }
    expected.commit();
    Folding actual;
    send_somehow(actual, batches, random, [](const v1::LogBatch&) { return true; });
    ASSERT_EQ(actual.run_logs.size(), 1U);
    const RunLogsRow& left = expected.run_logs.begin()->second;
    const RunLogsRow& right = actual.run_logs.begin()->second;
    EXPECT_EQ(left.counts, right.counts);
    EXPECT_EQ(left.received, right.received);
    EXPECT_EQ(left.api_failures, right.api_failures);
    EXPECT_EQ(left.connector_id, right.connector_id);
    EXPECT_EQ(left.fold_state, right.fold_state);
    EXPECT_EQ(texts(expected), texts(actual));
    ASSERT_EQ(expected.api_failures.size(), actual.api_failures.size());
    EXPECT_EQ(expected.api_failures.size(), left.api_failures);
    for (const auto& [id, row] : expected.api_failures) {
      ASSERT_TRUE(actual.api_failures.contains(id));
      EXPECT_EQ(actual.api_failures.at(id).payload, row.payload);
      EXPECT_EQ(actual.api_failures.at(id).kind, row.kind);
      EXPECT_EQ(actual.api_failures.at(id).version, row.version);
    }
    for (std::size_t i = 0; i < actual.chunks.size(); ++i) EXPECT_EQ(actual.chunks[i].chunk, i) << "chunks are numbered without a gap";
    EXPECT_EQ(right.next_chunk, actual.chunks.size());
  }
}

}  // namespace
}  // namespace runfold::collector

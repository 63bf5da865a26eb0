// The contract of Query: order, filters, pages and cursors.
#include "tests/contract/store/sample_rows.hpp"
#include "tests/contract/store/store_under_test.hpp"

#include <gmock/gmock.h>

namespace runfold::collector::contract {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names(const Page<StoredRun>& page) {
  std::vector<std::string> out;
  for (const auto& item : page.items) out.push_back(item.run.key.run_id + "/" + std::to_string(item.run.key.attempt));
  return out;
}
std::vector<std::string> names(const Page<ApiFailureRow>& page) {
  std::vector<std::string> out;
  for (const auto& item : page.items) out.push_back(item.failure_id);
  return out;
}
std::vector<std::string> names(const Page<OperationRow>& page) {
  std::vector<std::string> out;
  for (const auto& item : page.items) out.push_back(item.operation_id);
  return out;
}
std::vector<std::uint32_t> numbers(const std::vector<LogChunk>& chunks) {
  std::vector<std::uint32_t> out;
  for (const auto& chunk : chunks) out.push_back(chunk.chunk);
  return out;
}

class QueryContract : public StoreContract {
 protected:
  std::vector<std::string> listed(const RunFilter& filter) { return names(query_->runs(filter, 100, "").value()); }
  std::vector<std::string> failed(const ApiFailureFilter& filter) { return names(query_->api_failures(filter, 100, "").value()); }
  std::vector<std::string> operated(const OperationFilter& filter) { return names(query_->operations(filter, 100, "").value()); }
  void expect_refused(const RunFilter& filter, std::string_view cursor) {
    const auto page = query_->runs(filter, 2, cursor);
    ASSERT_TRUE(page.has_error()) << cursor;
    EXPECT_EQ(page.error().code, StoreErrc::kInvalid);
    EXPECT_THAT(page.error().message, HasSubstr("cursor"));
  }
};

TEST_P(QueryContract, RunsComeNewestFirstThenByRunIdAndAttempt) {
  commit({.runs = {sample_run("a", 10), sample_run("c", 20, 1), sample_run("c", 20, 2), sample_run("b", 20), sample_run("d", -5)}});
  EXPECT_THAT(listed({}), ElementsAre("c/2", "c/1", "b/1", "a/1", "d/1"));
}

TEST_P(QueryContract, PagesOfAnySizeGiveEveryRunOnceInOrder) {
  Batch batch;
  for (int i = 0; i < 23; ++i) batch.runs.push_back(sample_run("r" + std::to_string(i), i / 4, 1 + static_cast<std::uint32_t>(i % 2)));
  commit(batch);
  const auto whole = listed({});
  ASSERT_EQ(whole.size(), 23U);
  for (const std::size_t limit : {1U, 2U, 5U, 22U, 23U, 24U}) {
    std::vector<std::string> seen;
    std::string cursor;
    while (true) {
      const auto page = query_->runs({}, limit, cursor).value();
      EXPECT_LE(page.items.size(), limit);
      for (const auto& name : names(page)) seen.push_back(name);
      if (!page.next_cursor) break;
      cursor = *page.next_cursor;
    }
    EXPECT_EQ(seen, whole) << "limit " << limit;
  }
}

TEST_P(QueryContract, TheLastPageHasNoCursorEvenWhenItIsFull) {
  commit({.runs = {sample_run("a", 1), sample_run("b", 2)}});
  EXPECT_FALSE(query_->runs({}, 2, "").value().next_cursor);
  EXPECT_TRUE(query_->runs({}, 1, "").value().next_cursor);
}

TEST_P(QueryContract, RunsThatComeBetweenPagesMoveNothing) {
  commit({.runs = {sample_run("a", 10), sample_run("b", 20), sample_run("c", 30), sample_run("d", 40)}});
  const auto first = query_->runs({}, 2, "").value();
  EXPECT_THAT(names(first), ElementsAre("d/1", "c/1"));
  commit({.runs = {sample_run("newest", 99), sample_run("between", 35), sample_run("older", 15)}});
  EXPECT_THAT(names(query_->runs({}, 10, *first.next_cursor).value()), ElementsAre("b/1", "older/1", "a/1"));
}

TEST_P(QueryContract, EachRunFilterKeepsOnlyWhatFits) {
  RunRow other = sample_run("other", 20);
  other.connector_id = "orders";
  other.version = "9";
  other.site = "zeta";
  other.status = 3;
  other.result = 2;
  RunRow no_site = sample_run("nosite", 5);
  no_site.site = "";
  commit({.runs = {sample_run("one", 10), other, no_site}});
  EXPECT_THAT(listed({.run_id = "other"}), ElementsAre("other/1"));
  EXPECT_THAT(listed({.connector_id = "orders"}), ElementsAre("other/1"));
  EXPECT_THAT(listed({.version = "9"}), ElementsAre("other/1"));
  EXPECT_THAT(listed({.site = "zeta"}), ElementsAre("other/1"));
  EXPECT_THAT(listed({.status = 3}), ElementsAre("other/1"));
  EXPECT_THAT(listed({.result = 2}), ElementsAre("other/1"));
  EXPECT_THAT(listed({.result = 0}), ElementsAre("one/1", "nosite/1"));
  EXPECT_THAT(listed({.from_ns = 10}), ElementsAre("other/1", "one/1"));
  EXPECT_THAT(listed({.to_ns = 10}), ElementsAre("nosite/1"));
  EXPECT_THAT(listed({.connector_id = "invoices", .site = "acme", .status = 2, .from_ns = 1, .to_ns = 11}), ElementsAre("one/1"));
  EXPECT_THAT(listed({.connector_id = "orders", .site = "acme"}), IsEmpty());
  EXPECT_THAT(listed({.connector_id = "' OR 1=1 --"}), IsEmpty());
}

TEST_P(QueryContract, FiltersHoldOnEveryPage) {
  Batch batch;
  for (int i = 0; i < 10; ++i) {
    RunRow row = sample_run("r" + std::to_string(i), i);
    row.site = i % 2 ? "odd" : "even";
    batch.runs.push_back(row);
  }
  commit(batch);
  const RunFilter filter{.site = "odd", .from_ns = 2, .to_ns = 9};
  const auto first = query_->runs(filter, 2, "").value();
  EXPECT_THAT(names(first), ElementsAre("r7/1", "r5/1"));
  EXPECT_THAT(names(query_->runs(filter, 2, *first.next_cursor).value()), ElementsAre("r3/1"));
}

TEST_P(QueryContract, ACursorIsRefusedWithOtherFilters) {
  commit({.runs = {sample_run("a", 1), sample_run("b", 2), sample_run("c", 3)}});
  const auto cursor = *query_->runs({}, 1, "").value().next_cursor;
  expect_refused({.connector_id = "invoices"}, cursor);
  expect_refused({.from_ns = 0}, cursor);
  expect_refused({.status = 0}, cursor);
  EXPECT_TRUE(query_->runs({}, 1, cursor).has_value());
}

TEST_P(QueryContract, ACursorIsRefusedByAnotherList) {
  commit({.runs = {sample_run("a", 1), sample_run("b", 2)}});
  const auto cursor = *query_->runs({}, 1, "").value().next_cursor;
  EXPECT_EQ(query_->api_failures({}, 1, cursor).error().code, StoreErrc::kInvalid);
  EXPECT_EQ(query_->operations({}, 1, cursor).error().code, StoreErrc::kInvalid);
}

TEST_P(QueryContract, ACursorThatWasChangedAnywhereIsRefused) {
  commit({.runs = {sample_run("a", 1), sample_run("b", 2), sample_run("c", 3)}});
  const auto cursor = *query_->runs({}, 1, "").value().next_cursor;
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    std::string changed = cursor;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    expect_refused({}, changed);
    expect_refused({}, cursor.substr(0, i + 1 == cursor.size() ? i : i + 1));
  }
  expect_refused({}, cursor + "A");
  expect_refused({}, "not a cursor");
  expect_refused({}, std::string(100'000, 'A'));
  expect_refused({}, std::string("\0\xff", 2));
}

TEST_P(QueryContract, ALimitOutsideItsBoundsIsRefused) {
  for (const std::size_t limit : {std::size_t{0}, std::size_t{1001}}) {
    const auto page = query_->runs({}, limit, "");
    ASSERT_TRUE(page.has_error());
    EXPECT_EQ(page.error().code, StoreErrc::kInvalid);
    EXPECT_THAT(page.error().message, HasSubstr("limit"));
  }
}

TEST_P(QueryContract, ARunComesWithWhatItsLogsSay) {
  commit({.runs = {sample_run("r1"), sample_run("r2")}, .run_logs = {sample_logs("r1")}});
  const auto run = query_->run("r1", 1).value();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->run.snapshot, sample_run("r1").snapshot);
  ASSERT_TRUE(run->logs);
  EXPECT_EQ(run->logs->counts, sample_logs("r1").counts);
  EXPECT_EQ(run->logs->key, (RunKey{"r1", 1}));
  EXPECT_FALSE(query_->run("r2", 1).value()->logs);
  const auto page = query_->runs({.run_id = "r1"}, 10, "").value();
  ASSERT_EQ(page.items.size(), 1U);
  ASSERT_TRUE(page.items[0].logs);
  EXPECT_EQ(page.items[0].logs->api_failures, 9U);
}

TEST_P(QueryContract, ARunIsFoundByItsAttemptAndWithoutOneByItsHighest) {
  commit({.runs = {sample_run("r", 1, 1), sample_run("r", 2, 2), sample_run("r", 3, 10)}});
  EXPECT_EQ(query_->run("r", std::nullopt).value()->run.key.attempt, 10U);
  EXPECT_EQ(query_->run("r", 2).value()->run.key.attempt, 2U);
  EXPECT_THAT(query_->attempts("r").value(), ElementsAre(1, 2, 10));
  EXPECT_THAT(query_->attempts("other").value(), IsEmpty());
  EXPECT_FALSE(query_->run("r", 3).value());
  EXPECT_FALSE(query_->run("none", std::nullopt).value());
}

TEST_P(QueryContract, ARunOfWhichOnlyLogsHaveComeIsListedByTheTimeOfItsFirstRecord) {
  commit({.runs = {sample_run("early", 50), sample_run("late", 200)},
          .run_logs = {sample_logs("quiet")},
          .log_chunks = {sample_chunk("quiet", 0)}});
  EXPECT_THAT(listed({}), ElementsAre("late/1", "quiet/1", "early/1"));
  const auto quiet = query_->run("quiet", std::nullopt).value();
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->run.snapshot, "");
  EXPECT_EQ(quiet->run.status, 1) << "pending";
  EXPECT_THAT(listed({.status = 1}), ElementsAre("quiet/1"));
  EXPECT_EQ(quiet->run.connector_id, "invoices");
  EXPECT_EQ(quiet->run.sort_at_ns, 100);
  ASSERT_TRUE(quiet->logs);
  EXPECT_FALSE(reader_->load_runs(std::vector{RunKey{"quiet", 1}}).value().at(0)) << "the fold has heard nothing of it";
}

TEST_P(QueryContract, EventsAndLogsOfARunGiveTheSameRowInEitherOrder) {
  commit({.run_logs = {sample_logs("logs-first")}, .log_chunks = {sample_chunk("logs-first", 0)}});
  commit({.runs = {sample_run("logs-first", 7)}});
  commit({.runs = {sample_run("events-first", 7)}});
  commit({.run_logs = {sample_logs("events-first")}, .log_chunks = {sample_chunk("events-first", 0)}});
  for (const std::string run_id : {"logs-first", "events-first"}) {
    const auto run = query_->run(run_id, 1).value();
    EXPECT_EQ(run->run.sort_at_ns, 7) << run_id;
    EXPECT_EQ(run->run.snapshot, sample_run(run_id).snapshot);
    EXPECT_TRUE(run->logs);
  }
  EXPECT_EQ(listed({}).size(), 2U);
}

TEST_P(QueryContract, LogChunksComeInEitherDirectionFromAnyStart) {
  Batch batch;
  for (const std::uint32_t chunk : {2U, 0U, 4U, 1U, 3U}) batch.log_chunks.push_back(sample_chunk("r", chunk));
  batch.log_chunks.push_back(sample_chunk("other", 0));
  commit(batch);
  const RunKey key{"r", 1};
  EXPECT_THAT(numbers(query_->log_chunks(key, {}, 10).value()), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(numbers(query_->log_chunks(key, {.descending = false}, 3).value()), ElementsAre(0, 1, 2));
  EXPECT_THAT(numbers(query_->log_chunks(key, {.start = 2}, 10).value()), ElementsAre(2, 1, 0));
  EXPECT_THAT(numbers(query_->log_chunks(key, {.start = 2, .descending = false}, 2).value()), ElementsAre(2, 3));
  const auto one = query_->log_chunks(key, {.start = 3}, 1).value().at(0);
  const LogChunk sent = sample_chunk("r", 3);
  EXPECT_EQ(one.key, sent.key);
  EXPECT_EQ(one.records, sent.records);
  EXPECT_EQ(one.first_ns, sent.first_ns);
  EXPECT_EQ(one.last_ns, sent.last_ns);
  EXPECT_EQ(one.severities, sent.severities);
  EXPECT_EQ(one.streams, sent.streams);
  EXPECT_EQ(one.data, sent.data);
}

TEST_P(QueryContract, LogChunksWithNothingWantedAreLeftOut) {
  commit({.log_chunks = {sample_chunk("r", 0, 0x01, 0x02), sample_chunk("r", 1, 0x80, 0x04), sample_chunk("r", 2, 0x81, 0x06)}});
  const RunKey key{"r", 1};
  EXPECT_THAT(numbers(query_->log_chunks(key, {.severities = 0x01}, 10).value()), ElementsAre(2, 0));
  EXPECT_THAT(numbers(query_->log_chunks(key, {.streams = 0x04}, 10).value()), ElementsAre(2, 1));
  EXPECT_THAT(numbers(query_->log_chunks(key, {.severities = 0x80, .streams = 0x04}, 1).value()), ElementsAre(2));
  EXPECT_THAT(numbers(query_->log_chunks(key, {.severities = 0x40}, 10).value()), IsEmpty());
}

TEST_P(QueryContract, EachApiFailureFilterKeepsOnlyWhatFits) {
  ApiFailureRow other = sample_failure("f2", "r2", 20);
  other.key.attempt = 2;
  other.connector_id = "orders";
  other.site = "zeta";
  other.code = std::nullopt;
  commit({.api_failures = {sample_failure("f1", "r1", 10), other, sample_failure("f3", "r1", 20)}});
  EXPECT_THAT(failed({}), ElementsAre("f3", "f2", "f1"));
  EXPECT_THAT(failed({.run_id = "r1"}), ElementsAre("f3", "f1"));
  EXPECT_THAT(failed({.run_id = "r2", .attempt = 1}), IsEmpty());
  EXPECT_THAT(failed({.connector_id = "orders"}), ElementsAre("f2"));
  EXPECT_THAT(failed({.site = "zeta"}), ElementsAre("f2"));
  EXPECT_THAT(failed({.code = 404}), ElementsAre("f3", "f1"));
  EXPECT_THAT(failed({.from_ns = 11, .to_ns = 21}), ElementsAre("f3", "f2"));
  EXPECT_EQ(query_->api_failures({}, 1, "").value().items.at(0).origin, sample_failure("f3", "r1", 20).origin);
  EXPECT_FALSE(query_->api_failures({.run_id = "r2"}, 1, "").value().items.at(0).code);
  const auto first = query_->api_failures({}, 2, "").value();
  EXPECT_THAT(names(query_->api_failures({}, 2, *first.next_cursor).value()), ElementsAre("f1"));
}

TEST_P(QueryContract, EachFilterOfApiFailureGroupsKeepsOnlyWhatFits) {
  const auto failure = [](const std::string& id, const std::string& fingerprint, const std::string& connector, TimeNs at_ns) {
    ApiFailureRow row = sample_failure(id, "r1", at_ns);
    row.connector_id = connector;
    row.kind.fingerprint = fingerprint;
    return row;
  };
  ApiFailureRow unanswered = failure("f5", "v1:b", "invoices", 50);
  unanswered.code.reset();
  commit({.api_failures = {failure("f1", "v1:a", "orders to go", 10), failure("f2", "v1:a", "orders to go", 90),
                           failure("f3", "v1:a", "invoices", 50), failure("f4", "v1:c", "orders to go", 40), unanswered}});
  const auto listed_groups = [&](const ApiFailureGroupFilter& filter, std::size_t limit = 10) {
    std::vector<std::string> found;
    std::string cursor;
    do {
      const auto page = query_->api_failure_groups(filter, limit, cursor).value();
      for (const auto& group : page.items) found.push_back(group.kind.fingerprint + " " + group.connector_id);
      cursor = page.next_cursor.value_or("");
    } while (!cursor.empty());
    return found;
  };
  for (const std::size_t limit : {1U, 2U, 3U, 10U}) {
    EXPECT_THAT(listed_groups({}, limit), ElementsAre("v1:a orders to go", "v1:b invoices", "v1:a invoices", "v1:c orders to go"));
  }
  EXPECT_THAT(listed_groups({.fingerprint = "v1:a"}, 1), ElementsAre("v1:a orders to go", "v1:a invoices"));
  EXPECT_THAT(listed_groups({.connector_id = "orders to go"}, 1), ElementsAre("v1:a orders to go", "v1:c orders to go"));
  EXPECT_THAT(listed_groups({.code = 404}), ElementsAre("v1:a orders to go", "v1:a invoices", "v1:c orders to go"));
  EXPECT_THAT(listed_groups({.from_ns = 51}), ElementsAre("v1:a orders to go"));
  EXPECT_THAT(listed_groups({.to_ns = 40}), ElementsAre("v1:a orders to go"));
  EXPECT_THAT(listed_groups({.from_ns = 40, .to_ns = 50}), ElementsAre("v1:a orders to go", "v1:c orders to go"));
  EXPECT_FALSE(query_->api_failure_groups({.fingerprint = "v1:b"}, 1, "").value().items.at(0).code);
  const auto cursor = *query_->api_failure_groups({}, 1, "").value().next_cursor;
  EXPECT_EQ(query_->api_failure_groups({.code = 404}, 1, cursor).error().code, StoreErrc::kInvalid);
}

TEST_P(QueryContract, EachOperationFilterKeepsOnlyWhatFits) {
  OperationRow other = sample_operation("o2", 20, 20);
  other.status = "done";
  other.name = "deploy";
  other.owner_id = "u-2";
  other.connector_id = "orders";
  commit({.operations = {sample_operation("o1", 10, 30), other, sample_operation("o3", 20, 20)}});
  EXPECT_THAT(operated({}), ElementsAre("o3", "o2", "o1"));
  EXPECT_THAT(operated({.status = "done"}), ElementsAre("o2"));
  EXPECT_THAT(operated({.name = "deploy"}), ElementsAre("o2"));
  EXPECT_THAT(operated({.owner_id = "u-2"}), ElementsAre("o2"));
  EXPECT_THAT(operated({.connector_id = "orders"}), ElementsAre("o2"));
  EXPECT_THAT(operated({.status = "pending", .name = "deploy"}), IsEmpty());
  const auto first = query_->operations({}, 1, "").value();
  EXPECT_THAT(names(query_->operations({}, 10, *first.next_cursor).value()), ElementsAre("o2", "o1"));
  EXPECT_EQ(query_->operation("o1").value()->payload, sample_operation("o1", 10, 30).payload);
  EXPECT_EQ(query_->operation("o1").value()->origin, sample_operation("o1", 10, 30).origin);
  EXPECT_FALSE(query_->operation("none").value());
}

TEST_P(QueryContract, RunningRunsAreCountedByConnector) {
  RunRow finished = sample_run("done");
  finished.status = 3;
  RunRow orders = sample_run("o1");
  orders.connector_id = "orders";
  commit({.runs = {sample_run("r1"), sample_run("r2"), finished, orders}});
  using Count = std::pair<std::string, std::uint64_t>;
  EXPECT_THAT(query_->running_by_connector().value(), testing::UnorderedElementsAre(Count{"invoices", 2}, Count{"orders", 1}));
}

TEST_P(QueryContract, AQuerySeesACommitAsSoonAsItIsMade) {
  EXPECT_THAT(listed({}), IsEmpty());
  commit({.runs = {sample_run("r1")}});
  EXPECT_THAT(listed({}), ElementsAre("r1/1"));
}

TEST_P(QueryContract, LossesComeNewestFirstAndPageByPage) {
  const LossRow known{"events", 3, 42, 50, 8, "retention", 1'000};
  const LossRow unknown{"logs", 0, 7, 0, std::nullopt, "recreated", 2'000};
  const LossRow beside{"events", 1, 1, 2, 1, "retention", 1'000};
  commit({.losses = {known, unknown, beside}});
  std::vector<LossRow> seen;
  std::string cursor;
  do {
    auto page = query_->losses({}, 1, cursor).value();
    ASSERT_EQ(page.items.size(), 1U);
    seen.push_back(page.items[0]);
    cursor = page.next_cursor.value_or("");
  } while (!cursor.empty());
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].topic, "logs");
  EXPECT_EQ(seen[0].to_offset, 0);
  EXPECT_FALSE(seen[0].records);
  EXPECT_EQ(seen[0].reason, "recreated");
  EXPECT_EQ(seen[1].partition, 3);
  EXPECT_EQ(seen[1].from_offset, 42);
  EXPECT_EQ(seen[1].to_offset, 50);
  EXPECT_EQ(seen[1].records, 8U);
  EXPECT_EQ(seen[1].at_ns, 1'000);
  EXPECT_EQ(seen[2].partition, 1);
  EXPECT_EQ(query_->losses({.topic = "events"}, 10, "").value().items.size(), 2U);
  EXPECT_EQ(query_->losses({.topic = "events", .partition = 1}, 10, "").value().items.size(), 1U);
  EXPECT_EQ(query_->losses({.topic = "events"}, 10, *query_->losses({}, 1, "").value().next_cursor).error().code, StoreErrc::kInvalid);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, QueryContract, testing::ValuesIn(stores()), [](const auto& store) { return store.param.name; });

}  // namespace runfold::collector::contract

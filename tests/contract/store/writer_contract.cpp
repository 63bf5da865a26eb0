// The contract of Writer: what a commit writes, what it leaves, and who may commit.
#include "tests/contract/store/sample_rows.hpp"
#include "tests/contract/store/store_under_test.hpp"

#include <gmock/gmock.h>

#include <array>

namespace runfold::collector::contract {
namespace {

using testing::HasSubstr;
using Partitions = std::vector<std::pair<std::string, std::int32_t>>;

class WriterContract : public StoreContract {
 protected:
  Claim claim(const std::string& topic, std::int32_t partition) {
    const Partitions one{{topic, partition}};
    return writer_->claim(one).value().at(0);
  }
  std::optional<RunRow> load(const RunKey& key) { return reader_->load_runs(std::array{key}).value().at(0); }
};

TEST_P(WriterContract, ARunIsLoadedAsItWasCommitted) {
  Batch batch;
  batch.runs = {sample_run("r1"), sample_run("r2", 5, 3)};
  commit(batch);
  reopen();
  const auto rows = reader_->load_runs(std::array{RunKey{"r2", 3}, RunKey{"none", 1}, RunKey{"r1", 1}, RunKey{"r1", 2}}).value();
  ASSERT_EQ(rows.size(), 4U);
  ASSERT_TRUE(rows[0]);
  EXPECT_EQ(rows[0]->key, (RunKey{"r2", 3}));
  EXPECT_EQ(rows[0]->sort_at_ns, 5);
  EXPECT_FALSE(rows[1]);
  EXPECT_FALSE(rows[3]);
  ASSERT_TRUE(rows[2]);
  const RunRow sent = sample_run("r1");
  EXPECT_EQ(rows[2]->connector_id, sent.connector_id);
  EXPECT_EQ(rows[2]->version, sent.version);
  EXPECT_EQ(rows[2]->site, sent.site);
  EXPECT_EQ(rows[2]->status, sent.status);
  EXPECT_EQ(rows[2]->result, sent.result);
  EXPECT_EQ(rows[2]->snapshot, sent.snapshot);
  EXPECT_EQ(rows[2]->fold_state, sent.fold_state);
}

TEST_P(WriterContract, LogCountsAreLoadedAsTheyWereCommitted) {
  Batch batch;
  batch.run_logs = {sample_logs("r1")};
  commit(batch);
  reopen();
  const auto rows = reader_->load_run_logs(std::array{RunKey{"none", 1}, RunKey{"r1", 1}}).value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_FALSE(rows[0]);
  ASSERT_TRUE(rows[1]);
  const RunLogsRow sent = sample_logs("r1");
  EXPECT_EQ(rows[1]->key, sent.key);
  EXPECT_EQ(rows[1]->connector_id, sent.connector_id);
  EXPECT_EQ(rows[1]->version, sent.version);
  EXPECT_EQ(rows[1]->site, sent.site);
  EXPECT_EQ(rows[1]->counts, sent.counts);
  EXPECT_EQ(rows[1]->api_failures, sent.api_failures);
  EXPECT_EQ(rows[1]->received, sent.received);
  EXPECT_EQ(rows[1]->next_chunk, sent.next_chunk);
  EXPECT_EQ(rows[1]->offsets, sent.offsets);
  EXPECT_EQ(rows[1]->partition, sent.partition);
  EXPECT_EQ(rows[1]->heard_ns, sent.heard_ns);
  EXPECT_EQ(rows[1]->fold_state, sent.fold_state);
}

TEST_P(WriterContract, EmptyTextAndEmptyStateComeBackEmpty) {
  RunRow bare;
  bare.key = {"bare", 1};
  RunLogsRow bare_logs;
  bare_logs.key = {"bare", 1};
  commit({.runs = {bare}, .run_logs = {bare_logs}});
  ASSERT_TRUE(load({"bare", 1}));
  EXPECT_EQ(load({"bare", 1})->snapshot, "");
  EXPECT_TRUE(reader_->load_run_logs(std::array{RunKey{"bare", 1}}).value().at(0));
}

TEST_P(WriterContract, ARunReplacesTheOneWithItsKeyWhateverOfItChanged) {
  commit({.runs = {sample_run("r1")}});
  RunRow same_lists = sample_run("r1");
  same_lists.snapshot = "second";
  same_lists.fold_state = "second state";
  commit({.runs = {same_lists}});
  EXPECT_EQ(load({"r1", 1})->snapshot, "second");
  EXPECT_EQ(load({"r1", 1})->fold_state, "second state");

  RunRow finished = sample_run("r1", 77);
  finished.status = 3;
  finished.result = 1;
  finished.version = "2";
  finished.snapshot = "third";
  commit({.runs = {finished}});
  EXPECT_EQ(load({"r1", 1})->snapshot, "third");
  EXPECT_EQ(load({"r1", 1})->status, 3);
  EXPECT_EQ(load({"r1", 1})->sort_at_ns, 77);
  EXPECT_EQ(query_->runs({}, 10, "").value().items.size(), 1U);
}

TEST_P(WriterContract, TheFirstClaimOfAPartitionHasNoOffsetAndTheNextHasTheCommittedOne) {
  const Claim first = claim("events", 3);
  EXPECT_EQ(first.topic, "events");
  EXPECT_EQ(first.partition, 3);
  EXPECT_FALSE(first.next_offset);
  commit({.partitions = {{"events", 3, 42, first.epoch}}});
  const Claim second = claim("events", 3);
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_EQ(second.next_offset, 42);
}

TEST_P(WriterContract, AnInstanceIdStaysTheSameAndIsNoOtherDatabasesOwn) {
  const auto id = store_->instance_id();
  reopen();
  EXPECT_EQ(store_->instance_id(), id);
  if (!id) return;  // Several collectors may share it, so it cannot name one.
  const auto other = GetParam().make();
  EXPECT_NE(other->open().value()->instance_id(), id);
  EXPECT_LE(id->size(), 200U);
}

TEST_P(WriterContract, TheLastRecordOfAPartitionComesBackWithItsClaimAndGoesWithTheOffsetThatHasNone) {
  const Claim first = claim("events", 3);
  EXPECT_FALSE(first.last);
  const LastRecord last{1'700'000'000'123, 0xfedc'ba98'7654'3210};
  commit({.partitions = {{"events", 3, 42, first.epoch, last}}});
  reopen();
  const Claim second = claim("events", 3);
  EXPECT_EQ(second.last, last);
  commit({.partitions = {{"events", 3, 50, second.epoch}}});
  const Claim third = claim("events", 3);
  EXPECT_EQ(third.next_offset, 50);
  EXPECT_FALSE(third.last);
  commit({.partitions = {{"events", 3, 51, third.epoch, last}}});
  ASSERT_TRUE(writer_->forget_offsets());
  EXPECT_FALSE(claim("events", 3).last);
}

TEST_P(WriterContract, ALossIsWrittenWithTheOffsetThatSkipsItOrNotAtAll) {
  const Claim kept = claim("events", 3);
  const LossRow loss{"events", 3, 42, 50, 8, "retention", 1'000};
  commit({.partitions = {{"events", 3, 50, kept.epoch}}, .losses = {loss}});
  commit({.losses = {loss}});
  EXPECT_EQ(query_->losses({}, 10, "").value().items.size(), 1U) << "a batch that is tried again";
  claim("events", 3);
  LossRow later = loss;
  later.at_ns = 2'000;
  EXPECT_EQ(writer_->commit({.partitions = {{"events", 3, 60, kept.epoch}}, .losses = {later}}).error().code, StoreErrc::kFenced);
  EXPECT_EQ(query_->losses({}, 10, "").value().items.size(), 1U);
}

TEST_P(WriterContract, AClaimHasTheClockThatWasCommittedAndARowWithNoOffsetMovesNothingElse) {
  const Claim first = claim("events", 3);
  EXPECT_EQ(first.clock_ns, 0);
  EXPECT_EQ(first.covered_until_ns, 0);
  commit({.partitions = {{"events", 3, 42, first.epoch, {}, 1'000, 2'000}}});
  commit({.partitions = {{"events", 3, std::nullopt, first.epoch, {}, 1'001, 2'002}}});
  const Claim second = claim("events", 3);
  EXPECT_EQ(second.next_offset, 42);
  EXPECT_EQ(second.clock_ns, 1'001);
  EXPECT_EQ(second.covered_until_ns, 2'002);
  EXPECT_TRUE(writer_->commit({.partitions = {{"events", 3, std::nullopt, first.epoch, {}, 0, 0}}}).has_error()) << "fenced all the same";
}

TEST_P(WriterContract, TheOverdueOfAPartitionComeEarliestFirst) {
  const auto due = [](const std::string& run_id, std::int32_t partition, TimeNs deadline_ns) {
    RunRow row = sample_run(run_id);
    row.partition = partition;
    row.deadline_ns = deadline_ns;
    return row;
  };
  RunRow finished = due("finished", 1, 10);
  finished.status = 3;
  RunRow never = sample_run("never");
  never.partition.reset();
  never.deadline_ns.reset();
  commit({.runs = {due("late", 1, 30), due("early", 1, 10), due("later", 1, 31), due("elsewhere", 2, 10), finished, never}});
  using Keys = std::vector<RunKey>;
  EXPECT_EQ(writer_->overdue_runs(1, 30, 10).value(), (Keys{{"early", 1}, {"late", 1}}));
  EXPECT_EQ(writer_->overdue_runs(1, 30, 1).value(), (Keys{{"early", 1}}));
  EXPECT_EQ(writer_->overdue_runs(1, 9, 10).value(), Keys{});
  EXPECT_EQ(writer_->overdue_runs(2, 10, 10).value(), (Keys{{"elsewhere", 1}}));
  EXPECT_EQ(load({"late", 1})->partition, 1);
  EXPECT_EQ(load({"late", 1})->deadline_ns, 30);
  EXPECT_FALSE(load({"never", 1})->deadline_ns);

  // Put off, moved and ended, with nothing else of the row changed but its status.
  RunRow ended = due("late", 1, 30);
  ended.status = 3;
  ended.partition.reset();
  ended.deadline_ns.reset();
  commit({.runs = {due("early", 1, 50), due("elsewhere", 1, 5), ended}});
  EXPECT_EQ(writer_->overdue_runs(1, 50, 10).value(), (Keys{{"elsewhere", 1}, {"later", 1}, {"early", 1}}));
  EXPECT_EQ(writer_->overdue_runs(2, 1'000, 10).value(), Keys{});
}

TEST_P(WriterContract, ClaimsComeInTheOrderAskedFor) {
  const Partitions asked{{"logs", 1}, {"events", 0}, {"logs", 0}};
  const auto claims = writer_->claim(asked).value();
  ASSERT_EQ(claims.size(), 3U);
  for (std::size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(std::pair(claims[i].topic, claims[i].partition), asked[i]);
}

TEST_P(WriterContract, AWriterWhosePartitionWasClaimedSinceIsFencedAndWritesNothing) {
  const Claim kept = claim("events", 0);
  const Claim lost = claim("events", 1);
  const auto other = store_->writer().value();
  ASSERT_TRUE(other->claim(Partitions{{"events", 1}}).has_value());

  Batch batch;
  batch.runs = {sample_run("r1")};
  batch.run_logs = {sample_logs("r1")};
  batch.outbox = {sample_outbox("hook", "k1", "r1")};
  batch.partitions = {{"events", 0, 10, kept.epoch}, {"events", 1, 10, lost.epoch}};
  const auto fenced = writer_->commit(batch);
  ASSERT_TRUE(fenced.has_error());
  EXPECT_EQ(fenced.error().code, StoreErrc::kFenced);
  EXPECT_FALSE(fenced.error().retryable());
  EXPECT_THAT(fenced.error().message, HasSubstr("partition 1 of events"));
  EXPECT_FALSE(load({"r1", 1}));
  EXPECT_TRUE(outbox_->due("hook", std::chrono::system_clock::now(), 10).value().empty());
  EXPECT_FALSE(claim("events", 0).next_offset);
}

TEST_P(WriterContract, APartitionThatWasNeverClaimedIsFenced) {
  const auto fenced = writer_->commit({.partitions = {{"events", 0, 10, 1}}});
  ASSERT_TRUE(fenced.has_error());
  EXPECT_EQ(fenced.error().code, StoreErrc::kFenced);
}

TEST_P(WriterContract, AfterAFencedCommitTheWriterGoesOn) {
  ASSERT_TRUE(writer_->commit({.partitions = {{"events", 0, 10, 1}}}).has_error());
  const Claim mine = claim("events", 0);
  commit({.runs = {sample_run("r1")}, .partitions = {{"events", 0, 10, mine.epoch}}});
  EXPECT_TRUE(load({"r1", 1}));
}

TEST_P(WriterContract, ForgottenOffsetsStartAnewAndAggregatesStay) {
  const Claim first = claim("events", 0);
  commit({.runs = {sample_run("r1")}, .partitions = {{"events", 0, 10, first.epoch}}});
  ASSERT_TRUE(writer_->forget_offsets().has_value());
  const Claim second = claim("events", 0);
  EXPECT_FALSE(second.next_offset);
  EXPECT_GT(second.epoch, first.epoch);
  EXPECT_TRUE(load({"r1", 1}));
}

TEST_P(WriterContract, AnOlderStateOfAnOperationDoesNotReplaceANewerOne) {
  OperationRow newer = sample_operation("op", 10, 200);
  newer.status = "done";
  commit({.operations = {newer}});
  commit({.operations = {sample_operation("op", 10, 199)}});
  EXPECT_EQ(query_->operation("op").value()->status, "done");
  OperationRow same_time = sample_operation("op", 10, 200);
  same_time.status = "failed";
  commit({.operations = {same_time}});
  EXPECT_EQ(query_->operation("op").value()->status, "failed");
}

TEST_P(WriterContract, ARemovedOperationIsGoneAndAnOlderStateDoesNotBringItBack) {
  commit({.operations = {sample_operation("op", 10, 100)}});
  OperationRow removal;
  removal.operation_id = "op";
  removal.updated_at_ns = 200;
  commit({.operations = {removal}});
  commit({.operations = {sample_operation("op", 10, 150)}});
  EXPECT_FALSE(query_->operation("op").value());
  EXPECT_TRUE(query_->operations({}, 10, "").value().items.empty());
  commit({.operations = {sample_operation("op", 10, 300)}});
  EXPECT_TRUE(query_->operation("op").value());
}

TEST_P(WriterContract, ARemovalRemovesWhatStandsBeforeItInItsPartitionHoweverNewThatSaysItIs) {
  OperationRow ahead = sample_operation("op", 10, 1'000);
  ahead.origin = {0, 5};
  OperationRow removal;
  removal.operation_id = "op";
  removal.updated_at_ns = 200;
  commit({.operations = {ahead}});
  for (const RecordPlace elsewhere : {RecordPlace{0, 4}, RecordPlace{1, 9}}) {
    removal.origin = elsewhere;
    commit({.operations = {removal}});
    EXPECT_TRUE(query_->operation("op").value()) << elsewhere.partition;
  }
  removal.origin = {0, 6};
  commit({.operations = {removal}});
  EXPECT_FALSE(query_->operation("op").value());

  // What comes behind is newer than the removal, and not newer than what that removed; together they do the same.
  OperationRow behind = sample_operation("op", 10, 500);
  behind.origin = {0, 7};
  commit({.operations = {behind}});
  EXPECT_FALSE(query_->operation("op").value());
  ahead.operation_id = removal.operation_id = behind.operation_id = "other";
  commit({.operations = {ahead}});
  commit({.operations = {removal, behind}});
  EXPECT_FALSE(query_->operation("other").value());
  behind.updated_at_ns = 1'001;
  commit({.operations = {behind}});
  EXPECT_TRUE(query_->operation("other").value());
}

TEST_P(WriterContract, AnApiFailureThatIsThereIsLeftAsItIs) {
  commit({.api_failures = {sample_failure("f1", "r1", 10)}});
  ApiFailureRow again = sample_failure("f1", "r1", 99);
  again.payload = "other";
  commit({.api_failures = {again, sample_failure("f2", "r1", 20)}});
  const auto page = query_->api_failures({}, 10, "").value();
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[1].at_ns, 10);
  EXPECT_EQ(page.items[1].payload, sample_failure("f1", "r1", 10).payload);
}

TEST_P(WriterContract, AGroupIsTheSameInAnyOrderAndAnyBatches) {
  std::vector<ApiFailureRow> failures;
  for (int i = 0; i < 60; ++i) {
    ApiFailureRow& one = failures.emplace_back(sample_failure("f" + std::to_string(i), "r" + std::to_string(i % 7), 1'000 - i / 2 * 7));
    one.site = i % 9 == 0 ? "" : std::string("site\0:", 6) + std::to_string(i);
    one.version = i == 59 ? "1.0" : i == 58 ? "1.1" : "2.0";
    one.origin = {i % 3, 100 + i};
  }
  const auto group = [&](const std::string& connector) {
    const auto page = query_->api_failure_groups({.connector_id = connector}, 10, "").value();
    EXPECT_EQ(page.items.size(), 1U);
    ApiFailureGroupRow found = page.items.at(0);
    found.connector_id.clear();
    return found;
  };
  const auto of = [&](const std::string& connector, ApiFailureRow failure) {
    failure.connector_id = connector;
    failure.failure_id += connector;
    return failure;
  };
  Batch whole;
  for (const auto& failure : failures) whole.api_failures.push_back(of("at-once", failure));
  commit(whole);
  for (std::size_t i = 0; i < failures.size(); ++i) commit({.api_failures = {of("by-one", failures[i * 37 % failures.size()])}});
  for (std::size_t i = 0; i < failures.size(); i += 20) {
    Batch part;
    for (std::size_t k = i + 20; k > i; --k) part.api_failures.push_back(of("by-twenty", failures[k - 1]));
    commit(part);
  }
  const ApiFailureGroupRow expected = group("at-once");
  EXPECT_EQ(expected.count, 60U);
  EXPECT_EQ(expected.kind, failures[0].kind);
  EXPECT_EQ(expected.code, 404U);
  EXPECT_EQ(expected.first_ns, 1'000 - 29 * 7);
  EXPECT_EQ(expected.last_ns, 1'000);
  EXPECT_EQ(expected.first_version, "1.0") << "of two at the same time, the first in the order of bytes";
  EXPECT_EQ(expected.sites.size(), kMaxGroupSites + 1);
  EXPECT_EQ(expected.sites[0], std::string("site\0:", 6) + "1");
  EXPECT_EQ(expected.offsets, (std::vector<OffsetBounds>{{0, 100, 157}, {1, 101, 158}, {2, 102, 159}}));
  EXPECT_EQ(group("by-one"), expected);
  EXPECT_EQ(group("by-twenty"), expected);
}

TEST_P(WriterContract, AFailureCountsOnceInItsGroupHoweverOftenItIsWritten) {
  const Batch batch{.api_failures = {sample_failure("f1", "r1", 10), sample_failure("f2", "r1", 20), sample_failure("f1", "r1", 10)}};
  commit(batch);
  commit(batch);
  reopen();
  commit(batch);
  const auto page = query_->api_failure_groups({}, 10, "").value();
  ASSERT_EQ(page.items.size(), 1U);
  EXPECT_EQ(page.items[0].count, 2U);
}

TEST_P(WriterContract, WhatAFencedBatchBringsCountsInNoGroup) {
  const auto claims = writer_->claim(std::vector{std::pair(std::string("logs"), 0)}).value();
  Batch batch{.api_failures = {sample_failure("f1", "r1", 10)}};
  batch.partitions.push_back({"logs", 0, 5, claims[0].epoch - 1});
  EXPECT_EQ(writer_->commit(batch).error().code, StoreErrc::kFenced);
  EXPECT_TRUE(query_->api_failure_groups({}, 10, "").value().items.empty());
}

TEST_P(WriterContract, ThousandsOfRowsGoIntoOneCommit) {
  Batch batch;
  for (int i = 0; i < 5'000; ++i) batch.runs.push_back(sample_run("run-" + std::to_string(i * 7919 % 5'000), i));
  commit(batch);
  std::size_t runs = 0;
  std::string cursor;
  while (true) {
    const auto page = query_->runs({}, 1000, cursor).value();
    runs += page.items.size();
    if (!page.next_cursor) break;
    cursor = *page.next_cursor;
  }
  EXPECT_EQ(runs, 5'000U);
}

TEST_P(WriterContract, AnEmptyBatchIsCommitted) {
  commit({});
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Stores, WriterContract, testing::ValuesIn(stores()), [](const auto& store) { return store.param.name; });

}  // namespace runfold::collector::contract

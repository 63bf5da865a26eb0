// The pipeline's promises, with Kafka and the store played by scripts: exactly once, in order, bounded, and never silent.
#include "tests/support/pipeline_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;

/// Everything in the topics is folded, committed or not: the pipeline says so itself once a second.
bool folded_all(Rig& rig) {
  const auto lags = rig.observer.lags();
  return lags.size() == 3 && std::ranges::all_of(lags, [](const auto& lag) { return lag.second == 0; });
}

TEST(Pipeline, RecordsAreCommittedWithTheOffsetsBehindThem) {
  Rig rig;
  rig.started("run-1", 1);
  rig.step("run-1", 2, 5);
  rig.step("run-1", 3, 7);
  rig.start();
  EXPECT_TRUE(wait_until([&] { return rig.unready("kafka").find("joining group") != std::string::npos; }));
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  EXPECT_EQ(rig.entities("run-1"), 12);
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  ASSERT_TRUE(wait_until([&] { return rig.kafka.told_to_lag_tools()[kEvents] == 3; }));
  EXPECT_EQ(rig.observer.records(kEvents.topic), 3U);
  EXPECT_EQ(rig.observer.started(), 1U);
  EXPECT_TRUE(rig.stop());
  EXPECT_TRUE(rig.kafka.closed());
}

TEST(Pipeline, TheStoreAndNothingElseDecidesWhereToStart) {
  Rig rig;
  rig.step("run-1", 1, 5);
  rig.step("run-1", 2, 7);
  rig.step("run-1", 3, 9);
  rig.store.set_offset(at(kEvents), 2);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  EXPECT_EQ(rig.entities("run-1"), 9);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, AStoreThatDoesNotSayWhereToStartHoldsThePartitionsUntilItDoes) {
  Rig rig;
  rig.step("run-1", 1, 5);
  rig.step("run-1", 2, 7);
  rig.store.set_offset(at(kEvents), 1);
  rig.store.fail_claims(kBusyStore, 3);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.unready("store").find("locked by another process") != std::string::npos; }));
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 2; }));
  EXPECT_EQ(rig.entities("run-1"), 7) << "the record before the stored offset was not folded";
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_EQ(rig.logged(3, "where to go on cannot be read").size(), 1U);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ARecordThatCannotBeReadGoesToTheDeadLettersAndThoseBehindItAreFolded) {
  Rig rig;
  rig.started("run-1", 1);
  rig.kafka.append(kEvents.topic, {"run-1", "\xff\xff\xff", {{"ce_type", "broken"}}});
  rig.kafka.append(kEvents.topic, {"run-1", std::nullopt, {}});
  rig.step("run-1", 2, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 4; }));
  EXPECT_EQ(rig.entities("run-1"), 4);
  const auto letters = rig.kafka.letters();
  ASSERT_EQ(letters.size(), 2U);
  auto headers = letters[0].headers;
  EXPECT_EQ(letters[0].key, "run-1");
  EXPECT_EQ(letters[0].value, "\xff\xff\xff");
  EXPECT_EQ(headers["ce_type"], "broken");
  EXPECT_EQ(headers["__connect.errors.topic"], kEvents.topic);
  EXPECT_EQ(headers["__connect.errors.partition"], "0");
  EXPECT_EQ(headers["__connect.errors.offset"], "1");
  EXPECT_EQ(headers["__connect.errors.connector.name"], "runfold-collector");
  EXPECT_EQ(headers["__connect.errors.stage"], "VALUE_CONVERTER");
  EXPECT_FALSE(headers["__connect.errors.exception.class.name"].empty());
  EXPECT_FALSE(headers["__connect.errors.exception.message"].empty());
  EXPECT_TRUE(headers["runfold.reason"] == "malformed" || headers["runfold.reason"] == "truncated") << headers["runfold.reason"];
  EXPECT_EQ(letters[1].value, std::nullopt);
  headers = letters[1].headers;
  EXPECT_EQ(headers["runfold.reason"], "empty");
  EXPECT_TRUE(rig.stop());  // counts follow the commit
  EXPECT_EQ(rig.observer.records(kEvents.topic), 4U);
  EXPECT_EQ(rig.observer.dead_letters()[kEvents.topic + " empty"], 1);
}

TEST(Pipeline, NothingIsCommittedBeforeItsDeadLettersAreAcknowledged) {
  Rig rig;
  rig.kafka.hold_acknowledgements(true);
  rig.step("run-1", 1, 4);
  rig.kafka.append(kEvents.topic, {"run-1", "\xff\xff\xff", {}});
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.kafka.letters_handed_over() == 1; }));
  EXPECT_EQ(rig.store.commits_tried(), 0);
  EXPECT_TRUE(rig.observer.dead_letters().empty());
  rig.kafka.hold_acknowledgements(false);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 2; }));
  EXPECT_EQ(rig.kafka.letters().size(), 1U);
  EXPECT_EQ(rig.observer.dead_letters().size(), 1U);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, DeadLettersThatKafkaRefusesHoldTheirBatchUntilItTakesThem) {
  Rig rig;
  rig.kafka.refuse_letters(kafka::Error{kafka::Errc::kUnauthorised, "not allowed to write runfold.dead-letters"});
  rig.step("run-1", 1, 4);
  rig.kafka.append(kEvents.topic, {"run-1", "\xff\xff\xff", {}});
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.unready("dead_letters") == "not allowed to write runfold.dead-letters" && rig.kafka.paused(); }));
  EXPECT_EQ(rig.store.commits_tried(), 0);
  rig.kafka.refuse_letters(std::nullopt);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 2; }));
  EXPECT_EQ(rig.entities("run-1"), 4);
  EXPECT_EQ(rig.kafka.letters().size(), 1U);
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty() && !rig.kafka.paused(); }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ARecordTooLargeForTheDeadLetterTopicLeavesItsHeadersThere) {
  Rig rig;
  rig.options.record_bytes = 100;
  rig.kafka.set_letter_limit(200);
  rig.kafka.append(kEvents.topic, {"run-1", std::string(150, 'x'), {}});
  rig.kafka.append(kEvents.topic, {"run-1", std::string(250, 'x'), {}});
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 2; }));
  auto letters = rig.kafka.letters();
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(letters[0].value, std::string(150, 'x'));
  EXPECT_EQ(letters[0].headers["runfold.reason"], "too_large");
  EXPECT_EQ(letters[1].value, std::nullopt);
  EXPECT_EQ(letters[1].headers["runfold.reason"], "too_large");
  EXPECT_EQ(letters[1].headers["runfold.value_omitted"], "250");
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ARecordWhoseKeyOrHeadersAreTooLargeLeavesItsOriginThereAndBlocksNothing) {
  Rig rig;
  rig.kafka.set_letter_limit(200);
  rig.kafka.append(kEvents.topic, {std::string(150, 'k'), "\xff", {{"trace", std::string(100, 't')}}});
  rig.step("run-1", 1, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 2; }));
  auto letters = rig.kafka.letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].key, std::nullopt);
  EXPECT_EQ(letters[0].value, std::nullopt);
  EXPECT_FALSE(letters[0].headers.contains("trace"));
  EXPECT_EQ(letters[0].headers["__connect.errors.offset"], "0");
  EXPECT_EQ(letters[0].headers["runfold.value_omitted"], "1");
  EXPECT_EQ(letters[0].headers["runfold.headers_omitted"], "255");
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ADeadLetterLargerThanTheClientsQueueLeavesItsValueThereAndThoseThatOnlyWaitForRoomKeepTheirs) {
  Rig rig;
  rig.kafka.set_letter_queue(200);
  const std::string half = std::string(150, '\xff');
  for (const std::string& value : {half, half, std::string(250, '\xff'), half}) rig.kafka.append(kEvents.topic, {"run-1", value, {}});
  rig.step("run-1", 1, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 5; }));
  auto letters = rig.kafka.letters();
  ASSERT_EQ(letters.size(), 4U);
  EXPECT_EQ(letters[0].value, half);
  EXPECT_EQ(letters[1].value, half);
  EXPECT_EQ(letters[2].value, std::nullopt);
  EXPECT_EQ(letters[2].key, "run-1");
  EXPECT_EQ(letters[2].headers["runfold.value_omitted"], "250");
  EXPECT_EQ(letters[3].value, half);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, OfARecordWithTooManyHeadersTheDeadLetterKeepsTheRest) {
  Rig rig;
  std::vector<std::pair<std::string, std::string>> headers(1'000, {"h", ""});
  rig.kafka.append(kEvents.topic, {"run-1", "\xff", headers});
  headers.emplace_back("h", "");
  rig.kafka.append(kEvents.topic, {"run-1", "\xff", headers});
  rig.kafka.append(kEvents.topic, {"run-1", "\xff", {{"h", std::string(64 * 1024, 'x')}}});
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  auto letters = rig.kafka.letters();
  ASSERT_EQ(letters.size(), 3U);
  EXPECT_TRUE(letters[0].headers.contains("h"));
  EXPECT_FALSE(letters[0].headers.contains("runfold.headers_omitted"));
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(letters[i].key, "run-1");
    EXPECT_EQ(letters[i].value, "\xff");
    EXPECT_FALSE(letters[i].headers.contains("h"));
    EXPECT_EQ(letters[i].headers["runfold.headers_omitted"], i == 1 ? "1001" : "65537");
  }
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, AFailedCommitIsTriedAgainWithTheSameBatchAndNothingIsLost) {
  Rig rig;
  rig.store.fail_commits(kBusyStore, 3);
  rig.step("run-1", 1, 4);
  rig.step("run-2", 1, 6);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.unready("store") == kBusyStore.message && rig.kafka.paused(); }));
  rig.step("run-1", 2, 10);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  EXPECT_EQ(rig.entities("run-1"), 14);
  EXPECT_EQ(rig.entities("run-2"), 6);
  const auto tried = rig.store.tried();
  ASSERT_GE(tried.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) {
    ASSERT_EQ(tried[i].runs.size(), tried[0].runs.size());
    EXPECT_EQ(tried[i].runs[0].snapshot, tried[0].runs[0].snapshot);
    EXPECT_EQ(tried[i].partitions[0].next_offset, tried[0].partitions[0].next_offset);
  }
  EXPECT_EQ(rig.observer.commits_failed, 3);
  EXPECT_EQ(rig.logged(3, "cannot be committed").size(), 1U) << "said once at once, the next time a second later";
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty() && !rig.kafka.paused(); }));
  EXPECT_EQ(rig.logged(5, "commits succeed again").size(), 1U);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, WhileACommitIsSlowTheNextBatchFoldsAndThenFetchingWaits) {
  Rig rig;
  rig.options.commit_rows = 10;
  rig.store.close_gate();
  constexpr int kRuns = 500;
  for (int i = 0; i < kRuns; ++i) rig.step("run-" + std::to_string(i), 1, 1);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.commits_waiting() == 1; }));
  // The rest needs the writer's thread to load its runs, so it waits; and no second commit begins.
  EXPECT_TRUE(wait_until([&] { return rig.kafka.paused(); })) << "a hold that lasts pauses the partitions";
  EXPECT_EQ(rig.store.commits_tried(), 0);
  rig.store.open_gate();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == kRuns; }));
  EXPECT_EQ(rig.store.run_count(), static_cast<std::size_t>(kRuns));
  for (const Batch& batch : rig.store.tried()) EXPECT_LE(batch.runs.size(), 11U);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, RowsOfManyNewRunsAreLoadedTogether) {
  Rig rig;
  for (int i = 0; i < 300; ++i) rig.step("run-" + std::to_string(i), 1, 1);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 300; }));
  EXPECT_LT(rig.store.loads().size(), 30U);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ARunThatLeftMemoryGoesOnFromItsRow) {
  Rig rig;
  rig.options.runs_in_memory = 1;
  rig.start();
  rig.assign_all();
  std::int64_t records = 0;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      rig.step("run-" + std::to_string(i), round, 1);
      ++records;
      ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == records; }));
    }
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(rig.entities("run-" + std::to_string(i)), 3);
  EXPECT_GT(rig.store.loads().size(), 5U) << "runs did leave memory";
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, RowsThatCannotBeLoadedAreAskedForAgainAndTheOrderStays) {
  Rig rig;
  rig.store.fail_loads(kBusyStore, 2);
  for (std::uint64_t i = 1; i <= 50; ++i) rig.step("run-" + std::to_string(i % 7), i, 1);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 50; }));
  std::int64_t sum = 0;
  for (int i = 0; i < 7; ++i) sum += rig.entities("run-" + std::to_string(i));
  EXPECT_EQ(sum, 50);
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, RevokeCommitsWhatIsFolded) {
  Rig rig;
  rig.options.commit_interval = std::chrono::hours(1);
  rig.step("run-1", 1, 4);
  rig.step("run-1", 2, 6);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return folded_all(rig); }));
  EXPECT_EQ(rig.store.commits_tried(), 0);
  rig.kafka.revoke(false);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.commands_done(); }));
  EXPECT_EQ(rig.store.offset(at(kEvents)), 2);
  EXPECT_EQ(rig.entities("run-1"), 10);
  EXPECT_EQ(rig.store.commits_done(), 1);
  EXPECT_TRUE(rig.observer.lags().empty());
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, PartitionsThatAreLostAreDroppedAndFoldedAgainByTheirNextOwner) {
  Rig rig;
  rig.options.commit_interval = std::chrono::hours(1);
  rig.step("run-1", 1, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return folded_all(rig); }));
  rig.kafka.revoke(true);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.commands_done(); }));
  EXPECT_EQ(rig.store.commits_tried(), 0);
  EXPECT_NE(rig.unready("kafka").find("joining group"), std::string::npos);
  rig.step("run-1", 2, 6);
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return folded_all(rig); }));
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.store.offset(at(kEvents)), 2);
  EXPECT_EQ(rig.entities("run-1"), 10);
}

TEST(Pipeline, ARevokeThatCannotCommitDropsAndTheRecordsAreFoldedAgain) {
  Rig rig;
  rig.store.fail_commits(kBusyStore, 1'000);
  rig.step("run-1", 1, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.observer.commits_failed > 0; }));
  rig.kafka.revoke(false);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.commands_done(); }));
  EXPECT_EQ(rig.logged(4, "not committed before the partitions went").size(), 1U);
  rig.store.heal_commits();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 1; }));
  EXPECT_EQ(rig.entities("run-1"), 4);
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ACollectorThatWasFencedStopsAndSaysWhy) {
  Rig rig;
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  rig.store.take_over(at(kEvents));
  rig.step("run-1", 1, 4);
  ASSERT_TRUE(rig.ended_by_itself());
  EXPECT_FALSE(rig.end());
  EXPECT_EQ(rig.entities("run-1"), -1);
  EXPECT_EQ(rig.logged(2, "another collector has taken over").size(), 1U);
}

TEST(Pipeline, AStoreThatIsBrokenForGoodStopsTheCollector) {
  Rig rig;
  rig.store.fail_commits({StoreErrc::kCorrupt, "the database is damaged"}, 1);
  rig.step("run-1", 1, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(rig.ended_by_itself());
  EXPECT_FALSE(rig.end());
  EXPECT_EQ(rig.logged(2, "the database is damaged").size(), 1U);
}

TEST(Pipeline, StopCommitsWhatIsFoldedAndLeavesTheGroup) {
  Rig rig;
  rig.options.commit_interval = std::chrono::hours(1);
  rig.started("run-1", 1);
  rig.step("run-1", 2, 6);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return folded_all(rig); }));
  EXPECT_EQ(rig.store.commits_tried(), 0);
  EXPECT_TRUE(rig.stop());
  EXPECT_TRUE(rig.kafka.closed());
  EXPECT_EQ(rig.store.offset(at(kEvents)), 2);
  EXPECT_EQ(rig.entities("run-1"), 6);
}

TEST(Pipeline, StopWithABrokenStoreSaysSoAndFails) {
  Rig rig;
  rig.store.fail_commits({StoreErrc::kCorrupt, "the database is damaged"}, 1'000);
  rig.options.commit_interval = std::chrono::hours(1);
  rig.step("run-1", 1, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return folded_all(rig); }));
  EXPECT_FALSE(rig.stop());
  EXPECT_EQ(rig.logged(2, "the database is damaged").size(), 1U);
  EXPECT_EQ(rig.store.offset(at(kEvents)), std::nullopt);
}

TEST(Pipeline, AnUnreachableKafkaIsSaidOnceAtOnceAndReadinessNamesIt) {
  Rig rig;
  rig.start();
  const kafka::Error unreachable{kafka::Errc::kUnreachable, "no Kafka broker answers at 127.0.0.1:9 (connection refused)"};
  for (int i = 0; i < 20; ++i) rig.kafka.trouble(unreachable);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.commands_done(); }));
  EXPECT_EQ(rig.logged(3, "no Kafka broker answers at 127.0.0.1:9").size(), 1U);
  EXPECT_NE(rig.unready("kafka").find("no Kafka broker answers at 127.0.0.1:9"), std::string::npos);
  ASSERT_TRUE(wait_until([&] { return rig.logged(3, "still trying").size() == 1; }))
      << "mentioned again a second later, without being told again";
  rig.kafka.recover();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_EQ(rig.logged(5, "Kafka answers again").size(), 1U);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, AKafkaThatSaysNothingAtAllIsMentionedBeforeAnyErrorComes) {
  Rig rig;
  rig.kafka.black_hole(true);
  rig.start();
  EXPECT_NE(rig.unready("kafka").find("connecting to 127.0.0.1:9"), std::string::npos);
  ASSERT_TRUE(wait_until([&] { return rig.logged(3, "no Kafka broker has answered at 127.0.0.1:9 yet").size() == 1; }));
  EXPECT_NE(rig.unready("kafka").find("no broker has answered yet"), std::string::npos);
  rig.kafka.black_hole(false);
  ASSERT_TRUE(wait_until([&] { return rig.unready("kafka").find("joining group") != std::string::npos; }));
  EXPECT_EQ(rig.logged(5, "Kafka answers at 127.0.0.1:9").size(), 1U);
  rig.assign_all();
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ARefusalIsOverWhenRecordsArriveOrItIsNotToldAgain) {
  Rig rig;
  rig.options.refusal_passes = std::chrono::hours(1);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble({kafka::Errc::kUnauthorised, "one broker refuses this client"});
  ASSERT_TRUE(wait_until([&] { return rig.unready("kafka").find("one broker refuses this client") != std::string::npos; }));
  rig.step("run-1", 1, 4);
  ASSERT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());

  rig.options.refusal_passes = std::chrono::milliseconds(20);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble({kafka::Errc::kNotFound, "no such topic"});
  ASSERT_TRUE(wait_until([&] { return rig.logged(3, "no such topic").size() == 1; }));
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ATopicThatDoesNotExistKeepsItUnreadyUntilItIsThereAgain) {
  Rig rig;
  rig.options.refusal_passes = std::chrono::milliseconds(1);
  rig.kafka.tell_topics({{kEvents.topic, 4}, {kLogs.topic, 4}});
  rig.start();
  rig.assign_all();
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  rig.kafka.trouble({kafka::Errc::kNotFound, "the topic is not there"});
  rig.kafka.tell_topics({{kEvents.topic, 0}, {kLogs.topic, 4}});
  ASSERT_TRUE(wait_until([&] { return rig.unready("kafka").find("topic runfold.events does not exist") != std::string::npos; }));
  // What ends a refusal: the group assigns anew, records arrive, a broker answers again, time passes.
  rig.kafka.revoke(false);
  rig.kafka.assign({kLogs, kOperations});
  rig.kafka.recover();
  rig.kafka.append(kOperations.topic, {"op-1", "\xff", {}});
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kOperations)) == 1; }));
  ASSERT_TRUE(wait_until([&] { return rig.logged(3, "topic runfold.events does not exist").size() >= 2; })) << "said again later";
  EXPECT_NE(rig.unready("kafka").find("topic runfold.events does not exist"), std::string::npos);
  rig.kafka.tell_topics({{kEvents.topic, 4}, {kLogs.topic, 4}});
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, PartitionsThatAreAddedAreSaidByTheNameOfTheirTopic) {
  Rig rig;
  rig.kafka.tell_topics({{kEvents.topic, 4}, {kLogs.topic, 4}});
  rig.start();
  rig.assign_all();
  EXPECT_TRUE(wait_until([&] { return rig.observer.lags().size() == 3; }));
  rig.kafka.tell_topics({{kEvents.topic, 16}, {kLogs.topic, 4}});
  EXPECT_TRUE(wait_until([&] { return !rig.logged(5, "topic runfold.events now has 16 partitions, it had 4").empty(); }));
  EXPECT_TRUE(rig.logged(5, "runfold.logs").empty());
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, ARecordTimeBeyondAllBoundsIsTheLastTimeThereIs) {
  Rig rig;
  v1::LogBatch logs;
  logs.mutable_identity()->set_run_id("run-1");
  logs.mutable_identity()->set_connector_id("connector");
  logs.mutable_identity()->set_source_id("source");
  logs.mutable_identity()->set_attempt(1);
  auto* record = logs.add_records();
  record->set_stream(v1::LOG_STREAM_CONTAINER_API);
  record->mutable_api_call()->set_response_code(404);
  rig.kafka.append(kLogs.topic, {"run-1", logs.SerializeAsString(), {}, std::numeric_limits<std::int64_t>::max()});
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kLogs)) == 1; }));
  const auto tried = rig.store.tried();
  ASSERT_EQ(tried.size(), 1U);
  ASSERT_EQ(tried[0].api_failures.size(), 1U);
  EXPECT_EQ(tried[0].api_failures[0].at_ns, 9'223'372'036'854'000'000);
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, AFatalKafkaErrorStopsTheCollector) {
  Rig rig;
  rig.start();
  rig.kafka.trouble({kafka::Errc::kFenced, "another member uses group.instance.id a"});
  ASSERT_TRUE(rig.ended_by_itself());
  EXPECT_FALSE(rig.end());
  EXPECT_EQ(rig.logged(2, "another member uses group.instance.id a").size(), 1U);
}

TEST(Pipeline, ACollectorWhoseIdAnotherHasTakenNamesTheIdAndSaysWhatToDo) {
  Rig rig;
  rig.options.kafka.set("group.instance.id", "runfold-0a1b").value();
  rig.start();
  rig.kafka.trouble({kafka::Errc::kFenced, "FENCED_INSTANCE_ID"});
  ASSERT_TRUE(rig.ended_by_itself());
  EXPECT_FALSE(rig.end());
  EXPECT_EQ(rig.logged(2, "another collector has joined group runfold-collector as group.instance.id runfold-0a1b").size(), 1U);
  EXPECT_NE(rig.unready("pipeline").find("-X group.instance.id=ANOTHER"), std::string::npos);
}

TEST(Pipeline, EachSinkGetsAnOutboxRowOfWhatItTakesWithAStableKey) {
  Rig rig;
  rig.options.routes = {{"warehouse", {sinks::Kind::kRun, sinks::Kind::kApiFailure}}, {"pager", {sinks::Kind::kApiFailure}}};
  rig.step("run-1", 1, 4);
  v1::LogBatch logs;
  logs.mutable_identity()->set_run_id("run-1");
  logs.mutable_identity()->set_connector_id("connector");
  logs.mutable_identity()->set_source_id("source");
  logs.mutable_identity()->set_attempt(1);
  logs.set_first_sequence(1);
  auto* record = logs.add_records();
  record->set_severity(v1::SEVERITY_ERROR);
  record->set_stream(v1::LOG_STREAM_CONTAINER_API);
  record->mutable_api_call()->set_method("GET");
  record->mutable_api_call()->set_response_code(404);
  rig.kafka.append(kLogs.topic, {"run-1", logs.SerializeAsString(), {}});
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 1 && rig.store.offset(at(kLogs)) == 1; }));
  std::map<std::string, std::vector<OutboxRow>> by_sink;
  for (const OutboxRow& row : rig.store.outbox()) by_sink[row.sink].push_back(row);
  ASSERT_EQ(by_sink["pager"].size(), 1U);
  EXPECT_EQ(by_sink["pager"][0].kind, sinks::Kind::kApiFailure);
  EXPECT_FALSE(by_sink["pager"][0].idempotency_key.empty());
  ASSERT_EQ(by_sink["warehouse"].size(), 2U);
  for (const OutboxRow& row : by_sink["warehouse"]) {
    EXPECT_EQ(row.run_id, "run-1");
    EXPECT_FALSE(row.payload.empty());
    if (row.kind == sinks::Kind::kRun) {
      EXPECT_EQ(row.idempotency_key, "run/run-1/1/1");
    }
  }
  EXPECT_TRUE(wait_until([&] { return rig.outbox_grew > 0; }));
  EXPECT_TRUE(rig.stop());
}

TEST(Pipeline, TheLagOfEachPartitionIsTold) {
  Rig rig;
  rig.store.set_offset(at(kEvents), 0);
  rig.store.close_gate();
  rig.start();
  rig.assign_all();
  EXPECT_TRUE(wait_until([&] { return rig.observer.lags().size() == 3; }));
  rig.store.open_gate();
  EXPECT_TRUE(rig.stop());
  EXPECT_TRUE(rig.observer.lags().empty());
}

}  // namespace
}  // namespace runfold::collector::test

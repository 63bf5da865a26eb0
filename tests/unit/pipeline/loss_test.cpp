// Topics that lose records, or are made anew: nothing is skipped in silence, and what is skipped is in the store.
#include "tests/support/pipeline_rig.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;

const kafka::Error kGone{kafka::Errc::kOutOfRange, "the offset is not there"};

/// There is one loss, of the events topic, and it came in the transaction that skips what was lost.
void expect_one_loss(Rig& rig, std::int64_t from, std::int64_t to, std::optional<std::uint64_t> records, const std::string& reason) {
  const auto losses = rig.store.losses();
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].topic, kEvents.topic);
  EXPECT_EQ(losses[0].partition, 0);
  EXPECT_EQ(losses[0].from_offset, from);
  EXPECT_EQ(losses[0].to_offset, to);
  EXPECT_EQ(losses[0].records, records);
  EXPECT_EQ(losses[0].reason, reason);
  EXPECT_GT(losses[0].at_ns, 0);
  for (const Batch& batch : rig.store.tried()) {
    if (batch.losses.empty()) continue;
    ASSERT_EQ(batch.partitions.size(), 1U);
    EXPECT_EQ(batch.partitions[0].topic, kEvents.topic);
    EXPECT_GE(batch.partitions[0].next_offset, to);
  }
}

/// Two records of run-1 are taken and committed; then the collector stops.
void take_two(Rig& rig) {
  rig.step("run-1", 1, 4);
  rig.step("run-1", 2, 6);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 2; }));
  ASSERT_TRUE(rig.stop());
  ASSERT_TRUE(rig.store.last(at(kEvents)));
}

TEST(Loss, AfterARestartTheLastRecordIsSeenAgainAndNotFoldedAgain) {
  Rig rig;
  take_two(rig);
  rig.step("run-1", 3, 8);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.entities("run-1"), 18);
  EXPECT_EQ(rig.observer.records(kEvents.topic), 3U);
  EXPECT_TRUE(rig.store.losses().empty());
}

TEST(Loss, ATopicMadeAnewAndLongerThanBeforeStopsItsPartitionUntilTheOperatorContinues) {
  Rig rig;
  take_two(rig);
  rig.kafka.make_anew(kEvents);
  for (std::uint64_t i = 1; i <= 5; ++i) rig.step("run-2", i, 1);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.unready("partition").find("another record stands at offset 1") != std::string::npos; }));
  EXPECT_NE(rig.unready("partition").find("--on-data-loss continue"), std::string::npos);
  EXPECT_EQ(rig.logged(2, "partition 0 of runfold.events is stopped").size(), 1U);
  EXPECT_EQ(rig.kafka.left_alone(), std::set{kEvents});
  EXPECT_EQ(rig.observer.stopped, 1U);
  rig.kafka.append(kOperations.topic, {"op-1", "\xff", {}});
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kOperations)) == 1; })) << "the others go on";
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.store.offset(at(kEvents)), 2);
  EXPECT_EQ(rig.entities("run-2"), -1);
  EXPECT_TRUE(rig.store.losses().empty());

  rig.options.continue_on_data_loss = true;
  rig.store.fail_commits(kBusyStore, 2);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 5; }));
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.entities("run-2"), 5);
  EXPECT_EQ(rig.entities("run-1"), 10);
  EXPECT_EQ(rig.observer.stopped, 0U);
  expect_one_loss(rig, 2, 0, std::nullopt, "recreated");

  rig.start();
  rig.assign_all();
  rig.step("run-2", 6, 1);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 6; })) << "the next start knows the new topic";
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.store.losses().size(), 1U);
}

TEST(Loss, ATopicMadeAnewThatEndsWhereTheOldOneWasReadToIsFoundOut) {
  Rig rig;
  take_two(rig);
  rig.kafka.make_anew(kEvents);
  rig.step("run-2", 1, 1);
  rig.start();
  rig.assign_all();
  EXPECT_TRUE(wait_until([&] { return rig.unready("partition").find("the partition ends at offset 1") != std::string::npos; }));
  EXPECT_TRUE(rig.stop());
}

TEST(Loss, AGapThatKafkaSaysNothingOfIsCompactionAndNoLoss) {
  Rig rig;
  take_two(rig);
  for (std::uint64_t i = 3; i <= 6; ++i) rig.step("run-1", i, 1);
  rig.kafka.truncate(kEvents, 4);
  rig.start();
  rig.assign_all();
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 6; }));
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.entities("run-1"), 12);
  EXPECT_TRUE(rig.store.losses().empty());
}

TEST(Loss, RetentionThatTookWhatWasReadAndNothingElseIsNoLoss) {
  Rig rig;
  take_two(rig);
  rig.kafka.truncate(kEvents, 2);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble(kGone, kEvents);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.commands_done(); }));
  rig.step("run-1", 3, 1);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  EXPECT_TRUE(rig.stop());
  EXPECT_TRUE(rig.store.losses().empty());
  EXPECT_EQ(rig.entities("run-1"), 11);
}

TEST(Loss, RetentionThatRanPastThePartitionStopsItUnlessToldOtherwise) {
  Rig rig;
  take_two(rig);
  for (std::uint64_t i = 3; i <= 6; ++i) rig.step("run-1", i, 1);
  rig.kafka.truncate(kEvents, 4);
  rig.start();
  // Before the first record of it comes, as Kafka does.
  rig.kafka.assign({kLogs, kOperations, kEvents});
  rig.kafka.trouble(kGone, kEvents);
  ASSERT_TRUE(wait_until([&] { return rig.unready("partition").find("Kafka deleted up to 2 records of it") != std::string::npos; }));
  EXPECT_NE(rig.unready("partition").find("lengthen the topic's retention"), std::string::npos);
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.store.offset(at(kEvents)), 2);
}

TEST(Loss, SeveralStoppedPartitionsAreEachNamedAndReadinessFollowsThem) {
  Rig rig;
  rig.store.set_offset(at(kEvents), 12);
  rig.store.set_offset(at(kLogs), 7);
  rig.start();
  const auto both_stopped = [&] {
    rig.assign_all();
    rig.kafka.trouble(kGone, kEvents);
    rig.kafka.trouble(kGone, kLogs);
    return wait_until([&] {
      const std::string why = rig.unready("partition");
      return why.find("partition 0 of runfold.events is stopped: ") != std::string::npos &&
             why.find("partition 0 of runfold.logs is stopped: ") != std::string::npos;
    });
  };
  ASSERT_TRUE(both_stopped());
  EXPECT_EQ(rig.observer.stopped, 2U);
  EXPECT_TRUE(wait_until([&] {
    const auto said = rig.logged(2, "partition 0 of runfold.logs is stopped");
    return std::ranges::any_of(said, [](const std::string& line) { return line.find("runfold.events is stopped") != std::string::npos; });
  })) << "both are said again";
  rig.kafka.revoke(false);
  rig.kafka.trouble({kafka::Errc::kUnreachable, "as things go after the revoke"});
  ASSERT_TRUE(wait_until([&] { return !rig.unready("kafka").empty(); }));
  EXPECT_FALSE(rig.unready("partition").empty()) << "nobody has looked into them since";
  EXPECT_TRUE(both_stopped());
  rig.kafka.revoke(false);
  rig.kafka.assign({kOperations});
  EXPECT_TRUE(wait_until([&] { return rig.unready("partition").empty(); })) << "they are another member's now";
  EXPECT_EQ(rig.observer.stopped, 0U);
  EXPECT_TRUE(both_stopped());
  EXPECT_TRUE(rig.stop());
  EXPECT_TRUE(rig.unready("partition").empty());
}

TEST(Loss, APartitionThatEndsBeforeItsOffsetStopsAndTheOthersGoOn) {
  Rig rig;
  rig.store.set_offset(at(kEvents), 12);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble({kafka::Errc::kOutOfRange, "offset 12 is not in runfold.events[0]"}, kEvents);
  ASSERT_TRUE(wait_until([&] { return rig.unready("partition").find("partition 0 of runfold.events is stopped") != std::string::npos; }));
  EXPECT_TRUE(wait_until([&] { return rig.logged(2, "offset 12 is next, and the partition ends at offset 0").size() == 2; }))
      << "said again later";
  rig.kafka.append(kOperations.topic, {"op-1", "\xff", {}});
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kOperations)) == 1; }));
  EXPECT_TRUE(rig.stop());
  EXPECT_EQ(rig.store.offset(at(kEvents)), 12);
}

TEST(Loss, RecordsThatRetentionDeletedAreSaidToBeLostAndThoseBehindThemAreFolded) {
  Rig rig;
  rig.options.continue_on_data_loss = true;
  rig.store.set_offset(at(kEvents), 1);
  for (std::uint64_t i = 1; i <= 5; ++i) rig.step("run-1", i, 1);
  rig.kafka.truncate(kEvents, 3);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble({kafka::Errc::kOutOfRange, "offset 1 is not in runfold.events[0]"}, kEvents);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 5; }));
  EXPECT_EQ(rig.entities("run-1"), 2);
  EXPECT_EQ(rig.logged(2, "Kafka deleted up to 2 records of it before they were read").size(), 1U);
  EXPECT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  EXPECT_TRUE(rig.stop());
  expect_one_loss(rig, 1, 3, 2, "retention");
  EXPECT_EQ(rig.observer.lost(kEvents.topic), 2U);
}

TEST(Loss, APartitionThatRetentionEmptiedGoesOnAtItsEnd) {
  Rig rig;
  rig.options.continue_on_data_loss = true;
  rig.store.set_offset(at(kEvents), 1);
  for (std::uint64_t i = 1; i <= 3; ++i) rig.step("run-1", i, 1);
  rig.kafka.truncate(kEvents, 3);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble({kafka::Errc::kOutOfRange, "offset 1 is not in runfold.events[0]"}, kEvents);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 3; }));
  EXPECT_EQ(rig.logged(2, "up to 2 records").size(), 1U);
  EXPECT_TRUE(rig.stop());
  expect_one_loss(rig, 1, 3, 2, "retention");
}

TEST(Loss, OutOfRangeWithNothingInTheStoreOrBeforeTheClaimStopsNothing) {
  Rig rig;
  rig.store.set_offset(at(kLogs), 5);
  rig.store.fail_claims(kBusyStore, 1);
  rig.start();
  rig.assign_all();
  rig.kafka.trouble({kafka::Errc::kOutOfRange, "offset 5 is not in runfold.logs[0]"}, kLogs);
  ASSERT_TRUE(wait_until([&] { return rig.health.reasons().empty(); }));
  rig.kafka.trouble({kafka::Errc::kOutOfRange, "offset 0 is not in runfold.events[0]"}, kEvents);
  ASSERT_TRUE(wait_until([&] { return rig.kafka.commands_done(); }));
  rig.step("run-1", 1, 4);
  ASSERT_TRUE(wait_until([&] { return rig.store.offset(at(kEvents)) == 1; }));
  EXPECT_TRUE(rig.health.reasons().empty());
  EXPECT_TRUE(rig.stop());
}

}  // namespace
}  // namespace runfold::collector::test

// The consumer against the embedded broker: start offsets, pause, seek, rebalance, close, and nothing lost or repeated.
#include "tests/support/kafka_member.hpp"
#include "tests/support/late_broker.hpp"
#include "tests/support/unanswered_address.hpp"

#include <gmock/gmock.h>

#include <set>
#include <thread>

namespace runfold::kafka::test {
namespace {

using runfold::test::UnansweredAddress;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TopicPartition kFirst{"letters", 0};
const TopicPartition kSecond{"letters", 1};

TEST(Consumer, ReadsEveryRecordOnceFromTheOldest) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kFirst, 500);
  write_records(broker->bootstrap_servers(), kSecond, 300);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 800; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(0, 500));
  EXPECT_EQ(member.offsets_of(kSecond), offsets_from(0, 300));
  EXPECT_EQ(member.received.front().value, "0");
  EXPECT_EQ(member.consumer->assignment().size(), 2U);
  EXPECT_EQ(member.assignments, 1);
}

TEST(Consumer, StartsWhereItsOwnerSaysAndNotWhereTheGroupCommitted) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kFirst, 100);
  write_records(broker->bootstrap_servers(), kSecond, 100);
  {
    Member before(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
    ASSERT_TRUE(before.run_until([&] { return before.received.size() >= 200; }));
    const std::vector<StartOffset> reached = {{kFirst, 100}, {kSecond, 90}};
    before.consumer->commit_for_lag_tools(reached);
    before.consumer->close(std::chrono::seconds(10));
    EXPECT_THAT(before.errors, IsEmpty());
  }
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  member.start_at[kFirst] = 40;  // the other is left open: from the oldest, though the group has committed 90
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 160; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(40, 60));
  EXPECT_EQ(member.offsets_of(kSecond), offsets_from(0, 100));
}

TEST(Consumer, GivesNothingWhilePausedAndAllAfterwards) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 2000);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  for (std::size_t stop = 200; stop < 2000; stop += 200) {
    ASSERT_TRUE(member.run_until([&] { return member.received.size() >= stop; }));
    member.consumer->pause();
    ASSERT_EQ(member.received.size(), stop);
    for (int turn = 0; turn < 5; ++turn) member.turn();
    EXPECT_EQ(member.received.size(), stop) << "a record came while paused";
    member.consumer->resume();
  }
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 2000; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(0, 2000));
  EXPECT_EQ(member.assignments, 1) << "the member stayed in the group";
}

TEST(Consumer, PartitionsAssignedWhilePausedArePausedToo) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 10);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  member.consumer->pause();
  ASSERT_TRUE(member.run_until([&] { return member.assignments == 1; }));
  for (int turn = 0; turn < 10; ++turn) member.turn();
  EXPECT_THAT(member.received, IsEmpty());
  member.consumer->resume();
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 10; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(0, 10));
}

TEST(Consumer, WhatWasTakenAwayPausedAndResumedMeanwhileIsReadWhenItComesBack) {
  const auto broker = start_broker("letters", 1);
  Member first(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(first.run_until([&] { return first.assignments == 1; }));
  first.consumer->pause();
  Member second(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(second.run_until([&] {
    first.poll_one();
    return !first.revoked.empty();
  }));
  ASSERT_EQ(first.assignments, 1);
  first.consumer->resume();  // it has nothing just now

  ASSERT_TRUE(second.run_until([&] {
    first.turn();
    return first.assignments + second.assignments >= 3;
  }));
  second.consumer->close(kPatience);
  write_records(broker->bootstrap_servers(), kFirst, 10);
  ASSERT_TRUE(first.run_until([&] { return first.received.size() >= 10; }, std::chrono::seconds(20)))
      << first.assignments << " assignments";
  EXPECT_EQ(first.offsets_of(kFirst), offsets_from(0, 10));
}

TEST(Consumer, SeeksToTheOffsetAndLosesAndRepeatsNothingAfterIt) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 3000);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 100; }));
  for (const std::int64_t target : {10, 1500, 3, 2999, 0, 700}) {
    member.received.clear();
    const StartOffset there{kFirst, target};
    const auto moved = member.consumer->seek({&there, 1});
    ASSERT_TRUE(moved) << moved.error().message;
    const auto expected = std::min<std::size_t>(150, static_cast<std::size_t>(3000 - target));
    ASSERT_TRUE(member.run_until([&] { return member.received.size() >= expected; })) << "after a seek to " << target;
    EXPECT_EQ(member.offsets_of(kFirst), offsets_from(target, expected));
  }
}

TEST(Consumer, CanSeekWhilePaused) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 1000);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 500; }));
  member.consumer->pause();
  const StartOffset back{kFirst, 100};
  ASSERT_TRUE(member.consumer->seek({&back, 1}).has_value());
  member.received.clear();
  for (int turn = 0; turn < 5; ++turn) member.turn();
  EXPECT_THAT(member.received, IsEmpty());
  member.consumer->resume();
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 900; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(100, 900));
}

TEST(Consumer, ASeekInAPartitionOfOthersIsAnError) {
  const auto broker = start_broker("letters", 1);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.assignments == 1; }));
  const StartOffset there{{"letters", 7}, 0};
  const auto moved = member.consumer->seek({&there, 1});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Errc::kNotFound);
  EXPECT_THAT(moved.error().message, HasSubstr("letters[7]"));
}

TEST(Consumer, TwoMembersShareThePartitionsAndTheSecondLeavesItsOwnBehind) {
  const auto broker = start_broker("letters", 4);
  for (std::int32_t p = 0; p < 4; ++p) write_records(broker->bootstrap_servers(), {"letters", p}, 50);
  Member first(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(first.run_until([&] { return first.received.size() >= 200; }));
  Member second(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  const auto shared = [&] {
    second.turn();
    return first.consumer->assignment().size() == 2 && second.consumer->assignment().size() == 2;
  };
  ASSERT_TRUE(first.run_until(shared));
  ASSERT_FALSE(first.revoked.empty());
  EXPECT_EQ(first.revoked.front().size(), 4U) << "eager: all are given back first";
  std::set<TopicPartition> all;
  for (const auto& at : first.consumer->assignment()) all.insert(at);
  for (const auto& at : second.consumer->assignment()) all.insert(at);
  EXPECT_EQ(all.size(), 4U);

  second.consumer->close(std::chrono::seconds(10));
  ASSERT_FALSE(second.revoked.empty());
  EXPECT_EQ(second.revoked.back().size(), 2U);
  EXPECT_THAT(second.consumer->assignment(), IsEmpty());
  EXPECT_FALSE(second.consumer->poll());
  EXPECT_TRUE(first.run_until([&] { return first.consumer->assignment().size() == 4; })) << "the first has all again";
}

TEST(Consumer, WakesForARecordWrittenWhileIdle) {
  const auto broker = start_broker("letters", 1);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.assignments == 1; }));
  write_records(broker->bootstrap_servers(), kFirst, 1);
  bool woken = false;
  boost::asio::co_spawn(member.io, member.consumer->wait(std::chrono::hours(1)), [&](const std::exception_ptr&) { woken = true; });
  member.io.restart();
  member.io.run_for(kPatience);
  EXPECT_TRUE(woken) << "an hour's wait did not end with a record there";
  EXPECT_TRUE(member.run_until([&] { return member.received.size() == 1; }));
}

TEST(Consumer, AWaitEndsAtOnceWhenSomethingIsLeftInTheQueue) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 1000);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.received.size() == 1; }));
  // A budget of one record a turn: were any wait to sleep on a queue that is not empty, this would take hours.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (member.received.size() < 1000) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    member.io.restart();
    boost::asio::co_spawn(member.io, member.consumer->wait(std::chrono::hours(1)), boost::asio::detached);
    member.io.run_for(kPatience);
    member.poll_one();
  }
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(0, 1000));
}

TEST(Consumer, AWaitCanBeCancelled) {
  const auto broker = start_broker("letters", 1);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  boost::asio::cancellation_signal stop;
  bool ended = false;
  boost::asio::co_spawn(member.io, member.consumer->wait(std::chrono::hours(1)),
                        boost::asio::bind_cancellation_slot(stop.slot(), [&](const std::exception_ptr&) { ended = true; }));
  member.io.poll();
  stop.emit(boost::asio::cancellation_type::terminal);
  member.io.restart();
  member.io.run_for(kPatience);
  EXPECT_TRUE(ended);
}

TEST(Consumer, KnowsTheWatermarksOfItsPartitions) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kFirst, 25);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  EXPECT_FALSE(member.consumer->watermarks(kFirst));
  const auto known = [&](const TopicPartition& of, std::int64_t high) {
    const auto marks = member.consumer->watermarks(of);
    return marks && marks->high == high;
  };
  EXPECT_TRUE(member.run_until([&] { return known(kFirst, 25) && known(kSecond, 0); }));
  EXPECT_FALSE(member.consumer->watermarks({"letters", 9}));
}

TEST(Consumer, AnOffsetThatIsNotThereIsToldAndTheOldestFollows) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kFirst, 20);
  write_records(broker->bootstrap_servers(), kSecond, 20);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  member.start_at[kFirst] = 1000;
  member.start_at[kSecond] = 5;
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 35; }));
  ASSERT_EQ(member.errors.size(), 1U);
  EXPECT_EQ(member.errors[0].code, Errc::kOutOfRange);
  EXPECT_EQ(member.error_at[0], kFirst);
  EXPECT_THAT(member.errors[0].message, HasSubstr("offset 1000 is not in letters[0]"));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(0, 20));
  EXPECT_EQ(member.offsets_of(kSecond), offsets_from(5, 15)) << "the other partition is untouched";
}

TEST(Consumer, AnOffsetThatIsGoneIsFollowedByTheOldestThoughNewPartitionsStartAtTheirEnds) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kFirst, 20);
  write_records(broker->bootstrap_servers(), kSecond, 20);
  Properties properties = embedded_properties();
  ASSERT_TRUE(properties.set("auto.offset.reset", "latest").has_value());
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, properties);
  member.start_at[kFirst] = 1000;
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 20; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(0, 20));
  EXPECT_THAT(member.offsets_of(kSecond), IsEmpty());
  ASSERT_EQ(member.errors.size(), 1U);
  EXPECT_THAT(member.errors[0].message, HasSubstr("going on with the oldest record there is"));
}

TEST(Consumer, TellsThatAPartitionWasReadToItsEnd) {
  const auto broker = start_broker("letters", 2);
  write_records(broker->bootstrap_servers(), kFirst, 20);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  const std::map<TopicPartition, std::int64_t> ends{{kFirst, 20}, {kSecond, 0}};
  ASSERT_TRUE(member.run_until([&] { return member.read_up_to == ends; }));
  EXPECT_EQ(member.received.size(), 20U) << "never before the records were given";
}

TEST(Consumer, KnowsHowManyPartitionsItsTopicHas) {
  const auto broker = start_broker("letters", 3);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return !member.consumer->topics().empty(); }));
  EXPECT_EQ(member.consumer->topics()[0].name, "letters");
  EXPECT_EQ(member.consumer->topics()[0].partitions, 3);
}

TEST(Consumer, TheOwnerCanSeekInsteadWhenAnOffsetIsNotThere) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 20);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  member.start_at[kFirst] = 1000;
  member.on_error = [&](const Error& error, const std::optional<TopicPartition>& at) {
    if (error.code != Errc::kOutOfRange) return;
    const StartOffset to{*at, 15};
    EXPECT_TRUE(member.consumer->seek({&to, 1}).has_value());
  };
  ASSERT_TRUE(member.run_until([&] { return member.received.size() >= 5; }));
  EXPECT_EQ(member.offsets_of(kFirst), offsets_from(15, 5));
}

TEST(Consumer, SaysWhichAddressDoesNotAnswerAndClosesInTime) {
  const UnansweredAddress nobody(UnansweredAddress::Kind::kRefuses);
  Member member(nobody.text(), "readers", {"letters"});
  ASSERT_TRUE(member.run_until([&] { return !member.errors.empty(); }));
  EXPECT_EQ(member.errors[0].code, Errc::kUnreachable);
  EXPECT_EQ(member.errors[0].message, "no Kafka broker answers at " + nobody.text() + " (connection refused)");
  EXPECT_EQ(member.recoveries, 0);
  member.consumer->close(std::chrono::milliseconds(500));
}

TEST(Consumer, SaysOnceThatABrokerAnswersAgainAndReadsOn) {
  const auto broker = start_broker("letters", 1);
  write_records(broker->bootstrap_servers(), kFirst, 10);
  runfold::test::LateBroker late;
  Member member(late.text(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return !member.errors.empty(); }));
  EXPECT_EQ(member.recoveries, 0);
  const std::string servers = broker->bootstrap_servers();
  late.answer_as(static_cast<unsigned short>(std::stoi(servers.substr(servers.rfind(':') + 1))));
  ASSERT_TRUE(member.run_until([&] { return member.recoveries == 1; }));
  ASSERT_TRUE(member.run_until([&] { return member.received.size() == 10; }));
  EXPECT_EQ(member.recoveries, 1);
}

TEST(Consumer, ClosesInTimeWhenItsBrokerHasGone) {
  auto broker = start_broker("letters", 1);
  Member member(broker->bootstrap_servers(), "readers", {"letters"}, embedded_properties());
  ASSERT_TRUE(member.run_until([&] { return member.assignments == 1; }));
  broker.reset();
  ASSERT_TRUE(member.run_until([&] { return !member.errors.empty(); }));
  EXPECT_EQ(member.errors[0].code, Errc::kUnreachable);
  member.consumer->close(std::chrono::seconds(1));
  ASSERT_FALSE(member.revoked.empty());
  EXPECT_EQ(member.revoked.back().size(), 1U) << "its owner is told that the partition is gone";
}

TEST(Consumer, WithoutAGroupTopicsOrAddressIsNotMade) {
  boost::asio::io_context io;
  Properties properties;
  EXPECT_EQ(Consumer::create(io.get_executor(), properties, "readers", {"letters"}, {}).error().code, Errc::kInvalid);
  ASSERT_TRUE(properties.set("bootstrap.servers", "127.0.0.1:1").has_value());
  EXPECT_EQ(Consumer::create(io.get_executor(), properties, "", {"letters"}, {}).error().code, Errc::kInvalid);
  EXPECT_EQ(Consumer::create(io.get_executor(), properties, "readers", {}, {}).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace runfold::kafka::test

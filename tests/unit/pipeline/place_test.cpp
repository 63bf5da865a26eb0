// How a partition in doubt is judged, by records and by watermarks; and what is remembered of a record.
#include "collector/pipeline_place.hpp"

#include <gtest/gtest.h>

#include <set>

namespace runfold::collector {
namespace {

kafka::InRecord record(std::int64_t offset, std::string_view key = "key", std::string_view value = "value", std::int64_t at_ms = 1'000) {
  kafka::InRecord made;
  made.topic = "runfold.events";
  made.offset = offset;
  made.timestamp_ms = at_ms;
  made.key = key;
  made.value = value;
  return made;
}

/// Its last record had offset 9.
Partition in_doubt(bool out_of_range = false) {
  Partition partition;
  partition.at = {"runfold.events", 0};
  partition.state = Partition::State::kReading;
  partition.next_offset = 10;
  partition.last = last_record(record(9));
  partition.doubt = Doubt{{}, out_of_range};
  return partition;
}

using Kind = Place::Kind;
using Reason = Loss::Reason;

TEST(Place, TheSameRecordAtTheSameOffsetConfirmsIt) {
  EXPECT_EQ(judge(in_doubt(), record(9)).kind, Kind::kConfirmed);
  EXPECT_EQ(judge(in_doubt(true), record(9)).kind, Kind::kConfirmed);
}

TEST(Place, AnotherRecordThereIsAnotherTopic) {
  for (const auto& other : {record(9, "key", "other"), record(9, "other"), record(9, "key", "value", 1'001)}) {
    const Place place = judge(in_doubt(), other);
    ASSERT_EQ(place.kind, Kind::kLost);
    EXPECT_EQ(place.loss->reason, Reason::kRecreated);
    EXPECT_FALSE(place.loss->to_offset);
    EXPECT_NE(place.loss->evidence.find("offset 9"), std::string::npos);
  }
}

TEST(Place, AnOlderRecordIsAnotherTopic) {
  EXPECT_EQ(judge(in_doubt(true), record(0)).loss->reason, Reason::kRecreated);
}

TEST(Place, AGapIsALossOnlyWhenKafkaSaidThatTheOffsetIsGone) {
  EXPECT_EQ(judge(in_doubt(), record(10)).kind, Kind::kConfirmed);
  EXPECT_EQ(judge(in_doubt(), record(15)).kind, Kind::kConfirmed);
  EXPECT_EQ(judge(in_doubt(true), record(10)).kind, Kind::kConfirmed) << "only what was read is gone";
  const Place place = judge(in_doubt(true), record(15));
  ASSERT_EQ(place.kind, Kind::kLost);
  EXPECT_EQ(place.loss->reason, Reason::kRetention);
  EXPECT_EQ(place.loss->to_offset, 15);
}

TEST(Place, OfATopicMadeAnewOnlyTheBeginningIsOpen) {
  Partition partition = in_doubt();
  partition.doubt->recreated = "what showed it";
  EXPECT_EQ(judge(partition, record(3)).kind, Kind::kUnknown);
  const Place place = judge(partition, kafka::Watermarks{2, 50});
  EXPECT_EQ(place.loss->reason, Reason::kRecreated);
  EXPECT_EQ(place.loss->to_offset, 2);
  EXPECT_EQ(place.loss->evidence, "what showed it");
}

TEST(Place, WatermarksTellOfAnEndBeforeItAndOfABeginningBehindIt) {
  EXPECT_EQ(judge(in_doubt(), kafka::Watermarks{0, 9}).loss->reason, Reason::kRecreated);
  EXPECT_EQ(judge(in_doubt(), kafka::Watermarks{0, 10}).kind, Kind::kUnknown) << "its last record is still to come";
  EXPECT_EQ(judge(in_doubt(), kafka::Watermarks{12, 20}).kind, Kind::kUnknown) << "Kafka has not said yet that the offset is gone";
  EXPECT_EQ(judge(in_doubt(true), kafka::Watermarks{12, 20}).loss->to_offset, 12);
  EXPECT_EQ(judge(in_doubt(true), kafka::Watermarks{10, 10}).kind, Kind::kThereAgain);
  EXPECT_EQ(judge(in_doubt(true), kafka::Watermarks{0, 20}).kind, Kind::kThereAgain);
}

TEST(Place, WithoutAKnownLastRecordAnythingOlderIsAnotherTopic) {
  Partition partition = in_doubt(true);
  partition.last.reset();
  EXPECT_EQ(judge(partition, record(9)).loss->reason, Reason::kRecreated);
  EXPECT_EQ(judge(partition, record(10)).kind, Kind::kConfirmed);
}

TEST(Place, ReadingBeginsOneRecordEarlierWhileThatOneIsToBeSeenAgain) {
  Partition partition = in_doubt();
  EXPECT_EQ(Partitions::start_of(partition), 9);
  partition.doubt.reset();
  EXPECT_EQ(Partitions::start_of(partition), 10);
  partition.doubt = Doubt{};
  partition.last.reset();
  EXPECT_EQ(Partitions::start_of(partition), 10);
  EXPECT_EQ(Partitions::start_of(Partition{}), std::nullopt);
}

TEST(LastRecord, IsTheSameOnEveryMachine) {
  EXPECT_EQ(last_record(record(9)).timestamp_ms, 1'000);
  EXPECT_EQ(last_record(record(9, "key", "value")).hash, 16043930174787108244U);
  EXPECT_EQ(last_record(record(9, "a key that is long enough", std::string(200, 'x'))).hash, 11764484852478109582U);
}

TEST(LastRecord, SizesEndsAndAbsenceMakeADifference) {
  const std::string value(100, 'x');
  std::string other_end = value;
  other_end.back() = 'y';
  std::string other_start = value;
  other_start.front() = 'y';
  const std::string longer = value + "x";
  kafka::InRecord without_value = record(0, "k");
  without_value.value.reset();
  kafka::InRecord without_key = record(0, "", "k");
  without_key.key.reset();
  std::set<std::uint64_t> hashes;
  for (const auto& one : {record(0, "k", value), record(0, "k", other_end), record(0, "k", other_start), record(0, "k", longer),
                          record(0, "k", ""), record(0, "", "k"), without_value, without_key, record(0, "kk", ""), record(0, "k", "k")}) {
    hashes.insert(last_record(one).hash);
  }
  EXPECT_EQ(hashes.size(), 10U);
}

}  // namespace
}  // namespace runfold::collector

// A producer with a disk behind it: parked in order, taken over, bounded, and nothing lost whatever Kafka does.
#include "tests/support/delivery_rig.hpp"
#include "tests/support/small_files.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wait_until.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace runfold::delivery::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Spooled : public ::testing::Test {
 protected:
  SpoolSettings settings(std::string name, std::uint64_t limit_bytes = 64 * 1024 * 1024) {
    return {.folder = spool_, .limit_bytes = limit_bytes, .name = std::move(name), .on_trouble = [this](const std::string& what) {
              said_.push_back(what);
            }};
  }
  /// Memory for few parcels.
  std::unique_ptr<Rig> rig(std::string name, std::uint64_t limit_bytes = 64 * 1024 * 1024) {
    return std::make_unique<Rig>(Rig::Sizes{.ring = 64 * 1024, .in_flight = 16 * 1024}, settings(std::move(name), limit_bytes));
  }
  static void end(Rig& rig) {
    rig.dispatcher.shut();
    rig.dispatcher.abandon(rig.now);
    rig.expect_account();
    EXPECT_EQ(rig.report().pending, 0U);
  }
  static std::vector<std::uint64_t> progress_of(Rig& rig, const std::string& run_id) {
    std::vector<std::uint64_t> out;
    for (const auto& record : rig.taken_from("runfold.events")) {
      const auto event = read_event(record);
      if (record.key == run_id && event.has_progress()) out.push_back(event.progress().done());
    }
    return out;
  }
  static std::vector<std::uint64_t> up_to(std::uint64_t count) {
    std::vector<std::uint64_t> out;
    for (std::uint64_t i = 0; i < count; ++i) out.push_back(i);
    return out;
  }
  static void emit(Rig& rig, RunAccount& run, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) {
      rig.event(run, progress(i));
      rig.step();
    }
  }
  /// Kafka answers for all from now on; the clock stands until all that was handed over is settled.
  static void answer(Rig& rig) {
    rig.cluster.acknowledge_by_itself(true);
    rig.cluster.settle_all();
    for (int i = 0; i < 1000 && rig.report().pending > 0; ++i) rig.step();
  }
  /// The folder of a dead producer, with events of a run of its name in it.
  void leave(const std::string& name, std::uint64_t events) {
    auto dead = rig(name);
    dead->cluster.acknowledge_by_itself(false);
    RunAccount& run = dead->open(name);
    emit(*dead, run, 0, events);
    end(*dead);
  }
  bool spool_is_empty() const { return !fs::exists(spool_) || fs::is_empty(spool_); }

  runfold::test::TemporaryFolder folder_;
  const fs::path spool_ = folder_.path() / "spool";
  std::vector<std::string> said_;
};

TEST_F(Spooled, NothingStaysOnDiskOnceKafkaHasAll) {
  {
    auto rig = this->rig("a");
    RunAccount& run = rig->open("r");
    for (std::uint64_t i = 0; i < 100; ++i) rig->event(run, progress(i));
    rig->finish(run);
    for (int i = 0; i < 100 && !rig->dispatcher.settled(); ++i) rig->step();
    EXPECT_EQ(rig->report().acknowledged, 101U);
    EXPECT_TRUE(rig->dispatcher.settled());
    EXPECT_FALSE(spool_is_empty());
    end(*rig);
    EXPECT_EQ(rig->report().kept, 0U);
  }
  EXPECT_TRUE(spool_is_empty());
  EXPECT_TRUE(said_.empty());
}

TEST_F(Spooled, MoreThanMemoryHoldsWaitsOnDiskAndIsSentInItsOrder) {
  constexpr std::uint64_t kEvents = 5000;
  auto rig = this->rig("a");
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& run = rig->open("r");
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    EXPECT_TRUE(rig->event(run, progress(i)));
    rig->step();
    EXPECT_LE(rig->outbox.bytes(), 17U * 1024U);
  }
  EXPECT_EQ(rig->report().pending, kEvents);
  EXPECT_GT(rig->report().spool_bytes, kEvents * 100);
  EXPECT_LT(rig->cluster.taken().size(), 100U);
  answer(*rig);
  EXPECT_EQ(rig->report().acknowledged, kEvents);
  EXPECT_EQ(progress_of(*rig, "r"), up_to(kEvents));
  rig->expect_account();
}

TEST_F(Spooled, RunsThatEndedAreForgottenWhileTheirRecordsLieOnDisk) {
  auto rig = this->rig("a");
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& first = rig->open("first");  // fills the memory
  for (std::uint64_t i = 0; i < 200; ++i) rig->event(first, progress(i));
  rig->step();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    RunAccount& run = rig->open("run " + std::to_string(i));
    rig->event(run, progress(i));
    rig->finish(run);
    rig->dispatcher.release(run);
    rig->step();
  }
  EXPECT_EQ(rig->dispatcher.runs(), 1U);
  answer(*rig);
  EXPECT_EQ(rig->report().acknowledged, 2200U);
  EXPECT_EQ(progress_of(*rig, "run 999"), (std::vector<std::uint64_t>{999}));
  const auto last = rig->taken_from("runfold.events").back();
  EXPECT_EQ(last.headers.at("ce_id"), "run 999/2/source/runfold.events/2");
  EXPECT_EQ(last.headers.at("ce_source"), "my%20connector");
}

TEST_F(Spooled, WhatOneProducerLeavesTheNextSendsWithItsNumbersAndHeaders) {
  constexpr std::uint64_t kEvents = 3000;
  std::vector<runfold::test::FakeKafka::Record> first_sendings;
  {
    auto dead = rig("dead");
    dead->cluster.acknowledge_by_itself(false);
    RunAccount& run = dead->open("r");
    for (std::uint64_t i = 0; i < kEvents; ++i) {
      dead->event(run, progress(i));
      dead->log(run, "line " + std::to_string(i));
      dead->step();
    }
    dead->finish(run);
    end(*dead);
    EXPECT_EQ(dead->report().kept, 2 * kEvents + 1);
    EXPECT_EQ(dead->report().dropped_records(), 0U);
    first_sendings = dead->cluster.taken();
  }
  auto next = rig("next");
  RunAccount& own = next->open("own");
  next->step();
  EXPECT_TRUE(next->cluster.taken().empty());  // not before Kafka has shown that it is there
  next->event(own, progress(0));
  next->step();
  for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  EXPECT_EQ(next->report().taken_over, 2 * kEvents + 1);
  EXPECT_EQ(next->report().emitted, 1U);
  EXPECT_EQ(progress_of(*next, "r"), up_to(kEvents));
  std::uint64_t logs = 0;
  for (const auto& record : next->taken_from("runfold.logs")) {
    const auto batch = read_batch(record);
    EXPECT_EQ(batch.first_sequence(), logs + 1);
    for (const auto& log : batch.records()) EXPECT_EQ(log.message(), "line " + std::to_string(logs++));
  }
  EXPECT_EQ(logs, kEvents);
  ASSERT_FALSE(first_sendings.empty());
  const auto again = next->taken_from("runfold.events")[1];
  EXPECT_EQ(again.headers, first_sendings[0].headers);
  EXPECT_EQ(again.value, first_sendings[0].value);
  EXPECT_EQ(again.timestamp_ms, first_sendings[0].timestamp_ms);
  end(*next);
  next.reset();
  EXPECT_TRUE(spool_is_empty());
}

TEST_F(Spooled, AProducerThatLivesIsNotTakenOver) {
  auto living = rig("living");
  living->cluster.acknowledge_by_itself(false);
  RunAccount& theirs = living->open("theirs");
  living->event(theirs, progress(0));
  living->step();
  auto other = rig("other");
  RunAccount& own = other->open("own");
  other->event(own, progress(0));
  other->step();
  other->step(2min);
  EXPECT_TRUE(other->dispatcher.settled());
  EXPECT_EQ(other->report().taken_over, 0U);
  living->cluster.settle_all();
  living->step();
  EXPECT_EQ(living->report().acknowledged, 1U);
}

TEST_F(Spooled, ManyDeadProducersAreTakenOver) {
  for (int i = 0; i < 200; ++i) {
    auto dead = rig("dead " + std::to_string(i));
    dead->cluster.acknowledge_by_itself(false);
    dead->event(dead->open("run " + std::to_string(i)), progress(0));
    dead->step();
    end(*dead);
  }
  auto next = rig("next");
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  next->step();
  EXPECT_EQ(next->report().taken_over, 200U);
  end(*next);
  next.reset();
  EXPECT_TRUE(spool_is_empty());
}

TEST_F(Spooled, WhatATakeoverDoesNotGetDoneStaysForTheNextOne) {
  {
    auto dead = rig("dead");
    dead->cluster.acknowledge_by_itself(false);
    RunAccount& run = dead->open("r");
    for (std::uint64_t i = 0; i < 300; ++i) dead->event(run, progress(i));
    dead->step();
    end(*dead);
  }
  for (std::uint64_t turn = 1; turn <= 3; ++turn) {
    auto next = rig("next");
    next->cluster.acknowledge_by_itself(false);
    next->event(next->open("own"), progress(0));
    next->step();
    next->cluster.settle_one();
    next->step();
    for (int i = 0; i < 10; ++i) next->cluster.settle_one();
    next->step();
    EXPECT_EQ(next->report().taken_over, 10U);
    EXPECT_EQ(progress_of(*next, "r").front(), (turn - 1) * 10);
    end(*next);
    EXPECT_EQ(next->report().kept, 0U);
  }
}

TEST_F(Spooled, AFolderThatCannotBeReadKeepsNoOtherFromBeingTakenOver) {
  for (const auto* name : {"a", "b", "c"}) leave(name, 2000);
  const auto file = [this](const char* name) { return spool_ / name / "0000000001.spool"; };
  const fs::path elsewhere = folder_.path() / "elsewhere";
  for (const auto* name : {"producer-a", "producer-b"}) {
    fs::rename(file(name), elsewhere.string() + name);
    fs::create_symlink(elsewhere.string() + name, file(name));
  }
  auto next = rig("next");
  next->event(next->open("own"), progress(0));
  const auto settle = [&] {
    for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  };
  settle();
  EXPECT_TRUE(next->dispatcher.settled());
  EXPECT_EQ(progress_of(*next, "c"), up_to(2000));
  ASSERT_EQ(said_.size(), 2U);
  EXPECT_THAT(said_[0], HasSubstr("producer-a of an earlier producer cannot be read"));
  for (int i = 0; i < 5; ++i) next->step(1min);
  EXPECT_EQ(said_.size(), 2U);
  fs::rename(elsewhere.string() + "producer-a", file("producer-a"));
  next->step(6min);
  settle();
  EXPECT_EQ(progress_of(*next, "a"), up_to(2000));
  EXPECT_EQ(next->report().taken_over, 4000U);
  EXPECT_FALSE(fs::exists(spool_ / "producer-a"));
  EXPECT_TRUE(fs::exists(spool_ / "producer-b"));
  end(*next);
}

TEST_F(Spooled, ATakeoverThatComesToAnUnreadableFileSettlesWhatItHasSent) {
  {
    auto dead = rig("dead", 1024 * 1024);  // in files of 64 KiB
    dead->cluster.acknowledge_by_itself(false);
    RunAccount& run = dead->open("r");
    for (std::uint64_t i = 0; i < 2000; ++i) {
      dead->event(run, progress(i));
      dead->step();
    }
    end(*dead);
  }
  const fs::path second = spool_ / "producer-dead" / "0000000002.spool";
  const fs::path elsewhere = folder_.path() / "elsewhere";
  fs::rename(second, elsewhere);
  fs::create_symlink(elsewhere, second);
  auto next = rig("next");
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  const auto before = next->report().taken_over;
  EXPECT_GT(before, 0U);
  EXPECT_LT(before, 2000U);
  ASSERT_EQ(said_.size(), 1U);
  fs::rename(elsewhere, second);
  end(*next);
  next = rig("last");
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  EXPECT_EQ(next->report().taken_over, 2000U - before);
  EXPECT_EQ(progress_of(*next, "r").back(), 1999U);
}

TEST_F(Spooled, WhatKafkaRefusesOfADeadProducersRecordsIsCounted) {
  leave("dead", 300);
  auto next = rig("next");
  int turn = 0;
  next->cluster.judge_by([&turn](const runfold::test::FakeKafka::Record& record) -> std::optional<kafka::Error> {
    if (record.key == "dead" && ++turn % 3 == 0) return runfold::test::trouble(kafka::Errc::kTooLarge, "too large");
    return std::nullopt;
  });
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  EXPECT_EQ(next->report().taken_over, 200U);
  EXPECT_EQ(next->report().inherited_lost, 100U);
  EXPECT_EQ(next->report().dropped_records(), 0U);
  EXPECT_EQ(next->troubles.size(), 100U);
  end(*next);
  next.reset();
  EXPECT_TRUE(spool_is_empty());
}

TEST_F(Spooled, WhatKafkaRefusesForWantOfRightsWaitsForThem) {
  leave("forbidden", 2000);
  leave("permitted", 2000);
  auto next = rig("next");
  next->cluster.judge_by([](const runfold::test::FakeKafka::Record& record) -> std::optional<kafka::Error> {
    if (record.key == "forbidden") return runfold::test::trouble(kafka::Errc::kUnauthorised, "no rights");
    return std::nullopt;
  });
  next->event(next->open("own"), progress(0));
  const auto settle = [&] {
    for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  };
  settle();
  EXPECT_TRUE(next->dispatcher.settled());
  EXPECT_EQ(progress_of(*next, "permitted"), up_to(2000));
  EXPECT_EQ(next->report().taken_over, 2000U);
  EXPECT_EQ(next->report().inherited_lost, 0U);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("producer-forbidden of an earlier producer is refused by Kafka for want of rights"));
  next->cluster.judge_by({});
  next->step(11min);
  settle();
  EXPECT_EQ(progress_of(*next, "forbidden"), up_to(2000));
  EXPECT_EQ(next->report().taken_over, 4000U);
  end(*next);
  next.reset();
  EXPECT_TRUE(spool_is_empty());
}

TEST_F(Spooled, WhatIsRefusedForWantOfRightsAfterItWasHandedOverStaysForTheNextProducer) {
  leave("dead", 300);
  auto next = rig("next");
  next->cluster.acknowledge_by_itself(false);
  next->event(next->open("own"), progress(0));
  next->step();
  next->cluster.settle_one();
  next->step();
  EXPECT_GT(next->cluster.in_flight(), 10U);
  for (int i = 0; i < 5; ++i) next->cluster.settle_one();
  next->cluster.settle_one(runfold::test::trouble(kafka::Errc::kUnauthorised, "no rights"));
  next->step();
  EXPECT_EQ(next->report().taken_over, 5U);
  EXPECT_EQ(SpoolFolder::take(spool_ / "producer-dead").error(), boost::system::errc::device_or_resource_busy);
  next->cluster.settle_all(runfold::test::trouble(kafka::Errc::kUnauthorised, "no rights"));
  next->step();
  EXPECT_TRUE(next->dispatcher.settled());
  EXPECT_EQ(said_.size(), 1U);
  auto last = rig("last");
  last->event(last->open("own"), progress(0));
  for (int i = 0; i < 1000 && !last->dispatcher.settled(); ++i) last->step();
  EXPECT_EQ(last->report().taken_over, 295U);
  EXPECT_EQ(progress_of(*last, "dead").front(), 5U);
}

TEST_F(Spooled, ASpoolThatIsFullLeavesTheRestToTheRingAndIsUsedAgainWhenThereIsRoom) {
  auto rig = this->rig("a", 256 * 1024);
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& run = rig->open("r");
  std::uint64_t taken = 0;
  const std::string filler(1000, 'x');
  while (rig->log(run, filler)) {
    ++taken;
    rig->step(100ms);
  }
  rig->step();
  EXPECT_TRUE(rig->ledger.spool_refuses.load());
  EXPECT_FALSE(rig->outbox.has_room());
  EXPECT_LE(rig->report().spool_bytes, 256U * 1024U);
  EXPECT_GT(rig->report().spool_bytes, 128U * 1024U);
  rig->cluster.acknowledge_by_itself(true);
  rig->cluster.settle_all();
  for (int i = 0; i < 1000 && rig->report().pending > 0; ++i) rig->step(100ms);
  EXPECT_EQ(rig->report().acknowledged, taken);
  EXPECT_FALSE(rig->ledger.spool_refuses.load());
  rig->expect_account();
}

TEST_F(Spooled, WhereTheFolderCannotBeMadeMemoryServesAndItIsSaidOnce) {
  std::ofstream(spool_) << "a file stands there";
  auto rig = this->rig("a");
  RunAccount& run = rig->open("r");
  for (std::uint64_t i = 0; i < 50; ++i) {
    rig->event(run, progress(i));
    rig->step(1s);
  }
  EXPECT_EQ(rig->report().acknowledged, 50U);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr(spool_.string() + " cannot be used"));
  EXPECT_THAT(said_[0], HasSubstr("kept in memory alone"));
  fs::remove(spool_);
  rig->step(2min);
  rig->cluster.acknowledge_by_itself(false);
  rig->event(run, progress(50));
  rig->step();
  EXPECT_GT(rig->report().spool_bytes, 0U);
}

TEST_F(Spooled, ADiskThatRefusesWritesForGoodStillGivesBackWhatWasParked) {
  auto rig = this->rig("a");
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& run = rig->open("r");
  emit(*rig, run, 0, 2000);
  const runfold::test::SmallFiles refusing(0);
  emit(*rig, run, 2000, 2010);
  EXPECT_TRUE(rig->ledger.spool_refuses.load());
  answer(*rig);  // the clock stands: no write is tried again meanwhile
  EXPECT_EQ(rig->report().acknowledged, 2010U);
  for (std::uint64_t i = 2010; i < 2100; ++i) {
    EXPECT_TRUE(rig->event(run, progress(i)));
    rig->step(1s);
    rig->step();
    EXPECT_EQ(rig->report().acknowledged, i + 1);
  }
  EXPECT_EQ(progress_of(*rig, "r"), up_to(2100));
  EXPECT_TRUE(rig->ledger.spool_refuses.load());
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("cannot be written"));
}

TEST_F(Spooled, ParkedRecordsThatAreDamagedAreCountedAndTheRestIsSent) {
  auto rig = this->rig("a");
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& run = rig->open("r");
  emit(*rig, run, 0, 2000);
  const fs::path file = spool_ / "producer-a" / "0000000001.spool";
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(fs::file_size(file) / 2))
      .put('\xff');
  answer(*rig);
  rig->event(run, progress(2000));
  rig->step();
  rig->step();
  const Report report = rig->report();
  EXPECT_EQ(report.pending, 0U);
  EXPECT_GT(report.acknowledged, 500U);
  EXPECT_EQ(report.acknowledged + report.dropped.at(Channel::kEvents, Drop::kDeliveryTimeout), 2001U);
  EXPECT_EQ(progress_of(*rig, "r").back(), 2000U);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("is damaged at byte"));
}

TEST_F(Spooled, AProducerOutlivesTheRemovalOfItsFolder) {
  auto rig = this->rig("a");
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& run = rig->open("r");
  emit(*rig, run, 0, 2000);
  fs::remove_all(spool_);
  for (std::uint64_t i = 2000; i < 2100; ++i) EXPECT_TRUE(rig->event(run, progress(i)));
  rig->step();
  EXPECT_FALSE(rig->ledger.spool_refuses.load());
  answer(*rig);  // the clock stands: nothing waits to be tried again
  const Report report = rig->report();
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.acknowledged + report.dropped.at(Channel::kEvents, Drop::kDeliveryTimeout), 2100U);
  EXPECT_GE(report.acknowledged, 100U);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_THAT(said_[0], HasSubstr("was removed"));

  rig->cluster.acknowledge_by_itself(false);
  for (std::uint64_t i = 2100; i < 2200; ++i) rig->event(run, progress(i));
  end(*rig);
  EXPECT_EQ(rig->report().kept, 100U);
  auto next = this->rig("next");
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 1000 && !next->dispatcher.settled(); ++i) next->step();
  EXPECT_EQ(next->report().taken_over, 100U);
  EXPECT_EQ(progress_of(*next, "r").back(), 2199U);
}

TEST_F(Spooled, ParkedRecordsThatCanNoLongerBeReadAreGivenUpAndTheProducerGoesOn) {
  auto rig = this->rig("a");
  rig->cluster.acknowledge_by_itself(false);
  RunAccount& run = rig->open("r");
  emit(*rig, run, 0, 2000);
  const fs::path file = spool_ / "producer-a" / "0000000001.spool";
  fs::rename(file, folder_.path() / "elsewhere");
  fs::create_symlink(folder_.path() / "elsewhere", file);
  rig->cluster.acknowledge_by_itself(true);
  rig->cluster.settle_all();
  for (int i = 0; i < 60 && rig->report().pending > 0; ++i) rig->step(1s);
  const Report report = rig->report();
  EXPECT_EQ(report.pending, 0U);
  EXPECT_GT(report.dropped.at(Channel::kEvents, Drop::kDeliveryTimeout), 0U);
  EXPECT_EQ(report.acknowledged + report.dropped_records(), 2000U);
  EXPECT_TRUE(rig->event(run, progress(2000)));
  rig->step();
  rig->step();
  EXPECT_EQ(rig->report().acknowledged, report.acknowledged + 1);
  EXPECT_THAT(said_, ::testing::Contains(HasSubstr("what waits there is tried again")));
  EXPECT_THAT(said_, ::testing::Contains(HasSubstr("it is set aside")));
}

TEST_F(Spooled, DebugRecordsHeldBackOfARunWithoutAnEndAreLeftOnDiskToo) {
  {
    auto dead = rig("dead");
    dead->cluster.acknowledge_by_itself(false);
    RunAccount& run = dead->open("r", 0ms, 64 * 1024);
    dead->log(run, "what it did last", v1::SEVERITY_DEBUG);
    dead->step();
    end(*dead);
    EXPECT_EQ(dead->report().kept, 1U);
  }
  auto next = rig("next");
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 100 && !next->dispatcher.settled(); ++i) next->step();
  const auto batches = next->taken_from("runfold.logs");
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(read_batch(batches[0]).records(0).message(), "what it did last");
}

TEST_F(Spooled, ClosingLeavesAllThatWasTakenOnDiskAndCountsItAsKept) {
  runfold::test::FakeKafka cluster;
  cluster.acknowledge_by_itself(false);
  auto delivery =
      Delivery::start({.queue_bytes = 1024 * 1024, .record_bytes = 1024, .spool = settings("a")}, cluster.factory(), {}).value();
  RunAccount& run = delivery->open_run({.run_id = "r", .connector_id = "c", .source_id = "s"});
  std::uint64_t taken = 0;
  for (int i = 0; i < 100'000; ++i) taken += delivery->log(run, {.logged_at_ns = 1, .message = "line"}) ? 1 : 0;
  EXPECT_TRUE(delivery->finish(run, completed()));
  const auto report = delivery->close(0ms);
  EXPECT_EQ(report.kept, taken + 1);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.acknowledged, 0U);
  EXPECT_EQ(report.emitted, report.kept + report.dropped_records());
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kDeliveryTimeout), 0U);
  delivery->release_run(run);

  // The lock is free though the producer still stands.
  auto next = rig("next");
  next->event(next->open("own"), progress(0));
  for (int i = 0; i < 10'000 && !next->dispatcher.settled(); ++i) next->step();
  EXPECT_EQ(next->report().taken_over, report.kept);
}

TEST_F(Spooled, WhatAFullSpoolTurnsAwayIsCountedAsSuchTheLeastImportantFirst) {
  runfold::test::FakeKafka cluster;
  cluster.acknowledge_by_itself(false);
  auto delivery =
      Delivery::start({.queue_bytes = 64 * 1024, .record_bytes = 4096, .spool = settings("a", 256 * 1024)}, cluster.factory(), {}).value();
  RunAccount& run = delivery->open_run({.run_id = "r", .connector_id = "c", .source_id = "s"});
  const std::string filler(2000, 'x');
  const auto refused = [&](Drop reason) { return delivery->report().dropped.at(Channel::kLogs, reason); };
  EXPECT_TRUE(runfold::test::wait_until([&] {
    for (int i = 0; i < 50; ++i) static_cast<void>(delivery->log(run, {.severity = v1::SEVERITY_DEBUG, .message = filler}));
    return refused(Drop::kSpoolFull) > 0;
  }));
  EXPECT_TRUE(delivery->log(run, {.severity = v1::SEVERITY_ERROR, .message = "what one wants to know"}));
  EXPECT_TRUE(delivery->finish(run, completed()));
  const auto report = delivery->close(0ms);
  EXPECT_EQ(report.emitted, report.kept + report.dropped_records());
  EXPECT_LE(report.spool_bytes, 256U * 1024U);
  delivery->release_run(run);
}

class SpooledFaults : public Spooled, public ::testing::WithParamInterface<std::uint32_t> {};

TEST_P(SpooledFaults, WhateverKafkaAndTheDiskDoAllArrivesInItsOrder) {
  std::mt19937 random(GetParam());
  auto rig = this->rig("a", 512 * 1024);
  rig->cluster.acknowledge_by_itself(false);
  rig->cluster.judge_by([&random](const runfold::test::FakeKafka::Record&) -> std::optional<kafka::Error> {
    if (random() % 30 == 0) return runfold::test::trouble(kafka::Errc::kQueueFull, "full for once");
    return std::nullopt;
  });
  std::vector<RunAccount*> runs;
  std::vector<std::uint64_t> told(4);
  for (int i = 0; i < 4; ++i) runs.push_back(&rig->open(std::to_string(i)));
  std::optional<runfold::test::SmallFiles> full;
  for (int turn = 0; turn < 600; ++turn) {
    for (unsigned n = random() % 40; n > 0; --n) {
      const auto i = random() % runs.size();
      if (random() % 2 == 0) {
        if (rig->event(*runs[i], progress(told[i]))) ++told[i];
      } else {
        rig->log(*runs[i], std::string(random() % 300, 'l'));
      }
    }
    if (!full && random() % 40 == 0) full.emplace(random() % 40'000);
    if (full && random() % 10 == 0) full.reset();
    const unsigned trouble = random() % 100;
    if (trouble < 40) {
      for (unsigned n = random() % 60; n > 0; --n) rig->cluster.settle_one();
    } else if (trouble < 43) {
      rig->cluster.break_client();
    }
    rig->step(std::chrono::milliseconds(random() % 300));
    rig->expect_account();
    EXPECT_LE(rig->report().spool_bytes, 512U * 1024U);
  }
  full.reset();
  rig->cluster.judge_by({});
  rig->cluster.acknowledge_by_itself(true);
  rig->cluster.settle_all();
  for (auto* run : runs) rig->finish(*run);
  for (int i = 0; i < 2000 && !rig->dispatcher.settled(); ++i) rig->step(1s);
  ASSERT_TRUE(rig->dispatcher.settled());
  const Report report = rig->report();
  EXPECT_EQ(report.pending, 0U);
  for (const auto channel : kChannels) EXPECT_EQ(report.dropped.at(channel, Drop::kDeliveryTimeout), 0U);
  const auto acknowledged = rig->cluster.acknowledged();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::map<std::uint64_t, std::uint64_t> done_by_sequence;
    std::uint64_t highest = 0;
    for (const auto& record : acknowledged) {
      if (record.key != std::to_string(i) || record.topic != "runfold.events") continue;
      const auto event = read_event(record);
      // A first sending comes behind all before it.
      if (done_by_sequence.emplace(event.sequence(), event.has_progress() ? event.progress().done() : told[i]).second) {
        EXPECT_EQ(event.sequence(), ++highest);
      }
    }
    EXPECT_EQ(highest, told[i] + 1);
    for (const auto& [sequence, done] : done_by_sequence) EXPECT_EQ(done + 1, sequence);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpooledFaults, ::testing::Range(1U, 13U));

}  // namespace
}  // namespace runfold::delivery::test

// The account holds whatever Kafka does: random runs under random faults, with the oracle of what was handed over.
#include "tests/support/delivery_rig.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runfold::delivery::test {
namespace {

/// What the connector of one run did.
struct Told {
  RunAccount* run = nullptr;
  std::uint64_t events = 0;
  std::uint64_t logs = 0;
  bool finished = false;
};

class RandomFaults : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(RandomFaults, EveryRecordIsAcknowledgedPendingOrDroppedAndNumbersHaveNoUnexplainedGap) {
  std::mt19937 random(GetParam());
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  Rig rig({.ring = 64 * 1024, .in_flight = 32 * 1024, .batch = 2048, .record = 4096});
  rig.cluster.acknowledge_by_itself(false);
  rig.cluster.judge_by([&random](const runfold::test::FakeKafka::Record&) -> std::optional<kafka::Error> {
    if (random() % 50 == 0) return runfold::test::trouble(kafka::Errc::kQueueFull, "full for once");
    if (random() % 200 == 0) return runfold::test::trouble(kafka::Errc::kTooLarge, "too large");
    return std::nullopt;
  });
  std::vector<Told> runs;
  for (int i = 0; i < 4; ++i) {
    // Two of them with a flight recorder.
    const auto recorder_bytes = i % 2 == 0 ? std::optional<std::size_t>(1000) : std::nullopt;
    runs.push_back({.run = &rig.open(std::to_string(i), 50ms, recorder_bytes)});
  }

  for (int turn = 0; turn < 400; ++turn) {
    for (unsigned n = random() % 40; n > 0; --n) {
      Told& told = runs[random() % runs.size()];
      if (told.finished && !one_in(10)) continue;
      if (one_in(3)) {
        rig.event(*told.run, progress(told.events++));
      } else {
        const auto severity = static_cast<v1::Severity>(1 + random() % 8);
        rig.log(*told.run, std::string(random() % (one_in(20) ? 6000 : 200), 'l'), severity);
        ++told.logs;
      }
    }
    if (one_in(100)) {
      Told& told = runs[random() % runs.size()];
      if (!std::exchange(told.finished, true)) rig.finish(*told.run, static_cast<v1::RunResult>(1 + random() % 3));
    }
    const unsigned trouble = random() % 100;
    if (trouble < 60) {
      for (unsigned n = random() % 60; n > 0; --n) rig.cluster.settle_one();
    } else if (trouble < 65) {
      rig.cluster.settle_one(runfold::test::trouble(kafka::Errc::kTimedOut, "too late"));
    } else if (trouble < 67) {
      rig.cluster.break_client();
    }
    rig.step(std::chrono::milliseconds(random() % 30));
    rig.expect_account();
  }
  rig.cluster.judge_by({});
  rig.cluster.acknowledge_by_itself(true);
  for (auto& told : runs) {
    if (!std::exchange(told.finished, true)) rig.finish(*told.run);
  }
  rig.step(1min);
  rig.cluster.settle_all();
  for (int i = 0; i < 100 && !rig.dispatcher.settled(); ++i) rig.step(1s);
  ASSERT_TRUE(rig.dispatcher.settled());
  rig.expect_account();
  EXPECT_EQ(rig.report().pending, 0U);

  // Read the topics back as a collector would, repeats removed by their numbers.
  std::uint64_t distinct = 0;
  const auto acknowledged = rig.cluster.acknowledged();
  for (const Told& told : runs) {
    std::map<std::uint64_t, v1::SyncEvent> events;
    std::set<std::uint64_t> logs;
    for (const auto& record : acknowledged) {
      if (record.key != told.run->about.run_id) continue;
      if (record.topic == "runfold.events") {
        const auto event = read_event(record);
        events.emplace(event.sequence(), event);
      } else {
        const auto batch = read_batch(record);
        for (int i = 0; i < batch.records_size(); ++i) logs.insert(batch.first_sequence() + static_cast<std::uint64_t>(i));
      }
    }
    distinct += events.size() + logs.size();
    const auto never = [&](Channel channel, Drop reason) { return told.run->refused.at(channel, reason).load(); };
    std::uint64_t lost_events = 0;
    std::uint64_t lost_logs = 0;
    for (const auto reason : {Drop::kDeliveryTimeout, Drop::kRejected, Drop::kTooLarge}) {
      lost_events += told.run->given_up.at(Channel::kEvents, reason);
      lost_logs += told.run->given_up.at(Channel::kLogs, reason);
    }
    // What arrived and what was given up is what was numbered. A repeat may arrive although its first sending was given up.
    EXPECT_GE(events.size() + lost_events, told.run->last_sequence(Channel::kEvents));
    EXPECT_GE(logs.size() + lost_logs, told.run->last_sequence(Channel::kLogs));
    EXPECT_EQ(told.run->last_sequence(Channel::kLogs) + never(Channel::kLogs, Drop::kQueueFull) + never(Channel::kLogs, Drop::kTooLarge) +
                  told.run->given_up.at(Channel::kLogs, Drop::kLate) + told.run->given_up.at(Channel::kLogs, Drop::kNotNeeded),
              told.logs);
    std::uint64_t before = 0;
    for (const auto& [sequence, event] : events) {
      if (!event.has_progress()) continue;
      EXPECT_GE(event.progress().done(), before);  // numbers follow the order of the calls
      before = event.progress().done();
    }
    if (!events.empty() && events.rbegin()->second.has_completed()) {
      const auto& totals = events.rbegin()->second.completed().totals(0);
      EXPECT_EQ(totals.last_sequence(), events.rbegin()->first);
    }
  }
  EXPECT_GE(distinct, rig.report().acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomFaults, ::testing::Range(1U, 25U));

}  // namespace
}  // namespace runfold::delivery::test

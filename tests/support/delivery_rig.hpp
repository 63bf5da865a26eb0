// A dispatcher driven by hand: no thread, a clock that the test moves, Kafka in memory.
#pragma once

#include "producer/delivery/delivery.hpp"
#include "producer/delivery/dispatcher.hpp"
#include "tests/support/fake_kafka_client.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::delivery::test {

using namespace std::chrono_literals;

inline v1::SyncEvent event_at(std::int64_t seconds) {
  v1::SyncEvent event;
  event.mutable_occurred_at()->set_seconds(seconds);
  return event;
}
inline v1::SyncEvent progress(std::uint64_t done) {
  auto event = event_at(1'700'000'000);
  event.mutable_progress()->set_done(done);
  return event;
}
inline v1::SyncEvent completed(v1::RunResult result = v1::RUN_RESULT_SUCCESS) {
  auto event = event_at(1'700'000'001);
  event.mutable_completed()->set_result(result);
  return event;
}

inline v1::SyncEvent read_event(const runfold::test::FakeKafka::Record& record) {
  v1::SyncEvent out;
  EXPECT_TRUE(out.ParseFromString(record.value));
  return out;
}
inline v1::LogBatch read_batch(const runfold::test::FakeKafka::Record& record) {
  v1::LogBatch out;
  EXPECT_TRUE(out.ParseFromString(record.value));
  return out;
}

inline std::uint64_t dropped(const v1::TopicTotals& totals, v1::DropReason reason) {
  for (const auto& drop : totals.drops()) {
    if (drop.reason() == reason) return drop.records();
  }
  return 0;
}

class Rig {
 public:
  struct Sizes {
    std::size_t ring = 1 << 20;
    std::size_t in_flight = 1 << 20;
    std::size_t batch = 4096;
    std::size_t record = 8192;
    std::size_t recordings = 64 * 1024;
  };
  explicit Rig(Sizes sizes, std::optional<SpoolSettings> spool = {}) : sizes_(sizes), spool_(std::move(spool)) {
    EXPECT_TRUE(outbox.open().has_value());
  }
  Rig() : Rig(Sizes{}) {}

  RunAccount& open(std::string run_id, std::chrono::milliseconds heartbeat = 0ms, std::optional<std::size_t> recorder_bytes = {}) {
    RunDescription about{.run_id = std::move(run_id),
                         .connector_id = "my connector",
                         .version = "1.2",
                         .site = "north",
                         .attempt = 2,
                         .source_id = "source",
                         .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                         .tracestate = "vendor=1",
                         .heartbeat_interval = heartbeat,
                         .recorder_bytes = recorder_bytes};
    return dispatcher.open(std::move(about));
  }
  /// As Delivery does it: queue, or count.
  bool log(RunAccount& run, std::string_view message, v1::Severity severity = v1::SEVERITY_INFO) {
    return settle(run, Channel::kLogs,
                  queue_log(ring, run, LogView{.logged_at_ns = now.wall_ns, .severity = severity, .message = message}, sizes_.record));
  }
  bool event(RunAccount& run, const v1::SyncEvent& event) {
    return settle(run, Channel::kEvents, queue_event(ring, run, event, {}, sizes_.record));
  }
  void finish(RunAccount& run, v1::RunResult result = v1::RUN_RESULT_SUCCESS) {
    run.finished = true;
    dispatcher.finish(run, completed(result));
  }

  NextStep step(std::chrono::milliseconds later = 0ms, bool hurry = false) {
    now.steady += later;
    now.wall_ns += std::chrono::nanoseconds(later).count();
    return dispatcher.step(now, hurry);
  }
  [[nodiscard]] Report report() const {
    return ledger.report([this] { return ring.records(); });
  }
  std::vector<runfold::test::FakeKafka::Record> taken_from(std::string_view topic) {
    auto out = cluster.taken();
    std::erase_if(out, [&](const auto& record) { return record.topic != topic; });
    return out;
  }
  void expect_account() const {
    const Report all = report();
    EXPECT_EQ(all.emitted, all.acknowledged + all.pending + all.kept + all.dropped_records());
    EXPECT_LT(all.pending, std::uint64_t{1} << 40);
  }

 private:
  bool settle(RunAccount& run, Channel channel, const Outcome& outcome) {
    if (!outcome.dropped) return true;
    run.refused.at(channel, *outcome.dropped).fetch_add(1);
    ledger.refused.at(channel, *outcome.dropped).fetch_add(1);
    return false;
  }

  Sizes sizes_;
  std::optional<SpoolSettings> spool_;

 public:
  runfold::test::FakeKafka cluster;
  Now now{.steady = Clock::time_point(1h), .wall_ns = 1'700'000'000'000'000'000};
  Sleeper sleeper;
  Ledger ledger;
  Ring ring{sizes_.ring};
  std::vector<runfold::kafka::Error> troubles;
  Outbox outbox{{.topics = {},
                 .in_flight_bytes = sizes_.in_flight,
                 .make_client = cluster.factory(),
                 .on_trouble = [this](const runfold::kafka::Error& error) { troubles.push_back(error); },
                 .event_fd = sleeper.event_fd(),
                 .spool = spool_},
                ledger};
  Dispatcher dispatcher{
      {.batch_age = 100ms, .batch_bytes = sizes_.batch, .open_batches_bytes = 4 * sizes_.batch, .recordings_bytes = sizes_.recordings},
      ring,
      outbox,
      ledger,
      sleeper};
};

}  // namespace runfold::delivery::test

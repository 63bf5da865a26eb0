// Delivery with its thread: many callers, sleep and wake-up, closing.
#include "producer/delivery/delivery.hpp"

#include "tests/support/delivery_rig.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace runfold::delivery::test {
namespace {

using runfold::test::FakeKafka;
using runfold::test::kPatience;
using runfold::test::wait_until;

struct Running {
  explicit Running(DeliverySettings settings = {}) {
    auto started = Delivery::start(settings, cluster.factory(), {});
    EXPECT_TRUE(started.has_value());
    delivery = *started;
  }
  RunAccount& open(std::string run_id) {
    RunDescription about{.run_id = std::move(run_id), .connector_id = "c", .source_id = "s"};
    return delivery->open_run(std::move(about));
  }
  FakeKafka cluster;
  std::shared_ptr<Delivery> delivery;
};

LogView line(std::string_view text) {
  return {.logged_at_ns = 1'700'000'000'000'000'000, .message = text};
}

TEST(Delivery, ASleepingThreadIsWokenByOneRecord) {
  Running it;
  RunAccount& run = it.open("r");
  for (int i = 1; i <= 20; ++i) {
    const auto acknowledged = [&] { return it.delivery->report().acknowledged; };
    ASSERT_TRUE(it.delivery->event(run, progress(1), {}));
    ASSERT_TRUE(wait_until([&] { return acknowledged() == static_cast<std::uint64_t>(2 * i - 1); })) << i;
    ASSERT_TRUE(it.delivery->log(run, line("text")));
    ASSERT_TRUE(wait_until([&] { return acknowledged() == static_cast<std::uint64_t>(2 * i); })) << i;
  }
}

TEST(Delivery, EightThreadsKeepTheirOrderWithinARunAndEveryRecordIsAccountedFor) {
  constexpr int kThreads = 8;
  constexpr std::uint64_t kEach = 5'000;
  Running it;
  std::vector<RunAccount*> runs{&it.open("even"), &it.open("odd")};
  std::vector<std::thread> threads;
  std::atomic<std::uint64_t> taken{0};
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        RunAccount& run = *runs[static_cast<std::size_t>(thread % 2)];
        const std::string text = std::to_string(thread) + ":" + std::to_string(i);
        bool ok = false;
        if (i % 10 == 0) {
          auto event = progress(i);
          event.mutable_progress()->set_message(text);
          ok = it.delivery->event(run, event, {});
        } else {
          ok = it.delivery->log(run, line(text));
        }
        taken += ok ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto* run : runs) it.delivery->finish(*run, completed());
  const Report report = it.delivery->close(kPatience);
  EXPECT_EQ(report.emitted, kThreads * kEach + 2);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.acknowledged, taken + 2);
  EXPECT_EQ(report.emitted, report.acknowledged + report.dropped_records());

  std::map<std::string, std::uint64_t> next_sequence;
  std::map<std::string, std::int64_t> last_of_thread;
  std::uint64_t texts = 0;
  const auto saw = [&](const std::string& topic, const std::string& text) {
    const auto colon = text.find(':');
    const std::int64_t number = std::stoll(text.substr(colon + 1));
    auto [at, is_new] = last_of_thread.try_emplace(topic + text.substr(0, colon), -1);
    EXPECT_GT(number, at->second);
    at->second = number;
    ++texts;
  };
  for (const auto& record : it.cluster.acknowledged()) {
    std::uint64_t& next = next_sequence[record.topic + record.key];
    if (record.topic == "runfold.logs") {
      const auto batch = read_batch(record);
      EXPECT_EQ(batch.first_sequence(), next + 1);
      next += static_cast<std::uint64_t>(batch.records_size());
      for (const auto& log : batch.records()) saw("logs", log.message());
    } else {
      const auto event = read_event(record);
      EXPECT_EQ(event.sequence(), ++next);
      if (event.has_progress()) saw("events", event.progress().message());
    }
  }
  EXPECT_EQ(texts, taken);
}

TEST(Delivery, ManyRunsStartEmitAndEndOnManyThreads) {
  Running it;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&it, thread] {
      for (int i = 0; i < 200; ++i) {
        RunAccount& run = it.open(std::to_string(thread) + "-" + std::to_string(i));
        it.delivery->log(run, line("text"));
        it.delivery->finish(run, completed());
        it.delivery->log(run, line("late"));
        it.delivery->release_run(run);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const Report report = it.delivery->close(kPatience);
  EXPECT_EQ(report.emitted, 2400U);
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kLate), 800U);
  EXPECT_EQ(report.acknowledged + report.dropped_records(), 2400U);
  std::size_t ends = 0;
  for (const auto& record : it.cluster.acknowledged()) {
    if (record.topic == "runfold.events") ends += read_event(record).has_completed() ? 1 : 0;
  }
  EXPECT_EQ(ends, 800U);
}

TEST(Delivery, ClosingWhileOthersEmitLeavesNothingPending) {
  for (int round = 0; round < 20; ++round) {
    Running it;
    RunAccount& run = it.open("r");
    std::atomic<bool> go_on{true};
    std::atomic<std::uint64_t> emitted{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
      threads.emplace_back([&] {
        while (go_on) {
          it.delivery->log(run, line("text"));
          ++emitted;
        }
      });
    }
    ASSERT_TRUE(wait_until([&] { return emitted > 100; }));
    EXPECT_EQ(it.delivery->close(kPatience).pending, 0U);
    go_on = false;
    for (auto& thread : threads) thread.join();
    const Report report = it.delivery->report();
    EXPECT_EQ(report.emitted, emitted);
    EXPECT_EQ(report.emitted, report.acknowledged + report.dropped_records());
  }
}

TEST(Delivery, TheReportAddsUpAtAnyMoment) {
  Running it({.queue_bytes = 64 * 1024, .record_bytes = 4096});
  RunAccount& run = it.open("r");
  const std::jthread emitting([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) it.delivery->log(run, line("text"));
  });
  for (int i = 0; i < 20'000; ++i) {
    const Report report = it.delivery->report();
    ASSERT_EQ(report.emitted, report.acknowledged + report.pending + report.dropped_records());
    ASSERT_LE(report.pending, report.emitted);
  }
}

TEST(Delivery, ClosingWithKafkaSilentGivesUpAtTheLimitAndCountsAll) {
  Running it;
  it.cluster.acknowledge_by_itself(false);
  RunAccount& run = it.open("r");
  for (int i = 0; i < 1'000; ++i) it.delivery->log(run, line("text"));
  it.delivery->finish(run, completed());
  const Report report = it.delivery->close(std::chrono::milliseconds(50));
  EXPECT_EQ(report.emitted, 1'001U);
  EXPECT_EQ(report.pending, 0U);
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kDeliveryTimeout), 1'000U);
  EXPECT_EQ(report.dropped.at(Channel::kEvents, Drop::kDeliveryTimeout), 1U);
}

TEST(Delivery, ABegunCloseSendsWhatIsGatheredTellsWhoWaitsAndTakesNothingMore) {
  Running it({.batch_age = std::chrono::hours(1)});
  RunAccount& run = it.open("r");
  ASSERT_TRUE(it.delivery->log(run, line("text")));
  it.delivery->finish(run, completed());
  it.delivery->begin_close(kPatience);
  EXPECT_TRUE(it.delivery->wait([](const Report& report) { return report.acknowledged == 2; }, kPatience));
  EXPECT_FALSE(it.delivery->log(run, line("too late")));
  EXPECT_EQ(it.delivery->close(kPatience).acknowledged, 2U);
}

TEST(Delivery, ACloseThatWasBegunEndsAtTheShorterOfTheLimits) {
  Running it;
  it.cluster.acknowledge_by_itself(false);
  RunAccount& run = it.open("r");
  ASSERT_TRUE(it.delivery->log(run, line("text")));
  it.delivery->begin_close(std::chrono::hours(1));
  const Report report = it.delivery->close(std::chrono::milliseconds(0));
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kDeliveryTimeout), 1U);
}

v1::SyncEvent only_event(Running& it) {
  it.delivery->close(10s);
  v1::SyncEvent out;
  for (const auto& record : it.cluster.taken()) {
    if (record.topic == "runfold.events") out = read_event(record);
  }
  return out;
}
v1::LogRecord only_line(Running& it) {
  it.delivery->close(10s);
  const auto records = it.cluster.taken();
  return records.empty() ? v1::LogRecord() : read_batch(records.front()).records(0);
}

TEST(Delivery, WhatAProgressSaysOfItsTimeAndTraceIsKept) {
  for (const bool has_time : {true, false}) {
    Running it;
    RunAccount& run = it.open("r");
    v1::SyncEvent event;
    event.mutable_progress()->set_done(7);
    if (has_time) {
      event.mutable_occurred_at()->set_seconds(5);
    } else {
      event.mutable_trace()->set_traceparent("its own");
    }
    ASSERT_TRUE(it.delivery->event(run, event, {.occurred_at_ns = 1'000'000'000, .traceparent = "the step's"}));
    const auto got = only_event(it);
    EXPECT_EQ(got.progress().done(), 7U);
    EXPECT_EQ(got.occurred_at().seconds(), has_time ? 5 : 1);
    EXPECT_EQ(got.trace().traceparent(), has_time ? "the step's" : "its own");
  }
}

TEST(Delivery, WhatAPlainLogRecordSaysBesideIsKept) {
  std::vector<v1::LogRecord> records(5);
  records[0].mutable_logged_at()->set_seconds(5);
  records[1].set_raw("raw");
  records[2].set_partial(true);
  records[3].set_truncated(true);
  records[4].mutable_api_call()->set_method("GET");
  for (auto& record : records) {
    record.set_message("plain");
    Running it;
    RunAccount& run = it.open("r");
    ASSERT_TRUE(it.delivery->log(run, record, 1'700'000'000'000'000'000));
    if (!record.has_logged_at()) record.mutable_logged_at()->set_seconds(1'700'000'000);
    EXPECT_EQ(only_line(it).SerializeAsString(), record.SerializeAsString());
  }
}

TEST(Delivery, APlainRecordIsMadeToFitTooWhereTheLimitIsSmall) {
  Running it({.record_bytes = 512});
  RunAccount& run = it.open("r");
  const std::string text(600, 'x');
  ASSERT_TRUE(it.delivery->log(run, line(text)));
  v1::SyncEvent event;
  event.mutable_progress()->set_message(text);
  ASSERT_TRUE(it.delivery->event(run, event, {.occurred_at_ns = 1}));
  EXPECT_LT(only_event(it).progress().message().size(), 512U);
  for (const auto& record : it.cluster.taken()) {
    if (record.topic == "runfold.logs") {
      EXPECT_TRUE(read_batch(record).records(0).truncated());
    }
  }
}

TEST(Delivery, OtherwisePlainTextsAreCleanOfWhatLooksLikeASecret) {
  for (int where = 0; where < 4; ++where) {
    Running it;
    RunAccount& run = it.open("r");
    const std::string text = "upload with password=hunter2";
    v1::SyncEvent event;
    event.mutable_progress()->set_step_id(where == 0 ? text : "step");
    event.mutable_progress()->set_message(where == 1 ? text : "message");
    ASSERT_TRUE(it.delivery->event(run, event, {.occurred_at_ns = 1}));
    ASSERT_TRUE(it.delivery->log(run, {.message = where == 2 ? text : "message", .step_id = where == 3 ? text : "step"}));
    it.delivery->close(10s);
    std::size_t clean = 0;
    for (const auto& record : it.cluster.taken()) {
      EXPECT_EQ(record.value.find("hunter2"), std::string::npos) << where;
      clean += record.value.find("password=[redacted]") == std::string::npos ? 0 : 1;
    }
    EXPECT_EQ(clean, 1U) << where;
  }
}

TEST(Delivery, WhatComesAfterCloseIsLate) {
  Running it;
  RunAccount& run = it.open("r");
  it.delivery->close(kPatience);
  EXPECT_FALSE(it.delivery->log(run, line("text")));
  EXPECT_FALSE(it.delivery->event(run, progress(1), {}));
  it.delivery->finish(run, completed());
  const Report report = it.delivery->close(kPatience);
  EXPECT_EQ(report.emitted, 3U);
  EXPECT_EQ(report.dropped.at(Channel::kEvents, Drop::kLate), 2U);
  EXPECT_EQ(report.dropped.at(Channel::kLogs, Drop::kLate), 1U);
}

TEST(Delivery, AClientThatCannotBeMadeAtTheStartIsAnError) {
  FakeKafka cluster;
  cluster.refuse_clients(runfold::test::trouble(kafka::Errc::kInvalid, "no such property"));
  const auto started = Delivery::start({}, cluster.factory(), {});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().message, "no such property");
}

}  // namespace
}  // namespace runfold::delivery::test

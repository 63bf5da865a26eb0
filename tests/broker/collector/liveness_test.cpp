// Who is called lost on a real Kafka: a run whose producer vanished; and who is not: one that goes on, through an outage too.
#include "runfold/v1/event.pb.h"
#include "runfold/v1/run.pb.h"
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/sender.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;
using namespace std::chrono_literals;

/// Sends a heartbeat of a run every half a second, from a thread of its own, as long as it lives.
class Beating {
 public:
  Beating(std::string topic, std::string run_id) : topic_(std::move(topic)), run_id_(std::move(run_id)) {
    auto properties = broker_properties();
    properties.set("reconnect.backoff.max.ms", "500").value();
    producer_ = std::move(kafka::Producer::create(properties, [](const kafka::Delivery&) {}).value());
    thread_ = std::thread([this] { beat(); });
  }
  ~Beating() {
    ended_ = true;
    thread_.join();
  }
  Beating(const Beating&) = delete;
  Beating& operator=(const Beating&) = delete;

 private:
  void beat() {
    std::uint64_t sequence = 0;
    while (!ended_) {
      auto event = about<v1::SyncEvent>(run_id_);
      event.set_sequence(++sequence);
      if (sequence == 1) {
        event.mutable_started()->mutable_heartbeat_interval()->set_nanos(500'000'000);
      } else {
        event.mutable_heartbeat();
      }
      const std::string value = event.SerializeAsString();
      kafka::OutRecord record;
      record.topic = topic_;
      record.key = run_id_;
      record.value = value;
      EXPECT_TRUE(producer_->produce(record, sequence));
      const auto next = std::chrono::steady_clock::now() + 500ms;
      while (!ended_ && std::chrono::steady_clock::now() < next) static_cast<void>(producer_->poll(50ms));
    }
  }

  std::string topic_;
  std::string run_id_;
  std::unique_ptr<kafka::Producer> producer_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

v1::Run run_of(CollectorUnderTest& collector, const std::string& run_id) {
  v1::Run run;
  const auto query = collector.query();
  const auto stored = query ? query->run(run_id, std::nullopt).value() : std::nullopt;
  if (stored) static_cast<void>(run.ParseFromString(stored->run.snapshot));
  return run;
}

/// The last offset folded of a run's only partition.
std::int64_t heard(const v1::Run& run) {
  return run.offsets_size() == 1 ? run.offsets(0).last_offset() : -1;
}

TEST(Liveness, ARunWhoseProducerVanishedIsLostAndOneThatGoesOnIsNotThroughAnOutageEither) {
  const char* broker = std::getenv("RUNFOLD_TEST_BROKER_PID");
  if (broker == nullptr) GTEST_SKIP() << "not run by tests/broker/with-broker, so the broker is not ours to stop";
  CollectorUnderTest collector("liveness", {{"session.timeout.ms", "60000"}},
                               "liveness:\n  settle: 6s\n  connectors:\n    connector: {silence: 4s}\n");
  const std::string& events = collector.topics().events;
  collector.start();
  Beating alive(events, "alive");
  {
    Beating vanishing(events, "vanished");
    ASSERT_TRUE(wait_until([&] { return heard(run_of(collector, "vanished")) > 0; })) << collector.said();
  }
  ASSERT_TRUE(wait_until([&] { return run_of(collector, "vanished").result() == v1::RUN_RESULT_LOST; })) << collector.said();
  const v1::Run lost = run_of(collector, "vanished");
  EXPECT_EQ(lost.result_source(), v1::RESULT_SOURCE_INFERRED);
  EXPECT_NE(lost.error().find("a heartbeat was promised every 500 ms"), std::string::npos) << lost.error();
  EXPECT_EQ(lost.revision(), 2U);
  EXPECT_EQ(run_of(collector, "alive").revision(), 1U) << "never called lost, and never called back";
  const auto metrics = runfold::test::http_get(collector.url() + "/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_NE(metrics->body.find("runfold_runs_active{connector=\"connector\"} 1\n"), std::string::npos);
  EXPECT_NE(metrics->body.find("runfold_runs_finished_total{connector=\"connector\",result=\"lost\"} 1\n"), std::string::npos);

  // Kafka stands still for longer than a run may be silent.
  const pid_t pid = std::atoi(broker);
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  const auto until = std::chrono::steady_clock::now() + 10s;
  const bool ended = wait_until([&] { return !collector.running() || std::chrono::steady_clock::now() > until; });
  const auto before = heard(run_of(collector, "alive"));
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
  EXPECT_TRUE(ended);
  // For longer than producers are given to be heard again, and than a run may be silent.
  ASSERT_TRUE(wait_until([&] { return heard(run_of(collector, "alive")) > before + 40; })) << collector.said();
  EXPECT_EQ(run_of(collector, "alive").status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(run_of(collector, "alive").revision(), 1U) << "never called lost, and never called back";
  EXPECT_EQ(run_of(collector, "vanished").revision(), 2U);

  // A verdict is provisional.
  Sender sender;
  auto completed = about<v1::SyncEvent>("vanished");
  completed.set_sequence(100);
  completed.mutable_completed()->set_exit_code(0);
  sender.send(events, "vanished", completed.SerializeAsString());
  EXPECT_TRUE(wait_until([&] { return run_of(collector, "vanished").result() == v1::RUN_RESULT_SUCCESS; })) << collector.said();
  EXPECT_EQ(run_of(collector, "vanished").result_source(), v1::RESULT_SOURCE_DECLARED);
  EXPECT_GT(run_of(collector, "vanished").revision(), 2U);
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

TEST(Liveness, AConnectorsClockThatIsWrongShowsAndBendsNothing) {
  CollectorUnderTest collector("skew");
  Sender sender;
  collector.start();
  auto event = about<v1::SyncEvent>("ahead");
  event.set_sequence(1);
  event.mutable_occurred_at()->set_seconds(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()) + 86'400);
  event.mutable_started();
  sender.send(collector.topics().events, "ahead", event.SerializeAsString());
  ASSERT_TRUE(wait_until([&] { return run_of(collector, "ahead").revision() == 1U; })) << collector.said();
  const v1::Run run = run_of(collector, "ahead");
  EXPECT_LT(run.clock_skew().seconds(), -86'000);
  EXPECT_EQ(run.status(), v1::RUN_STATUS_RUNNING);
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
}

}  // namespace
}  // namespace runfold::collector::test

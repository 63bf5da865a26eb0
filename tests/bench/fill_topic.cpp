// Fills a topic with the events of many runs, interleaved as a fleet of connectors would send them: the load that ingest is measured with.
#include "runfold/v1/event.pb.h"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <google/protobuf/util/time_util.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

namespace {

using google::protobuf::util::TimeUtil;
using runfold::v1::SyncEvent;

struct Load {
  std::string bootstrap;
  std::string topic;
  std::uint32_t runs = 20'000;
  std::uint32_t events_per_run = 150;
  /// Runs under way at the same time.
  std::uint32_t concurrent = 500;
  std::int32_t partitions = 4;
  /// Records a second; 0: as fast as Kafka takes them.
  std::uint32_t rate = 0;
};

/// As long as the ids that connectors have.
std::string uuid_like(char kind, std::uint32_t number) {
  const std::string digits = std::to_string(number);
  return std::string(8, kind) + "-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

/// The event of a run at a place in its life: Started, pairs of StepStarted and StepCompleted with Progress between, Completed.
SyncEvent make_event(const Load& load, std::uint32_t run, std::uint32_t place) {
  constexpr std::int64_t kEpochMs = 1'790'000'000'000;
  SyncEvent event;
  auto& identity = *event.mutable_identity();
  identity.set_run_id(uuid_like('a', run));
  identity.set_connector_id("bench-connector-" + std::to_string(run % 20));
  identity.set_version("1.4.2");
  identity.set_site("site-" + std::to_string(run % 100));
  identity.set_attempt(1);
  identity.set_source_id(uuid_like('b', run));
  event.set_sequence(place + 1);
  *event.mutable_occurred_at() = TimeUtil::MillisecondsToTimestamp(kEpochMs + std::int64_t{run} * 10 + std::int64_t{place} * 20);
  const std::uint32_t last = load.events_per_run - 1;
  const std::string step = "step-" + std::to_string(place / 15);
  if (place == 0) {
    *event.mutable_started()->mutable_heartbeat_interval() = TimeUtil::SecondsToDuration(10);
  } else if (place == last) {
    auto& completed = *event.mutable_completed();
    completed.set_result(run % 50 == 0 ? runfold::v1::RUN_RESULT_FAILURE : runfold::v1::RUN_RESULT_SUCCESS);
    completed.set_exit_code(run % 50 == 0 ? 1 : 0);
    auto& totals = *completed.add_totals();
    totals.set_topic(runfold::v1::TOPIC_EVENTS);
    totals.set_emitted(load.events_per_run);
    totals.set_last_sequence(load.events_per_run);
  } else if (place % 15 == 1) {
    event.mutable_step_started()->set_step_id(step);
  } else if (place % 15 == 14) {
    auto& done = *event.mutable_step_completed();
    done.set_step_id(step);
    done.set_entities(100);
    done.set_relationships(250);
    *done.mutable_duration() = TimeUtil::MillisecondsToDuration(260);
  } else {
    auto& progress = *event.mutable_progress();
    progress.set_step_id(step);
    progress.set_done(place);
    progress.set_total(load.events_per_run);
    progress.set_message("working on it");
  }
  return event;
}

int fill(const Load& load) {
  runfold::kafka::Properties properties;
  properties.set("bootstrap.servers", load.bootstrap).value();
  properties.set("linger.ms", "50").value();
  properties.set("compression.type", "lz4").value();
  runfold::kafka::TopicPolicy policy{.name = load.topic, .partitions = load.partitions, .replication = 1, .config = {}};
  runfold::kafka::create_topics(properties, {policy}, std::chrono::seconds(30)).value();

  std::uint64_t failed = 0;
  auto producer = runfold::kafka::Producer::create(properties, [&](const runfold::kafka::Delivery& delivery) {
                    failed += delivery.error ? 1 : 0;
                  }).value();
  std::uint64_t bytes = 0;
  std::uint64_t sent = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto send = [&](std::uint32_t run, std::uint32_t place) {
    const SyncEvent event = make_event(load, run, place);
    const std::string value = event.SerializeAsString();
    bytes += value.size();
    const runfold::kafka::OutRecord record{.topic = load.topic, .key = event.identity().run_id(), .value = value, .headers = {}};
    while (!producer->produce(record, 0)) producer->poll(std::chrono::milliseconds(100));
    if (load.rate == 0) return;
    const auto due = begin + std::chrono::nanoseconds(1'000'000'000 / load.rate) * ++sent;
    for (auto now = begin; (now = std::chrono::steady_clock::now()) < due;) {
      producer->poll(std::chrono::ceil<std::chrono::milliseconds>(due - now));
    }
  };
  for (std::uint32_t first = 0; first < load.runs; first += load.concurrent) {
    const std::uint32_t end = std::min(first + load.concurrent, load.runs);
    for (std::uint32_t place = 0; place < load.events_per_run; ++place) {
      for (std::uint32_t run = first; run < end; ++run) send(run, place);
      producer->poll(std::chrono::milliseconds(0));
    }
  }
  const auto left = producer->flush(std::chrono::minutes(5));
  const std::uint64_t records = std::uint64_t{load.runs} * load.events_per_run;
  std::cout << "{\"records\": " << records << ", \"mean_bytes\": " << bytes / records << ", \"failed\": " << failed + left << "}\n";
  return failed + left == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Load load;
  CLI::App app("Fills a topic with the events of many runs.");
  app.add_option("--bootstrap-servers", load.bootstrap)->required();
  app.add_option("--topic", load.topic)->required();
  app.add_option("--runs", load.runs);
  app.add_option("--events-per-run", load.events_per_run);
  app.add_option("--concurrent", load.concurrent);
  app.add_option("--partitions", load.partitions);
  app.add_option("--rate", load.rate);
  CLI11_PARSE(app, argc, argv);
  return fill(load);
}

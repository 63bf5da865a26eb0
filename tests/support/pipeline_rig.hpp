// A pipeline between a scripted Kafka and a store in memory, on a thread of its own.
#pragma once

#include "collector/pipeline.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/run.pb.h"
#include "tests/support/memory_store.hpp"
#include "tests/support/scripted_kafka.hpp"
#include "tests/support/wait_until.hpp"

#include <boost/asio/co_spawn.hpp>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace runfold::collector::test {

inline const kafka::TopicPartition kEvents{"runfold.events", 0};
inline const kafka::TopicPartition kLogs{"runfold.logs", 0};
inline const kafka::TopicPartition kOperations{"runfold.operations", 0};

inline const StoreError kBusyStore{StoreErrc::kBusy, "the database is locked by another process"};

inline MemoryStore::At at(const kafka::TopicPartition& partition) {
  return {partition.topic, partition.partition};
}

/// Adds up what the pipeline tells.
class TallyObserver final : public Observer {
 public:
  void committed(const Counts& counts, std::chrono::nanoseconds) override {
    const std::scoped_lock lock(mutex_);
    for (const auto& [topic, one] : counts.topics) {
      lost_[topic] += one.lost;
      records_[topic] += one.records;
      duplicates_ += one.duplicates;
    }
    for (const auto& [connector, one] : counts.connectors) started_ += one.runs_started;
  }
  void commit_failed(std::string_view) override { ++commits_failed; }
  void dead_letter(std::string_view topic, std::string_view reason) override {
    const std::scoped_lock lock(mutex_);
    ++dead_letters_[std::string(topic) + " " + std::string(reason)];
  }
  void lag(std::string_view topic, std::int32_t, std::int64_t records) override {
    const std::scoped_lock lock(mutex_);
    lag_[std::string(topic)] = records;
  }
  void lag_gone(std::string_view topic, std::int32_t) override {
    const std::scoped_lock lock(mutex_);
    lag_.erase(std::string(topic));
  }

  void removed(std::string_view kind, std::uint64_t count) override {
    const std::scoped_lock lock(mutex_);
    removed_[std::string(kind)] += count;
  }
  void store_bytes(std::string_view kind, std::uint64_t bytes) override {
    const std::scoped_lock lock(mutex_);
    store_bytes_[std::string(kind)] = bytes;
  }
  void retention_failed() override { ++retention_failures; }

  std::uint64_t removed_of(const std::string& kind) {
    return with([&] { return removed_[kind]; });
  }
  std::uint64_t bytes_of(const std::string& kind) {
    return with([&] { return store_bytes_[kind]; });
  }
  std::uint64_t records(const std::string& topic) {
    return with([&] { return records_[topic]; });
  }
  std::uint64_t lost(const std::string& topic) {
    return with([&] { return lost_[topic]; });
  }
  std::uint64_t started() {
    return with([&] { return started_; });
  }
  std::map<std::string, int> dead_letters() {
    return with([&] { return dead_letters_; });
  }
  std::map<std::string, std::int64_t> lags() {
    return with([&] { return lag_; });
  }
  void partitions_stopped(std::size_t partitions) override { stopped = partitions; }
  std::atomic<int> commits_failed = 0;
  std::atomic<int> retention_failures = 0;
  std::atomic<std::size_t> stopped = 0;

 private:
  template <class Look>
  std::invoke_result_t<Look&> with(Look&& look) {
    const std::scoped_lock lock(mutex_);
    return look();
  }
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> records_;
  std::map<std::string, std::uint64_t> lost_;
  std::map<std::string, int> dead_letters_;
  std::map<std::string, std::int64_t> lag_;
  std::map<std::string, std::uint64_t> removed_;
  std::map<std::string, std::uint64_t> store_bytes_;
  std::uint64_t duplicates_ = 0;
  std::uint64_t started_ = 0;
};

class Rig {
 public:
  MemoryStore store;
  ScriptedKafka kafka;
  TallyObserver observer;
  Health health;
  PipelineOptions options;
  std::atomic<int> outbox_grew = 0;

  Rig() { options.commit_interval = std::chrono::milliseconds(5); }
  ~Rig() {
    if (thread_.joinable()) stop();
  }

  /// Starts the pipeline; the script gives it the partitions with assign_all().
  void start() {
    static_cast<void>(options.kafka.set("bootstrap.servers", "127.0.0.1:9"));
    KafkaClients clients;
    clients.consumer = [this](boost::asio::any_io_executor executor, const kafka::Properties&, std::string, std::vector<std::string>,
                              kafka::ConsumerEvents events) -> kafka::Result<std::unique_ptr<kafka::Consumer>> {
      return kafka.consumer(std::move(executor), std::move(events));
    };
    clients.producer = [this](const kafka::Properties&,
                              kafka::Producer::OnDelivery on_delivery) -> kafka::Result<std::unique_ptr<kafka::Producer>> {
      return kafka.producer(std::move(on_delivery));
    };
    const auto log = [this](int severity, std::string_view text) {
      const std::scoped_lock lock(mutex_);
      log_.emplace_back(severity, text);
    };
    context_ = std::make_unique<boost::asio::io_context>();
    pipeline_ = Pipeline::create(
        *context_, options, std::make_unique<MemoryWriter>(store), std::make_unique<MemoryRunReader>(store), observer, health, log,
        [this] { ++outbox_grew; }, std::move(clients));
    ended_ = std::promise<bool>();
    end_ = ended_.get_future();
    const auto on_end = [this](const std::exception_ptr& thrown, bool result) {
      if (thrown) {
        ended_.set_exception(thrown);
      } else {
        ended_.set_value(result);
      }
    };
    boost::asio::co_spawn(*context_, pipeline_->run(), on_end);
    thread_ = std::thread([this] { context_->run(); });
  }
  void assign_all() { kafka.assign({kEvents, kLogs, kOperations}); }

  /// What run() gave. It ends by itself, or because stop() was called.
  bool end() {
    const bool result = end_.get();
    thread_.join();
    pipeline_.reset();
    context_.reset();
    return result;
  }
  bool stop() {
    pipeline_->stop();
    return end();
  }
  [[nodiscard]] bool ended_by_itself() {
    return runfold::test::wait_until([this] { return end_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  }

  std::vector<std::string> logged(int severity, const std::string& part) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [of, text] : log_) {
      if (of == severity && text.find(part) != std::string::npos) found.push_back(text);
    }
    return found;
  }
  std::string unready(const std::string& component) {
    return health.reasons().contains(component) ? health.reasons().at(component) : std::string();
  }

  /// A step that ends with this many entities, as the next record of the events topic.
  void step(const std::string& run_id, std::uint64_t sequence, std::uint64_t entities) {
    v1::SyncEvent event = event_of(run_id, sequence);
    event.mutable_step_completed()->set_step_id("step-" + std::to_string(sequence));
    event.mutable_step_completed()->set_entities(entities);
    kafka.append(kEvents.topic, {run_id, event.SerializeAsString(), {}});
  }
  void started(const std::string& run_id, std::uint64_t sequence, std::int32_t partition = 0) {
    v1::SyncEvent event = event_of(run_id, sequence);
    event.mutable_started();
    kafka.append(kEvents.topic, {run_id, event.SerializeAsString(), {}}, partition);
  }
  void heartbeat(const std::string& run_id, std::uint64_t sequence) {
    v1::SyncEvent event = event_of(run_id, sequence);
    event.mutable_heartbeat();
    kafka.append(kEvents.topic, {run_id, event.SerializeAsString(), {}});
  }
  void log_line(const std::string& run_id, std::uint64_t sequence) {
    v1::LogBatch batch;
    *batch.mutable_identity() = event_of(run_id, 1).identity();
    batch.set_first_sequence(sequence);
    batch.add_records()->set_message("a line");
    kafka.append(kLogs.topic, {run_id, batch.SerializeAsString(), {}});
  }
  /// A stored run; an empty one when it is not stored.
  v1::Run run(const std::string& run_id) {
    const auto row = store.run(run_id);
    v1::Run run;
    if (row) static_cast<void>(run.ParseFromString(row->snapshot));
    return run;
  }
  /// Entities of a stored run; -1 when it is not stored.
  std::int64_t entities(const std::string& run_id) {
    const auto row = store.run(run_id);
    v1::Run run;
    if (!row || !run.ParseFromString(row->snapshot)) return -1;
    return static_cast<std::int64_t>(run.entities());
  }

 private:
  static v1::SyncEvent event_of(const std::string& run_id, std::uint64_t sequence) {
    v1::SyncEvent event;
    event.mutable_identity()->set_run_id(run_id);
    event.mutable_identity()->set_connector_id("connector");
    event.mutable_identity()->set_source_id("source-of-" + run_id);
    event.mutable_identity()->set_attempt(1);
    event.set_sequence(sequence);
    event.mutable_occurred_at()->set_seconds(1'700'000'000 + static_cast<std::int64_t>(sequence));
    return event;
  }

  std::mutex mutex_;
  std::vector<std::pair<int, std::string>> log_;
  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<Pipeline> pipeline_;
  std::promise<bool> ended_;
  std::future<bool> end_;
  std::thread thread_;
};

}  // namespace runfold::collector::test

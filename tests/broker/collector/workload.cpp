// Makes up runs event by event, and keeps the oracle beside.
#include "tests/broker/collector/workload.hpp"

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "runfold/v1/operation.pb.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <random>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::collector::test {
namespace {

constexpr std::int64_t kBegin_ns = 1'750'000'000'000'000'000;
constexpr std::int64_t kLate_ns = 3'600'000'000'000;

void set_time(google::protobuf::Timestamp& time, std::int64_t at_ns) {
  time.set_seconds(at_ns / 1'000'000'000);
  time.set_nanos(static_cast<std::int32_t>(at_ns % 1'000'000'000));
}
void set_time(google::protobuf::Duration& time, std::int64_t length_ns) {
  time.set_seconds(length_ns / 1'000'000'000);
  time.set_nanos(static_cast<std::int32_t>(length_ns % 1'000'000'000));
}

}  // namespace

class Workload::Impl {
 public:
  Impl(const kafka::Properties& properties, kafka::TopicNames topics, std::uint64_t seed, std::size_t runs, std::size_t events,
       Mischief mischief)
      : properties_(properties), topics_(std::move(topics)), random_(seed), mischief_(mischief) {
    connect();
    for (std::size_t i = 0; i < runs; ++i) {
      Run& run = runs_.emplace_back();
      run.id = "run-" + std::to_string(seed) + "-" + std::to_string(i);
      run.numbered = i % 2 == 0;
      run.now_ns = kBegin_ns + static_cast<std::int64_t>(i) * 1'000'000'000;
      run.left = events / runs;
      ExpectedRun& expected = oracle_.runs[run.id];
      expected.connector = "connector-" + std::to_string(i % 7);
      expected.version = "1." + std::to_string(i % 3);
      expected.site = i % 5 == 0 ? "" : "site-" + std::to_string(i % 4);
      active_.push_back(i);
    }
  }

  bool send(std::size_t records) {
    for (const std::size_t until = sent_ + records; sent_ < until && !active_.empty();) {
      const std::size_t place = pick(active_.size());
      Run& run = runs_[active_[place]];
      if (pick(10) == 0) send_logs(run);
      if (pick(200) == 0) send_operation();
      send_event(run);
      if (pick(1'000) < mischief_.poison_per_mille) send_poison(run);
      send_overtaken(1);
      if (run.left == 0) {
        flush_late(run);
        active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(place));
      }
    }
    producer_->poll(std::chrono::milliseconds(0));
    return !active_.empty();
  }

  Oracle finish(std::int32_t partitions) {
    for (auto& [id, run] : oracle_.runs) run.in_order = partitions == kPartitions;
    send_overtaken(overtaken_.size() + mischief_.reorder_within);
    for (const auto& [run, bytes] : std::exchange(late_, {})) hand_over(runs_[run], bytes);
    flush();
    for (std::int32_t partition = 0; partition < partitions; ++partition) send_last(partition);
    flush();
    return std::move(oracle_);
  }

  const std::map<std::pair<std::string, std::int32_t>, std::int64_t>& settle() {
    flush();
    return oracle_.ends;
  }

  void forget(const std::string& topic) {
    std::erase_if(oracle_.ends, [&](const auto& end) { return end.first.first == topic; });
    // A client of its own knows the topic as it is now.
    connect();
  }

  std::uint64_t events_sent() const noexcept { return events_sent_; }

 private:
  void connect() {
    producer_ = kafka::Producer::create(properties_, [this](const kafka::Delivery& delivery) { delivered(delivery); }).value();
  }

  struct Run {
    std::string id;
    bool numbered = false;
    std::int64_t now_ns = 0;
    std::size_t left = 0;
    std::uint64_t event_sequence = 0;
    std::uint64_t log_sequence = 0;
    bool begun = false;
    int steps = 0;
    /// A step under way: its name and try.
    std::optional<std::pair<std::string, std::uint32_t>> step;
    /// The next try of one that failed.
    std::optional<std::pair<std::string, std::uint32_t>> again;
    /// An event held back, so that the next one comes before it.
    std::string late;
  };

  void flush() {
    if (producer_->flush(std::chrono::seconds(60)) != 0) throw std::runtime_error("Kafka did not acknowledge what was sent");
    if (!trouble_.empty()) throw std::runtime_error(trouble_);
  }

  /// The last record of a partition of each topic; of the operations, whose topic never grows, where there is one.
  void send_last(std::int32_t partition) {
    Run run;
    run.id = last_of(partition);
    ExpectedRun& expected = oracle_.runs[run.id];
    expected.connector = "connector-of-the-last";
    v1::SyncEvent event;
    fill(*event.mutable_identity(), run, expected);
    event.mutable_started();
    set_time(*event.mutable_occurred_at(), kBegin_ns);
    expected.started_ns = expected.last_seen_ns = kBegin_ns;
    expected.events = expected.revision = 1;
    hand_over(run, event.SerializeAsString(), partition);

    v1::LogBatch batch;
    fill(*batch.mutable_identity(), run, expected);
    batch.add_records()->set_message("the last");
    expected.log_counts[6] = 1;
    expected.messages = {"the last"};
    produce(topics_.logs, run.id, batch.SerializeAsString(), {}, partition);

    if (partition >= kPartitions) return;
    v1::Operation operation;
    operation.set_operation_id(run.id);
    set_time(*operation.mutable_updated_at(), kBegin_ns);
    oracle_.operations[run.id].updated_ns = kBegin_ns;
    produce(topics_.operations, run.id, operation.SerializeAsString(), {}, partition);
  }

  static void fill(v1::RunIdentity& identity, const Run& run, const ExpectedRun& expected) {
    identity.set_run_id(run.id);
    identity.set_connector_id(expected.connector);
    identity.set_version(expected.version);
    identity.set_site(expected.site);
    identity.set_attempt(1);
    identity.set_source_id("source-of-" + run.id);
  }

  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

  // Kafka

  void produce(const std::string& topic, const std::string& key, const std::optional<std::string>& value,
               std::function<void(std::int32_t, std::int64_t)> on_delivery, std::int32_t partition = -1) {
    kafka::OutRecord record;
    record.topic = topic;
    record.key = key;
    record.partition = partition;
    if (value) record.value = *value;
    waiting_.push_back({topic, std::move(on_delivery)});
    ++sent_;
    for (;;) {
      const auto taken = producer_->produce(record, waiting_.size() - 1);
      if (taken) return;
      if (taken.error().code != kafka::Errc::kQueueFull) throw std::runtime_error(taken.error().message);
      producer_->poll(std::chrono::milliseconds(50));
    }
  }

  void delivered(const kafka::Delivery& delivery) {
    if (delivery.error) {
      trouble_ = delivery.error->message;
      return;
    }
    Waiting& waiting = waiting_[delivery.token];
    std::int64_t& end = oracle_.ends[{waiting.topic, delivery.partition}];
    end = std::max(end, delivery.offset + 1);
    if (waiting.on_delivery) waiting.on_delivery(delivery.partition, delivery.offset);
    waiting.on_delivery = {};
  }

  // Events

  void send_event(Run& run) {
    ExpectedRun& expected = oracle_.runs[run.id];
    v1::SyncEvent event;
    run.now_ns += 1'000'000 + static_cast<std::int64_t>(pick(5'000'000));
    make_event(run, expected, event);
    fill(*event.mutable_identity(), run, expected);
    if (run.numbered) event.set_sequence(++run.event_sequence);
    set_time(*event.mutable_occurred_at(), run.now_ns);
    expected.last_seen_ns = run.now_ns;
    ++expected.events;
    const std::string bytes = event.SerializeAsString();
    --run.left;

    if (run.late.empty() && run.left > 0 && pick(20) == 0) {
      run.late = bytes;
      return;
    }
    const auto number = static_cast<std::size_t>(&run - runs_.data());
    bool direct = false;
    if (pick(1'000) < mischief_.late_per_mille) {
      late_.emplace_back(number, bytes);
      run.now_ns += kLate_ns;  // what comes before it has happened that much later
    } else if (pick(100) < mischief_.reordered_percent) {
      overtaken_.push_back({number, bytes, 1 + pick(mischief_.reorder_within)});
    } else {
      hand_over(run, bytes);
      direct = true;
    }
    flush_late(run);
    // A repeat: only a numbered one can be recognised, and only the first one counts.
    if (direct && run.numbered && pick(100) < mischief_.repeats_percent) {
      produce(topics_.events, run.id, bytes, {});
    }
  }

  void flush_late(Run& run) {
    if (!run.late.empty()) hand_over(run, std::exchange(run.late, {}));
  }

  /// Time goes on by so many events: what has been overtaken by enough of them is sent.
  void send_overtaken(std::size_t events) {
    for (auto at = overtaken_.begin(); at != overtaken_.end();) {
      at->wait -= std::min(at->wait, events);
      if (at->wait > 0) {
        ++at;
        continue;
      }
      hand_over(runs_[at->run], at->bytes);
      at = overtaken_.erase(at);
    }
  }

  void send_poison(const Run& run) {
    static constexpr std::array<std::string_view, 4> kPoison{"\xff\xff\xff", "{\"run_id\": 1}", "\x0a\xff\xff\xff\xff\x0f",
                                                             "\x0a\x02\xc3\x28"};
    const std::string& topic = pick(2) == 0 ? topics_.events : topics_.logs;
    const auto on_delivery = [this, topic](std::int32_t partition, std::int64_t offset) {
      oracle_.poison.insert({topic, partition, offset});
    };
    produce(topic, run.id, std::string(kPoison[pick(kPoison.size())]), on_delivery);
  }

  void hand_over(Run& run, const std::string& bytes, std::int32_t to_partition = -1) {
    ++events_sent_;
    const auto on_delivery = [&expected = oracle_.runs[run.id]](std::int32_t partition, std::int64_t offset) {
      auto& bounds = expected.offsets.try_emplace(partition, offset, offset).first->second;
      bounds = {std::min(bounds.first, offset), std::max(bounds.second, offset)};
    };
    produce(topics_.events, run.id, bytes, on_delivery, to_partition);
  }

  void make_event(Run& run, ExpectedRun& expected, v1::SyncEvent& event) {
    if (run.left == 1 && pick(10) != 0) return complete(run, expected, event);
    if (!run.begun) {
      run.begun = true;
      if (pick(10) != 0) {
        event.mutable_started()->set_host("host");
        expected.started_ns = run.now_ns;
        ++expected.revision;
        return;
      }
    }
    switch (pick(10)) {
      case 0:
        event.mutable_heartbeat();
        return;
      case 1:
        event.mutable_progress()->set_done(run.left);
        expected.progress_done = run.left;
        return;
      case 2:
      case 3:
        return commit_stats(expected, event);
      default:
        break;
    }
    ++expected.revision;
    if (!run.step) {
      run.step = run.again ? *std::exchange(run.again, std::nullopt) : std::pair("step-" + std::to_string(run.steps++), std::uint32_t{1});
      if (pick(8) != 0) {
        event.mutable_step_started()->set_step_id(run.step->first);
        event.mutable_step_started()->set_step_attempt(run.step->second);
        expected.steps[*run.step].started_ns = run.now_ns;
        return;
      }
      // Its start is never told of.
    }
    end_step(run, expected.steps[*run.step], event);
  }

  void end_step(Run& run, ExpectedStep& step, v1::SyncEvent& event) {
    step.ended_ns = run.now_ns;
    const bool measured = pick(2) == 0;
    if (measured) {
      step.duration_ns = static_cast<std::int64_t>(pick(1'000'000'000));
    } else if (step.started_ns) {
      step.duration_ns = run.now_ns - *step.started_ns;
    }
    if (pick(5) == 0) {
      auto& failed = *event.mutable_step_failed();
      failed.set_step_id(run.step->first);
      failed.set_step_attempt(run.step->second);
      failed.set_error("it broke");
      if (measured) set_time(*failed.mutable_duration(), *step.duration_ns);
      step.failed = true;
      step.error = "it broke";
      if (pick(2) == 0) run.again = {run.step->first, run.step->second + 1};
    } else {
      auto& completed = *event.mutable_step_completed();
      completed.set_step_id(run.step->first);
      completed.set_step_attempt(run.step->second);
      if (pick(4) != 0) completed.set_entities(*(step.entities = pick(1'000)));
      if (pick(4) != 0) completed.set_relationships(*(step.relationships = pick(1'000)));
      if (measured) set_time(*completed.mutable_duration(), *step.duration_ns);
    }
    run.step.reset();
  }

  void commit_stats(ExpectedRun& expected, v1::SyncEvent& event) {
    auto& stats = *event.mutable_stats_committed()->mutable_stats();
    const auto set = [&](std::size_t which, auto&& setter) {
      if (pick(3) == 0) return;
      const std::uint64_t count = pick(100);
      setter(count);
      add(expected.stats[which], count);
    };
    set(0, [&](std::uint64_t n) { stats.set_entities_created(n); });
    set(1, [&](std::uint64_t n) { stats.set_entities_updated(n); });
    set(2, [&](std::uint64_t n) { stats.set_entities_deleted(n); });
    set(3, [&](std::uint64_t n) { stats.set_relationships_created(n); });
    set(4, [&](std::uint64_t n) { stats.set_relationships_updated(n); });
    set(5, [&](std::uint64_t n) { stats.set_relationships_deleted(n); });
    ++expected.revision;
  }

  void complete(const Run& run, ExpectedRun& expected, v1::SyncEvent& event) {
    auto& completed = *event.mutable_completed();
    if (pick(6) == 0) {
      completed.set_signal(*(expected.signal = 9));
    } else {
      completed.set_exit_code(*(expected.exit_code = static_cast<int>(pick(3))));
    }
    expected.finished_ns = run.now_ns;
    if (pick(2) == 0) {
      expected.duration_ns = static_cast<std::int64_t>(pick(1'000'000'000));
      set_time(*completed.mutable_duration(), *expected.duration_ns);
    } else if (expected.started_ns) {
      expected.duration_ns = run.now_ns - *expected.started_ns;
    }
    ++expected.revision;
  }

  // Logs

  void send_logs(Run& run) {
    ExpectedRun& expected = oracle_.runs[run.id];
    v1::LogBatch batch;
    fill(*batch.mutable_identity(), run, expected);
    if (run.numbered) batch.set_first_sequence(run.log_sequence + 1);
    const std::size_t records = 1 + pick(6);
    for (std::size_t i = 0; i < records; ++i) {
      auto& record = *batch.add_records();
      const auto severity = pick(8);
      set_time(*record.mutable_logged_at(), run.now_ns);
      record.set_severity(static_cast<v1::Severity>(severity + 1));
      record.set_stream(v1::LOG_STREAM_APPLICATION);
      record.set_message("line " + std::to_string(++run.log_sequence) + " of " + run.id);
      ++expected.log_counts[severity];
      expected.messages.push_back(record.message());
      if (pick(10) == 0) {
        record.set_stream(v1::LOG_STREAM_CONTAINER_API);
        auto& call = *record.mutable_api_call();
        call.set_method("GET");
        call.set_request_uri("/files/" + std::to_string(run.log_sequence));
        call.set_response_code(404);
        expected.api_failures.insert(call.request_uri());
      }
    }
    const std::string bytes = batch.SerializeAsString();
    produce(topics_.logs, run.id, bytes, {});
    if (run.numbered && pick(30) == 0) produce(topics_.logs, run.id, bytes, {});
  }

  // Operations

  void send_operation() {
    const std::string id = "operation-" + std::to_string(pick(40));
    ExpectedOperation& expected = oracle_.operations[id];
    operation_now_ns_ += 1'000'000;
    if (pick(20) == 0) {
      // A removal carries no time of its own: the record's own holds, which is later than all these.
      expected.removed = true;
      produce(topics_.operations, id, std::nullopt, {});
      return;
    }
    if (expected.removed) return;
    v1::Operation operation;
    operation.set_operation_id(id);
    operation.set_name("build_connector");
    operation.set_status("status-" + std::to_string(pick(1'000)));
    const bool stale = expected.updated_ns != 0 && pick(5) == 0;
    const std::int64_t at_ns = stale ? expected.updated_ns - 1 : operation_now_ns_;
    set_time(*operation.mutable_created_at(), kBegin_ns);
    set_time(*operation.mutable_updated_at(), at_ns);
    if (!stale) {
      expected.status = operation.status();
      expected.updated_ns = at_ns;
    }
    produce(topics_.operations, id, operation.SerializeAsString(), {});
  }

  struct Waiting {
    std::string topic;
    std::function<void(std::int32_t, std::int64_t)> on_delivery;
  };

  kafka::Properties properties_;
  kafka::TopicNames topics_;
  std::mt19937_64 random_;
  Mischief mischief_;
  struct Overtaken {
    std::size_t run = 0;
    std::string bytes;
    std::size_t wait = 0;
  };
  std::vector<Overtaken> overtaken_;
  /// By run.
  std::vector<std::pair<std::size_t, std::string>> late_;
  std::unique_ptr<kafka::Producer> producer_;
  std::vector<Waiting> waiting_;
  std::vector<Run> runs_;
  std::vector<std::size_t> active_;
  std::int64_t operation_now_ns_ = kBegin_ns;
  std::size_t sent_ = 0;
  std::uint64_t events_sent_ = 0;
  std::string trouble_;
  Oracle oracle_;
};

Workload::Workload(const kafka::Properties& properties, kafka::TopicNames topics, std::uint64_t seed, std::size_t runs, std::size_t events,
                   Mischief mischief)
    : impl_(std::make_unique<Impl>(properties, std::move(topics), seed, runs, events, mischief)) {}
Workload::~Workload() = default;

bool Workload::send(std::size_t records) {
  return impl_->send(records);
}
Oracle Workload::finish(std::int32_t partitions) {
  return impl_->finish(partitions);
}
const std::map<std::pair<std::string, std::int32_t>, std::int64_t>& Workload::settle() {
  return impl_->settle();
}
void Workload::forget(const std::string& topic) {
  impl_->forget(topic);
}
std::uint64_t Workload::events_sent() const noexcept {
  return impl_->events_sent();
}

}  // namespace runfold::collector::test

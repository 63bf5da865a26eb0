// Emits through the SDK and through bare librdkafka, the same records: what the call costs, and how fast they are delivered.
#include "producer/sdk/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

enum class Way { kEvent, kLog, kBareEvent, kBareLog };

struct Load {
  std::string bootstrap;
  std::string topic;
  Way way = Way::kBareEvent;
  std::uint64_t records = 1'000'000;
  /// Records a second; 0: as fast as they are taken.
  std::uint32_t rate = 0;
  /// Of a bare record: leaves out the headers that the contract asks for.
  bool without_headers = false;
};

constexpr const char* kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// About 160 bytes on the wire.
runfold::v1::SyncEvent an_event() {
  runfold::v1::SyncEvent event;
  auto& progress = *event.mutable_progress();
  progress.set_step_id("upload-invoices");
  progress.set_done(1234);
  progress.set_total(98765);
  progress.set_message("uploading");
  return event;
}

runfold::v1::LogRecord a_line() {
  runfold::v1::LogRecord record;
  record.set_severity(runfold::v1::SEVERITY_INFO);
  record.set_stream(runfold::v1::LOG_STREAM_APPLICATION);
  record.set_step_id("upload-invoices");
  record.set_message("uploaded invoice 12345 of 98765 to the container, 2 relationships, 1 warning");
  return record;
}

std::uint32_t nanoseconds_since(Clock::time_point before) {
  return static_cast<std::uint32_t>(std::min<std::int64_t>((Clock::now() - before).count(), UINT32_MAX));
}

/// Eighty small functions one after another, which take about as long as Run::emit and share no memory with anybody. What becomes of
/// their time is the machine's doing: code that was not run for a while is slow in itself.
class Floor {
 public:
  /// How long it took, in nanoseconds.
  std::uint32_t take() {
    const auto before = Clock::now();
    number_ = call(number_, std::make_index_sequence<80>());
    kept_.store(number_, std::memory_order_relaxed);
    return nanoseconds_since(before);
  }

 private:
  template <std::size_t N>
  [[gnu::noinline]] static std::uint64_t one(std::uint64_t number) {
    if (number == N) return 0;
    number = number * 6364136223846793005U + N;
    return number == N + 1 ? N : number;
  }
  template <std::size_t... N>
  static std::uint64_t call(std::uint64_t number, std::index_sequence<N...>) {
    ((number = one<N>(number)), ...);
    return number;
  }

  std::uint64_t number_ = 1;
  std::atomic<std::uint64_t> kept_{0};
};

struct Times {
  std::vector<std::uint32_t> calls;
  std::vector<std::uint32_t> floor;
};

/// Calls `emit`, which says whether it took the record, for each record; paced when there is a rate, and else again after
/// `wait_for_room` where it was refused. Gives each call's time, in nanoseconds, and that of the floor just before it.
Times send(const Load& load, const std::function<bool()>& emit, const std::function<void()>& wait_for_room, std::uint64_t& refused) {
  // Written once before: a page that the kernel had to find first would stand in the time of one call in a thousand.
  Times times{std::vector<std::uint32_t>(load.rate != 0 ? load.records : 0), std::vector<std::uint32_t>(load.rate != 0 ? load.records : 0)};
  Floor floor;
  std::minstd_rand random(7);
  const auto begin = Clock::now();
  for (std::uint64_t i = 0; i < load.records; ++i) {
    if (load.rate != 0) {
      // At any moment of its turn: on the stroke, each would come at the same distance from the ticks of the kernel's timer.
      const std::chrono::nanoseconds turn(1'000'000'000 / load.rate);
      const auto due = begin + turn * i + std::chrono::nanoseconds(random() % static_cast<std::uint64_t>(turn.count()));
      while (Clock::now() < due) {
      }
      times.floor[i] = floor.take();
      const auto before = Clock::now();
      refused += emit() ? 0 : 1;
      times.calls[i] = nanoseconds_since(before);
      continue;
    }
    while (!emit()) {
      ++refused;
      wait_for_room();
    }
  }
  return times;
}

struct Figures {
  double seconds = 0;
  std::uint64_t delivered = 0;
  std::uint64_t refused = 0;
  Times times;
};

Figures through_the_sdk(const Load& load) {
  runfold::Settings settings;
  settings.kafka.set("bootstrap.servers", load.bootstrap).value();
  settings.topics.events = load.topic;
  settings.topics.logs = load.topic;
  settings.connector_id = "bench-connector";
  settings.heartbeat_interval = std::chrono::milliseconds(0);
  if (load.rate == 0) settings.queue_bytes = 64 * 1024 * 1024;
  const auto producer = runfold::Producer::create(settings).value();
  auto run = producer->start_run();
  // The connection is there before the clock starts.
  if (!producer->wait([](const auto& report) { return report.acknowledged >= 1; }, std::chrono::seconds(20)))
    throw std::runtime_error("no Kafka");

  const runfold::v1::SyncEvent event = an_event();
  const runfold::v1::LogRecord line = a_line();
  Figures figures;
  const auto begin = Clock::now();
  const auto emit = [&] { return load.way == Way::kEvent ? run.emit(event) : run.log(line); };
  const auto wait_for_room = [&] {
    const auto pending = producer->report().pending;
    static_cast<void>(producer->wait([&](const auto& report) { return report.pending < pending - pending / 8; }, std::chrono::seconds(20)));
  };
  figures.times = send(load, emit, wait_for_room, figures.refused);
  run.finish({});
  const auto report = producer->close(std::chrono::minutes(1));
  figures.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  figures.delivered = report.acknowledged;
  return figures;
}

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  std::array<char, 256> why{};
  if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) throw std::runtime_error(why.data());
}

/// Hands the same record to librdkafka, one by one, with the settings that the SDK uses.
Figures through_librdkafka(const Load& load, const std::string& bytes) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", load.bootstrap);
  set(conf, "enable.idempotence", "true");
  set(conf, "compression.codec", "lz4");
  set(conf, "linger.ms", "10");
  set(conf, "queue.buffering.max.messages", "1000000");
  std::uint64_t delivered = 0;
  rd_kafka_conf_set_opaque(conf, &delivered);
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* count) {
    *static_cast<std::uint64_t*>(count) += message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 1 : 0;
  });
  std::array<char, 256> why{};
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (client == nullptr) throw std::runtime_error(why.data());
  const std::string key = "11111111-0000-4000-8000-000000000001";
  // What the SDK's records have. All is ready made: the call is measured, and not what a caller has to write for it.
  const std::string id = key + "/1/22222222-0000-4000-8000-000000000002/" + load.topic + "/1234567";
  const std::array<std::pair<const char*, std::string_view>, 7> headers{{{"traceparent", kTraceparent},
                                                                         {"content-type", "application/protobuf"},
                                                                         {"ce_specversion", "1.0"},
                                                                         {"ce_id", id},
                                                                         {"ce_type", "runfold.v1.SyncEvent"},
                                                                         {"ce_source", "bench-connector"},
                                                                         {"ce_time", "2026-05-16T14:32:11.123Z"}}};
  std::vector<rd_kafka_vu_t> record;
  const auto part = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    record.emplace_back().vtype = type;
    return record.back();
  };
  const auto set_bytes = [&](rd_kafka_vtype_t type, const std::string& of) {
    auto& mem = part(type).u.mem;
    mem.ptr = const_cast<char*>(of.data());
    mem.size = of.size();
  };
  part(RD_KAFKA_VTYPE_TOPIC).u.cstr = load.topic.c_str();
  part(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  part(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = 1'790'000'000'123;
  set_bytes(RD_KAFKA_VTYPE_KEY, key);
  set_bytes(RD_KAFKA_VTYPE_VALUE, bytes);
  for (const auto& [name, value] : headers) {
    if (load.without_headers) break;
    auto& header = part(RD_KAFKA_VTYPE_HEADER).u.header;
    header.name = name;
    header.val = value.data();
    header.size = static_cast<ssize_t>(value.size());
  }
  // rd_kafka_producev() makes such a list of its arguments and calls this.
  const auto produce = [&] {
    rd_kafka_error_t* refusal = rd_kafka_produceva(client, record.data(), record.size());
    if (refusal == nullptr) return true;
    rd_kafka_error_destroy(refusal);
    return false;
  };
  if (!produce()) throw std::runtime_error("the first record was refused");
  rd_kafka_flush(client, 20'000);
  if (delivered != 1) throw std::runtime_error("no Kafka");

  // Delivery reports are taken by a thread of their own, as the SDK's delivery thread does.
  std::atomic<bool> done = false;
  std::thread reports([&] {
    while (!done) rd_kafka_poll(client, 10);
  });
  Figures figures;
  const auto begin = Clock::now();
  figures.times = send(
      load, produce, [] { std::this_thread::yield(); }, figures.refused);
  done = true;
  reports.join();
  rd_kafka_flush(client, 60'000);
  figures.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  figures.delivered = delivered;
  rd_kafka_destroy(client);
  return figures;
}

/// An event as the SDK puts it on the wire, a Kafka record each.
std::string event_on_the_wire() {
  runfold::v1::SyncEvent event = an_event();
  auto& identity = *event.mutable_identity();
  identity.set_run_id("11111111-0000-4000-8000-000000000001");
  identity.set_connector_id("bench-connector");
  identity.set_attempt(1);
  identity.set_source_id("22222222-0000-4000-8000-000000000002");
  event.set_sequence(1234567);
  event.mutable_occurred_at()->set_seconds(1'790'000'000);
  event.mutable_occurred_at()->set_nanos(123'456'789);
  event.mutable_trace()->set_traceparent(kTraceparent);
  return event.SerializeAsString();
}

/// A log record by itself, without the batch around it that says whose it is.
std::string line_on_the_wire() {
  runfold::v1::LogRecord line = a_line();
  line.mutable_logged_at()->set_seconds(1'790'000'000);
  line.mutable_logged_at()->set_nanos(123'456'789);
  return line.SerializeAsString();
}

/// As members of a JSON object, each name with `suffix`.
void tell(std::vector<std::uint32_t> times, const std::string& suffix) {
  std::sort(times.begin(), times.end());
  for (const auto& [name, part] : {std::pair("p50", 0.5), {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}}) {
    std::cout << ", \"" << name << suffix << "\": " << times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
  }
}

void tell(const Load& load, Figures figures) {
  std::cout << "{\"records\": " << load.records << ", \"delivered\": " << figures.delivered << ", \"refused\": " << figures.refused
            << ", \"seconds\": " << figures.seconds;
  if (!figures.times.calls.empty()) {
    tell(std::move(figures.times.calls), "_ns");
    tell(std::move(figures.times.floor), "_floor_ns");
  }
  std::cout << "}\n";
}

}  // namespace

int main(int argc, char** argv) {
  Load load;
  const std::map<std::string, Way> ways{
      {"event", Way::kEvent}, {"log", Way::kLog}, {"bare-event", Way::kBareEvent}, {"bare-log", Way::kBareLog}};
  CLI::App app("Emits records and tells what that cost.");
  app.add_option("--bootstrap-servers", load.bootstrap)->required();
  app.add_option("--topic", load.topic)->required();
  app.add_option("--with", load.way, "Run::emit, Run::log, or rd_kafka_producev of such a record")
      ->transform(CLI::CheckedTransformer(ways))
      ->required();
  app.add_option("--records", load.records);
  app.add_option("--rate", load.rate, "records a second; 0: as fast as they are taken");
  app.add_flag("--without-headers", load.without_headers, "of a bare record: leaves out its headers");
  CLI11_PARSE(app, argc, argv);
  runfold::kafka::Properties properties;
  properties.set("bootstrap.servers", load.bootstrap).value();
  const runfold::kafka::TopicPolicy policy{.name = load.topic, .partitions = 4, .replication = 1, .config = {}};
  runfold::kafka::create_topics(properties, {policy}, std::chrono::seconds(30)).value();
  const bool sdk = load.way == Way::kEvent || load.way == Way::kLog;
  tell(load,
       sdk ? through_the_sdk(load) : through_librdkafka(load, load.way == Way::kBareEvent ? event_on_the_wire() : line_on_the_wire()));
}

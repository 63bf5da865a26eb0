// What runs do and say, and what becomes of it on the way to the log.
#include "tests/simulation/connectors.hpp"

#include "tests/simulation/time.hpp"

#include <algorithm>

namespace runfold::simulation {
namespace {

void set(google::protobuf::Timestamp& time, std::int64_t at_ns) {
  time.set_seconds(at_ns / kSecond);
  time.set_nanos(static_cast<std::int32_t>(at_ns % kSecond));
}
void set(google::protobuf::Duration& time, std::int64_t length_ns) {
  time.set_seconds(length_ns / kSecond);
  time.set_nanos(static_cast<std::int32_t>(length_ns % kSecond));
}

std::int32_t hashed(const std::string& key, std::int32_t partitions) {
  std::uint32_t hash = 2166136261;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return static_cast<std::int32_t>(hash % static_cast<std::uint32_t>(partitions));
}

}  // namespace

std::int64_t Connectors::clock(const Source& source) const {
  return now_ns() + source.skew_ns;
}

std::int32_t Connectors::partition(const Run& run) const {
  return manners_.follow_partitions ? hashed(run.id, kafka_.partitions(kEvents)) : run.partition;
}

void Connectors::act() {
  pass(random_.between(1'000, 40 * kMs));
  if (random_.below(1'000) < manners_.poison * 10) return emit_poison();
  if (random_.percent(3)) return emit_operation();
  if (active_.empty() || (active_.size() < 6 && random_.percent(15))) return begin_run();
  const std::size_t place = random_.below(active_.size());
  Run& run = active_[place];
  Source& source = run.sources[random_.below(run.sources.size())];
  run.last_ns = now_ns();
  if (manners_.wrong_clocks && random_.percent(5)) source.skew_ns = random_.between(-kHour, kHour);
  if (!source.ended && random_.percent(25)) {
    emit_logs(run, source);
  } else if (!source.ended) {
    emit_event(run, source);
  }
  const bool ended = std::ranges::all_of(run.sources, &Source::ended);
  const bool dies = random_.below(1'000) < 8;
  if (dies) trace_("  connector: ", run.id, "/", run.attempt, " dies");
  if (!ended && !dies) return;
  // Sometimes it is tried again.
  if (random_.percent(30)) {
    const std::string id = run.id;
    const std::uint32_t attempt = run.attempt + 1;
    begin_run();
    active_.back().id = id;
    active_.back().attempt = attempt;
    active_.back().partition = hashed(id, kafka_.partitions(kEvents));
  }
  active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(place));
}

void Connectors::keep_alive() {
  for (Run& run : active_) {
    const auto source = std::ranges::find(run.sources, false, &Source::ended);
    if (now_ns() - run.last_ns < kHeartbeat || source == run.sources.end()) continue;
    run.last_ns = now_ns();
    if (run.logs_instead) {
      emit_logs(run, *source);
    } else {
      v1::SyncEvent event;
      event.mutable_heartbeat();
      source->events.set_emitted(source->events.emitted() + 1);
      send_event(run, *source, std::move(event));
    }
  }
}

void Connectors::begin_run() {
  Run& run = active_.emplace_back();
  run.last_ns = now_ns();
  run.logs_instead = random_.percent(30);
  run.id = "run-" + std::to_string(++runs_);
  run.connector = "connector-" + std::to_string(random_.below(3));
  run.version = random_.percent(80) ? "1." + std::to_string(random_.below(3)) : "";
  run.site = random_.percent(80) ? "site-" + std::to_string(random_.below(3)) : "";
  if (random_.percent(30)) run.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b" + std::to_string(runs_ % 10) + "-01";
  run.partition = hashed(run.id, kafka_.partitions(kEvents));
  run.left = 3 + random_.below(25);
  const std::size_t sources = random_.percent(60) ? 1 : 2 + random_.below(2);
  for (std::size_t i = 0; i < sources; ++i) {
    Source& source = run.sources.emplace_back();
    // Names in no order, so that the order of arrival and that of names differ.
    source.name = std::string(1, static_cast<char>('a' + random_.below(26))) + std::to_string(i);
    source.numbered = !manners_.unnumbered_sources || random_.percent(70);
    if (manners_.wrong_clocks && random_.percent(50)) source.skew_ns = random_.between(-24 * kHour, 24 * kHour);
    source.events.set_topic(v1::TOPIC_EVENTS);
    source.logs.set_topic(v1::TOPIC_LOGS);
  }
}

void Connectors::fill_identity(const Run& run, const Source& source, v1::RunIdentity& identity) {
  identity.set_run_id(run.id);
  identity.set_attempt(run.attempt);
  identity.set_source_id(source.name);
  if (!random_.percent(3)) identity.set_connector_id(run.connector);
  identity.set_version(random_.percent(5) ? "other" : run.version);
  identity.set_site(run.site);
}

bool Connectors::maybe_dropped(v1::TopicTotals& totals) {
  totals.set_emitted(totals.emitted() + 1);
  if (!random_.percent(manners_.dropped)) return false;
  const auto reason = static_cast<v1::DropReason>(1 + random_.below(2));
  auto& drops = *totals.mutable_drops();
  auto at = std::ranges::find(drops, reason, &v1::DropCount::reason);
  if (at == drops.end()) {
    totals.add_drops()->set_reason(reason);
    at = drops.end() - 1;
  }
  at->set_records(at->records() + 1);
  return true;
}

// Events

void Connectors::emit_event(Run& run, Source& source) {
  v1::SyncEvent event;
  if (run.left > 0) --run.left;
  fill_event(run, source, event);
  if (!event.has_completed()) {
    if (maybe_dropped(source.events)) return;
  }
  send_event(run, source, std::move(event));
}

void Connectors::send_event(Run& run, Source& source, v1::SyncEvent event) {
  fill_identity(run, source, *event.mutable_identity());
  if (source.numbered) event.set_sequence(++source.event_sequence);
  const std::int64_t at_ns = clock(source);
  if (!source.numbered || !random_.percent(4)) set(*event.mutable_occurred_at(), at_ns);
  if (!run.traceparent.empty()) event.mutable_trace()->set_traceparent(run.traceparent);
  Sent sent;
  sent.key = run.id;
  sent.value = event.SerializeAsString();
  sent.meaning = std::move(event);
  send({kEvents, partition(run)}, at_ns, std::move(sent));
}

void Connectors::fill_event(Run& run, Source& source, v1::SyncEvent& event) {
  if (run.left == 0) return complete(source, event);
  if (!std::exchange(run.begun, true) && random_.percent(90)) {
    auto& started = *event.mutable_started();
    if (random_.percent(50)) set(*started.mutable_heartbeat_interval(), kHeartbeat);
    if (random_.percent(50)) started.set_os_pid(random_.below(30'000));
    if (random_.percent(50)) started.set_host("host-" + std::to_string(random_.below(3)));
    if (random_.percent(20)) started.set_account("account");
    return;
  }
  switch (random_.below(12)) {
    case 0:
    case 1:
      event.mutable_heartbeat();
      return;
    case 2: {
      auto& progress = *event.mutable_progress();
      progress.set_done(random_.below(1'000));
      if (random_.percent(50)) progress.set_total(1'000);
      if (run.step) progress.set_step_id(run.step->first);
      if (random_.percent(30)) progress.set_message("getting on");
      return;
    }
    case 3:
    case 4: {
      auto& stats = *event.mutable_stats_committed()->mutable_stats();
      if (random_.percent(60)) stats.set_entities_created(random_.below(100));
      if (random_.percent(60)) stats.set_entities_updated(random_.below(100));
      if (random_.percent(60)) stats.set_relationships_deleted(random_.below(100));
      return;
    }
    default:
      break;
  }
  if (run.step) return end_step(run, event);
  run.step = run.again ? *std::exchange(run.again, std::nullopt) : std::pair("step-" + std::to_string(run.steps++), std::uint32_t{1});
  if (random_.percent(10)) return end_step(run, event);  // Its start is never told of.
  event.mutable_step_started()->set_step_id(run.step->first);
  event.mutable_step_started()->set_step_attempt(run.step->second);
}

void Connectors::end_step(Run& run, v1::SyncEvent& event) {
  const auto [step, attempt] = *std::exchange(run.step, std::nullopt);
  if (random_.percent(30)) {
    auto& failed = *event.mutable_step_failed();
    failed.set_step_id(step);
    failed.set_step_attempt(attempt);
    failed.set_error("it broke at try " + std::to_string(attempt));
    if (random_.percent(50)) set(*failed.mutable_duration(), random_.between(0, kMinute));
    if (random_.percent(70)) run.again = {step, attempt + 1};
    return;
  }
  auto& completed = *event.mutable_step_completed();
  completed.set_step_id(step);
  completed.set_step_attempt(attempt);
  if (random_.percent(80)) completed.set_entities(random_.below(1'000));
  if (random_.percent(50)) completed.set_relationships(random_.below(1'000));
  if (random_.percent(50)) set(*completed.mutable_duration(), random_.between(0, kMinute));
}

void Connectors::complete(Source& source, v1::SyncEvent& event) {
  source.ended = true;
  auto& completed = *event.mutable_completed();
  switch (random_.below(6)) {
    case 0:
      completed.set_signal(9);
      break;
    case 1:
      completed.set_result(static_cast<v1::RunResult>(1 + random_.below(5)));
      break;
    case 2:
      break;  // It says nothing.
    default:
      completed.set_exit_code(static_cast<std::int32_t>(random_.below(3)));
  }
  if (random_.percent(30)) completed.set_error("because");
  if (random_.percent(50)) set(*completed.mutable_duration(), random_.between(0, kHour));
  source.events.set_emitted(source.events.emitted() + 1);
  if (random_.percent(10)) return;  // No account of itself.
  source.events.set_last_sequence(source.event_sequence + 1);
  source.logs.set_last_sequence(source.log_sequence);
  *completed.add_totals() = source.events;
  if (random_.percent(90)) *completed.add_totals() = source.logs;
}

// Logs, operations, poison

void Connectors::emit_logs(Run& run, Source& source) {
  v1::LogBatch batch;
  fill_identity(run, source, *batch.mutable_identity());
  if (source.numbered) batch.set_first_sequence(source.log_sequence + 1);
  if (source.numbered && source.last_batch && source.last_partition == partition(run) && random_.percent(manners_.duplicated)) {
    // Sent again in another grouping: the end of the last batch with what is new.
    const auto& last = *source.last_batch;
    *batch.mutable_identity() = last.identity();
    const int again = 1 + static_cast<int>(random_.below(static_cast<std::size_t>(last.records_size())));
    batch.set_first_sequence(source.log_sequence + 1 - static_cast<std::uint64_t>(again));
    for (int i = last.records_size() - again; i < last.records_size(); ++i) *batch.add_records() = last.records(i);
  }
  const std::int64_t at_ns = clock(source);
  for (std::size_t n = 1 + random_.below(5); n > 0; --n) {
    if (maybe_dropped(source.logs)) continue;
    auto& record = *batch.add_records();
    record.set_message(run.id + "/" + std::to_string(run.attempt) + " " + source.name + " says " + std::to_string(++source.log_sequence));
    if (random_.percent(90)) set(*record.mutable_logged_at(), at_ns + static_cast<std::int64_t>(n));
    record.set_severity(static_cast<v1::Severity>(random_.below(9)));
    record.set_stream(static_cast<v1::LogStream>(random_.below(4)));
    if (!random_.percent(10)) continue;
    record.set_stream(v1::LOG_STREAM_CONTAINER_API);
    auto& call = *record.mutable_api_call();
    call.set_method("GET");
    constexpr const char* kThings[] = {"/orders/", "/files/", "/invoices/"};
    const std::string number = std::to_string(random_.below(100'000));
    call.set_request_uri(kThings[random_.below(3)] + number + "?of=" + record.message());
    call.set_response_body("{\"error\": \"" + number + " is gone\"}");
    if (random_.percent(80)) call.set_response_code(static_cast<std::uint32_t>(400 + random_.below(200)));
  }
  if (batch.records_size() == 0) return;
  Sent sent;
  sent.key = run.id;
  sent.value = batch.SerializeAsString();
  source.last_batch = batch;
  source.last_partition = partition(run);
  sent.meaning = std::move(batch);
  send({kLogs, partition(run)}, at_ns, std::move(sent));
}

void Connectors::emit_operation() {
  Sent sent;
  sent.key = "operation-" + std::to_string(random_.below(5));
  if (random_.percent(15)) {
    sent.meaning = Removal{};
  } else {
    v1::Operation operation;
    operation.set_operation_id(sent.key);
    operation.set_name("build");
    operation.set_status("status-" + std::to_string(random_.below(1'000)));
    if (random_.percent(80)) set(*operation.mutable_updated_at(), now_ns() - (random_.percent(20) ? kMinute : 0));
    if (random_.percent(80)) set(*operation.mutable_created_at(), kBegin);
    sent.value = operation.SerializeAsString();
    sent.meaning = std::move(operation);
  }
  send({kOperations, hashed(sent.key, kafka_.partitions(kOperations))}, now_ns(), std::move(sent));
}

void Connectors::emit_poison() {
  v1::SyncEvent nameless;
  nameless.mutable_started();
  const std::array<std::string, 4> kinds{"\xff\xff\xff", "", nameless.SerializeAsString(), std::string(5'000, 'x')};
  Sent sent;
  sent.key = "poison";
  sent.value = kinds[random_.below(kinds.size())];
  sent.meaning = Poison{};
  const std::string& topic = random_.percent(60) ? kEvents : kLogs;
  send({topic, static_cast<std::int32_t>(random_.below(static_cast<std::size_t>(kafka_.partitions(topic))))}, now_ns(), std::move(sent));
}

// The network

void Connectors::send(kafka::TopicPartition at, std::int64_t timestamp_ns, Sent sent) {
  Flight flight;
  flight.entry.sent = std::make_shared<const Sent>(std::move(sent));
  flight.entry.timestamp_ms = timestamp_ns / kMs;
  if (random_.percent(manners_.an_hour_late)) flight.not_before_ns = now_ns() + kHour;
  if (random_.percent(manners_.lost)) return;
  auto& flights = flights_[at];
  flights.push_back(flight);
  if (random_.percent(manners_.duplicated)) flights.push_back(flight);
}

void Connectors::deliver(std::size_t records) {
  if (!kafka_.up()) return;
  for (auto& [at, flights] : flights_) {
    for (std::size_t n = records; n > 0 && !flights.empty(); --n) {
      const std::size_t place = manners_.reordered ? random_.below(std::min(kReorder, flights.size())) : 0;
      const auto from = flights.begin() + static_cast<std::ptrdiff_t>(place);
      const auto next = std::find_if(from, flights.end(), [](const Flight& flight) { return flight.not_before_ns <= now_ns(); });
      if (next == flights.end()) break;
      Entry entry = std::move(next->entry);
      flights.erase(next);
      entry.appended_ns = now_ns();
      if (!manners_.create_time) entry.timestamp_ms = now_ns() / kMs;
      kafka_.append(at, std::move(entry));
    }
  }
}

void Connectors::deliver_what_is_not_late() {
  for (std::size_t left = under_way() + 1; left > under_way();) {
    left = under_way();
    deliver(100);
  }
}

void Connectors::deliver_all() {
  for (auto& [at, flights] : flights_) {
    for (Flight& flight : flights) flight.not_before_ns = 0;
  }
  while (under_way() > 0) deliver(100);
}

std::size_t Connectors::under_way() const noexcept {
  std::size_t sum = 0;
  for (const auto& [at, flights] : flights_) sum += flights.size();
  return sum;
}

}  // namespace runfold::simulation

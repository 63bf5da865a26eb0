// One step: notices, acknowledgements, records, endings, batches, heartbeats.
#include "producer/delivery/dispatcher.hpp"

#include "producer/delivery/wire.hpp"
#include "runfold/v1/log.pb.h"

#include <algorithm>
#include <cassert>
#include <thread>
#include <utility>

namespace runfold::delivery {
namespace {

/// Records taken in one step before acknowledgements are looked at again.
constexpr std::size_t kRecordsAStep = 4096;

/// Runs whose Completed waits to be sent. Above it, the Completed of a further one is dropped as queue_full.
constexpr std::size_t kMaxFinishingRuns = 16'384;

/// How far a record's time may lie ahead before its Kafka timestamp is taken from the clock: brokers refuse records from
/// more than an hour ahead, and a connector's own times are not always times.
constexpr std::int64_t kMaxAheadNs = 60'000'000'000;

/// For a while after it took records the thread sleeps this long at a time, and records do not wake it. So a connector pays for
/// no wake-up as long as it emits, even when the scheduler stops it for some slices; Kafka's client gathers records as long.
constexpr std::chrono::milliseconds kNap{2};
constexpr std::chrono::milliseconds kNapping{20};

std::int64_t believable(std::int64_t time_ns, const Now& now) noexcept {
  return time_ns - kMaxAheadNs > now.wall_ns ? now.wall_ns : std::max<std::int64_t>(time_ns, 0);
}

}  // namespace

Dispatcher::Dispatcher(Options options, Ring& ring, Outbox& outbox, Ledger& ledger, Sleeper& sleeper)
    : options_(options), ring_(ring), outbox_(outbox), ledger_(ledger), sleeper_(sleeper), recorder_(options.recordings_bytes, ledger) {}

RunAccount& Dispatcher::open(RunDescription description) {
  auto made = std::make_unique<RunAccount>(std::move(description));
  RunAccount& run = *made;
  const std::lock_guard lock(mutex_);
  runs_.emplace(&run, std::move(made));
  if (run.about.heartbeat_interval.count() > 0) {
    opened_.push_back(&run);
    notices_.store(true, std::memory_order_release);
  }
  return run;
}

void Dispatcher::finish(RunAccount& run, v1::SyncEvent completed, ToldBy told_by) {
  {
    const std::lock_guard lock(mutex_);
    if (shut_ || finishing_runs_.load(std::memory_order_relaxed) >= kMaxFinishingRuns) {
      run.end_unsent = true;
      const Drop reason = shut_ ? Drop::kLate : Drop::kQueueFull;
      if (told_by == ToldBy::kUs) ledger_.refused.at(Channel::kEvents, reason).fetch_add(1, std::memory_order_release);
      return;
    }
    finishing_runs_.fetch_add(1, std::memory_order_relaxed);
    if (told_by == ToldBy::kUs) ledger_.made.fetch_add(1, std::memory_order_release);
    finished_.push_back({.run = &run, .behind = ring_.head(), .completed = std::move(completed), .told_by = told_by});
    notices_.store(true, std::memory_order_release);
  }
  sleeper_.wake(Urgency::kControl);
}

void Dispatcher::release(RunAccount& run) noexcept {
  const std::lock_guard lock(mutex_);
  released_.push_back(&run);
  notices_.store(true, std::memory_order_release);
}

NextStep Dispatcher::step(const Now& now, bool hurry) {
  take_notices(now);
  outbox_.pump(now.steady);
  const bool more = take_records(now);
  complete_runs(now);
  if (hurry) send_recordings_without_end(now);
  send_old_batches(now, hurry);
  send_heartbeats(now);
  outbox_.pump(now.steady);
  if (!leaving_.empty()) free_released(now);
  const NextStep next = next_step(now, more, hurry);
  // What is taken next was queued after this step, or else it would have woken the thread at once.
  napping_since_ = next.least == Urgency::kRecord ? std::nullopt : std::optional(now.steady);
  return next;
}

void Dispatcher::take_notices(const Now& now) {
  if (!notices_.load(std::memory_order_acquire)) return;
  std::vector<RunAccount*> opened;
  std::vector<RunAccount*> released;
  std::vector<Finishing> finished;
  {
    const std::lock_guard lock(mutex_);
    notices_.store(false, std::memory_order_relaxed);
    opened.swap(opened_);
    released.swap(released_);
    finished.swap(finished_);
  }
  for (auto* run : opened) {
    run->last_event = now.steady;
    watch_heartbeat(*run, now.steady + run->about.heartbeat_interval);
  }
  std::move(finished.begin(), finished.end(), std::back_inserter(finishing_));
  for (auto* run : released) {
    run->released_at = ring_.head();
    leaving_.push_back(run);
  }
}

bool Dispatcher::take_records(const Now& now) {
  for (std::size_t taken = 0; outbox_.has_room(); ++taken) {
    if (taken == kRecordsAStep) return true;
    const auto bytes = ring_.front();
    if (bytes.empty()) break;
    took_records_at_ = now.steady;
    take_record(read_queued(bytes), now);
    ring_.pop();
  }
  ring_.publish();
  return false;
}

void Dispatcher::take_record(const Queued& record, const Now& now) {
  RunAccount& run = *record.run;
  if (run.completed) return run.give_up(record.channel, Drop::kLate, 1, ledger_);
  if (record.weight == Weight::kDebug && run.about.recorder_bytes) return recorder_.keep(run, record.time_ns, record.body);
  if (record.weight == Weight::kTrouble) send_recording(run, now);
  if (record.channel == Channel::kEvents) return send_event(run, record, now);
  take_log(run, record.time_ns, record.body, now);
}

void Dispatcher::send_recording(RunAccount& run, const Now& now) {
  for (const auto& record : recorder_.take(run)) take_log(run, record.time_ns, record.body, now);
}

// Once nothing can come any more: nobody will say that these runs went well.
void Dispatcher::send_recordings_without_end(const Now& now) {
  if (!ring_.empty() || !finishing_.empty()) return;
  while (recorder_.any() != nullptr && outbox_.has_room()) send_recording(*recorder_.any(), now);
}

void Dispatcher::send_event(RunAccount& run, const Queued& event, const Now& now) {
  Parcel parcel = outbox_.blank(Channel::kEvents);
  parcel.run = &run;
  parcel.records = 1;
  parcel.sequence = ++run.last_sequence(Channel::kEvents);
  parcel.time_ns = believable(event.time_ns, now);
  parcel.value.assign(run.identity_field);
  wire::append_varint_field(parcel.value, v1::SyncEvent::kSequenceFieldNumber, parcel.sequence);
  parcel.value.append(event.body);
  parcel.value.append(event.trace_field);
  parcel.traceparent.assign(event.traceparent);
  parcel.tracestate.assign(event.tracestate);
  outbox_.send(std::move(parcel));
  run.last_event = now.steady;
}

void Dispatcher::take_log(RunAccount& run, std::int64_t time_ns, std::string_view body, const Now& now) {
  auto& batch = run.batch;
  const std::size_t size = 1 + wire::varint_size(body.size()) + body.size();
  if (batch.records > 0 && batch.bytes.size() + size > options_.batch_bytes) send_batch(run);
  const std::size_t before = batch.bytes.size();
  const auto sequence = ++run.last_sequence(Channel::kLogs);
  if (batch.records == 0) {
    batch.opened = napping_since_.value_or(now.steady);
    batch.in_line = open_batches_.insert(open_batches_.end(), &run);
    batch.first_sequence = sequence;
    batch.latest_ns = believable(time_ns, now);
    batch.bytes.assign(run.identity_field);
    wire::append_varint_field(batch.bytes, v1::LogBatch::kFirstSequenceFieldNumber, sequence);
    batch.bytes.append(run.batch_trace_field);
  }
  wire::append_bytes_head(batch.bytes, v1::LogBatch::kRecordsFieldNumber, body.size());
  batch.bytes.append(body);
  batch.latest_ns = std::max(batch.latest_ns, believable(time_ns, now));
  ++batch.records;
  open_batches_bytes_ += batch.bytes.size() - before;
  if (batch.bytes.size() >= options_.batch_bytes) send_batch(run);
  while (open_batches_bytes_ > options_.open_batches_bytes) send_batch(*open_batches_.front());
}

void Dispatcher::send_batch(RunAccount& run) {
  auto& batch = run.batch;
  assert(batch.records > 0);
  open_batches_.erase(batch.in_line);
  open_batches_bytes_ -= batch.bytes.size();
  Parcel parcel = outbox_.blank(Channel::kLogs);
  parcel.run = &run;
  parcel.records = std::exchange(batch.records, 0);
  parcel.sequence = batch.first_sequence;
  parcel.time_ns = batch.latest_ns;
  parcel.value.swap(batch.bytes);
  batch.bytes.clear();
  parcel.traceparent.assign(run.about.traceparent);
  parcel.tracestate.assign(run.about.tracestate);
  outbox_.send(std::move(parcel));
}

void Dispatcher::send_old_batches(const Now& now, bool hurry) {
  while (!open_batches_.empty()) {
    RunAccount& oldest = *open_batches_.front();
    if (!hurry && now.steady - oldest.batch.opened < options_.batch_age) return;
    send_batch(oldest);
  }
}

void Dispatcher::complete_runs(const Now& now) {
  // Positions rise along the line: finish() read them under its lock.
  while (!finishing_.empty() && outbox_.has_room() && ring_.position() >= finishing_.front().behind) {
    Finishing ending = std::move(finishing_.front());
    finishing_.pop_front();
    RunAccount& run = *ending.run;
    auto& completed = *ending.completed.mutable_completed();
    if (completed.result() == v1::RUN_RESULT_SUCCESS) {
      recorder_.let_go(run, Drop::kNotNeeded);
    } else {
      send_recording(run, now);
    }
    if (run.batch.records > 0) send_batch(run);
    run.completed = true;
    finishing_runs_.fetch_sub(1, std::memory_order_relaxed);
    if (ending.told_by == ToldBy::kAnother) continue;
    completed.clear_totals();
    ++run.last_sequence(Channel::kEvents);  // the totals include the event that carries them
    for (const auto channel : kChannels) *completed.add_totals() = run.totals(channel);
    --run.last_sequence(Channel::kEvents);
    const std::string body = ending.completed.SerializeAsString();
    send_event(run,
               {.run = &run,
                .channel = Channel::kEvents,
                .time_ns = to_ns(ending.completed.occurred_at()),
                .traceparent = ending.completed.trace().traceparent(),
                .tracestate = ending.completed.trace().tracestate(),
                .body = body},
               now);
  }
}

void Dispatcher::watch_heartbeat(RunAccount& run, Clock::time_point due) {
  run.heartbeat_due = due;
  heartbeats_.emplace(due, &run);
}

void Dispatcher::send_heartbeats(const Now& now) {
  while (!heartbeats_.empty() && heartbeats_.begin()->first <= now.steady) {
    RunAccount& run = *heartbeats_.begin()->second;
    heartbeats_.erase(heartbeats_.begin());
    run.heartbeat_due.reset();
    if (run.completed || run.released_at) continue;
    const auto interval = run.about.heartbeat_interval;
    if (now.steady - run.last_event < interval) {
      watch_heartbeat(run, run.last_event + interval);
      continue;
    }
    // With no room there is trouble enough on the way to Kafka, and the next heartbeat says the same.
    if (outbox_.has_room()) {
      v1::SyncEvent event;
      event.mutable_occurred_at()->set_seconds(wire::Timestamp(now.wall_ns).seconds);
      event.mutable_occurred_at()->set_nanos(wire::Timestamp(now.wall_ns).nanos);
      event.mutable_heartbeat();
      const std::string body = event.SerializeAsString();
      ledger_.made.fetch_add(1, std::memory_order_release);
      send_event(run,
                 {.run = &run,
                  .channel = Channel::kEvents,
                  .time_ns = now.wall_ns,
                  .traceparent = run.about.traceparent,
                  .tracestate = run.about.tracestate,
                  .body = body,
                  .trace_field = run.event_trace_field},
                 now);
    }
    watch_heartbeat(run, now.steady + interval);
  }
}

void Dispatcher::free_released(const Now& now) {
  std::erase_if(leaving_, [&](RunAccount* run) {
    const bool all_taken =
        ring_.position() >= *run->released_at && (run->completed || run->end_unsent || !run->finished.load(std::memory_order_relaxed));
    if (!all_taken) return false;
    if (!run->completed) send_recording(*run, now);
    if (run->batch.records > 0 || run->in_flight > 0) return false;
    if (run->heartbeat_due) heartbeats_.erase({*run->heartbeat_due, run});
    outbox_.forget(*run);
    const std::lock_guard lock(mutex_);
    runs_.erase(run);
    return true;
  });
}

NextStep Dispatcher::next_step(const Now& now, bool more, bool hurry) const {
  if (more) return {.at = now.steady};
  NextStep next{.at = outbox_.next_attempt(), .least = Urgency::kRecord};
  if (!open_batches_.empty()) {
    next.at = std::min(next.at, open_batches_.front()->batch.opened + options_.batch_age);
    next.least = Urgency::kEvent;
  }
  if (!heartbeats_.empty()) next.at = std::min(next.at, heartbeats_.begin()->first);
  if (took_records_at_ && now.steady < *took_records_at_ + kNapping && !hurry) {
    next.at = std::min(next.at, now.steady + kNap);
    next.least = Urgency::kFilling;
  }
  // Nothing can be taken: only Kafka, or somebody who closes, changes that.
  if (!outbox_.has_room()) next.least = Urgency::kControl;
  return next;
}

bool Dispatcher::settled() {
  const std::lock_guard lock(mutex_);
  return ring_.empty() && finished_.empty() && finishing_.empty() && open_batches_.empty() && recorder_.any() == nullptr && outbox_.empty();
}

void Dispatcher::shut() {
  ring_.close();
  const std::lock_guard lock(mutex_);
  shut_ = true;
}

void Dispatcher::abandon(const Now& now) {
  outbox_.disconnect();
  take_notices(now);
  while (outbox_.spools() && !ring_.empty()) {
    take_records(now);
    std::this_thread::yield();  // what is left is just being written
  }
  if (outbox_.spools()) {
    complete_runs(now);
    send_recordings_without_end(now);
  }
  while (!ring_.empty()) {
    const auto bytes = ring_.front();
    if (bytes.empty()) {  // claimed before the ring was shut, and just being written
      std::this_thread::yield();
      continue;
    }
    const Queued record = read_queued(bytes);
    record.run->give_up(record.channel, Drop::kDeliveryTimeout, 1, ledger_);
    ring_.pop();
  }
  ring_.publish();
  while (recorder_.any() != nullptr) recorder_.let_go(*recorder_.any(), Drop::kDeliveryTimeout);
  while (!open_batches_.empty()) send_batch(*open_batches_.front());
  std::erase_if(finishing_, [](const Finishing& ending) { return ending.told_by == ToldBy::kAnother; });
  for (const auto& ending : finishing_) ending.run->give_up(Channel::kEvents, Drop::kDeliveryTimeout, 1, ledger_);
  finishing_.clear();
  outbox_.abandon();
}

std::size_t Dispatcher::runs() {
  const std::lock_guard lock(mutex_);
  return runs_.size();
}

}  // namespace runfold::delivery

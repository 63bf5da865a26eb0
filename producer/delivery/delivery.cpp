// The two sides of the ring: the calls of emitting threads, and the loop of the delivery thread.
#include "producer/delivery/delivery.hpp"

#include "producer/delivery/fit.hpp"
#include "producer/redact/records.hpp"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <limits>
#include <utility>

namespace runfold::delivery {
namespace {

std::int64_t wall_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// How long a flush may keep the delivery thread from looking at the time again.
constexpr std::chrono::milliseconds kFlush{50};

constexpr auto kNotClosing = std::numeric_limits<Clock::rep>::max();

}  // namespace

kafka::Result<std::shared_ptr<Delivery>> Delivery::start(const DeliverySettings& settings, ClientFactory make_client,
                                                         kafka::Producer::OnError on_trouble) {
  std::shared_ptr<Delivery> out(new Delivery(settings, std::move(make_client), std::move(on_trouble)));
  if (const auto opened = out->outbox_.open(); !opened) return opened.error();
  redact::prepare();  // while the client connects
  // The connector's signals are not this thread's: it inherits a mask that blocks them all.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  out->thread_ = std::thread([delivery = out.get()] { delivery->work(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return out;
}

Delivery::Delivery(const DeliverySettings& settings, ClientFactory make_client, kafka::Producer::OnError on_trouble)
    : settings_(settings),
      redactor_(*settings_.redactor),
      takes_plain_(settings.record_bytes >= kPlainRecordBytes),
      ring_(settings.queue_bytes),
      outbox_({.topics = settings.topics,
               .in_flight_bytes = settings.queue_bytes,
               .make_client = std::move(make_client),
               .on_trouble = std::move(on_trouble),
               .event_fd = sleeper_.event_fd(),
               .spool = settings.spool},
              ledger_),
      dispatcher_({.batch_age = settings.batch_age,
                   .batch_bytes = settings.batch_bytes,
                   .open_batches_bytes = std::max(settings.queue_bytes / 4, settings.batch_bytes),
                   .recordings_bytes = settings.queue_bytes / 4},
                  ring_, outbox_, ledger_, sleeper_),
      close_by_(kNotClosing) {}

Delivery::~Delivery() {
  close(std::chrono::milliseconds(0));
}

// In the three below "&" is meant: one branch for all, where "&&" would be one for each.

[[gnu::hot]] bool Delivery::log(RunAccount& run, const LogView& record) {
  const bool may_be_plain = takes_plain_ & record.detail_json.empty() & !run.finished.load(std::memory_order_acquire);
  if (may_be_plain && texts_are_plain(redactor_, record.message, record.step_id)) {
    return settle(run, Channel::kLogs, queue_plain(ring_, run, record));
  }
  return queue_with_care(run, record);
}

[[gnu::hot]] bool Delivery::log(RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns) {
  // Than a LogView says; what this program does not know of the contract is left out either way.
  const bool more = record.has_logged_at() || !record.raw().empty() || record.partial() || record.truncated() || record.has_api_call();
  if (!more) {
    return log(run, {.logged_at_ns = logged_at_ns,
                     .severity = record.severity(),
                     .stream = record.stream(),
                     .message = record.message(),
                     .step_id = record.step_id(),
                     .detail_json = record.detail_json()});
  }
  return queue_with_care(run, record, logged_at_ns);
}

[[gnu::hot]] bool Delivery::event(RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults) {
  const bool may_be_plain = takes_plain_ & event.has_progress() & (defaults.traceparent.size() <= kPlainTraceBytes) &
                            !event.has_occurred_at() & !event.has_trace() & !run.finished.load(std::memory_order_acquire);
  if (may_be_plain && texts_are_plain(redactor_, event.progress().message(), event.progress().step_id())) {
    return settle(run, Channel::kEvents, queue_plain(ring_, run, event.progress(), defaults));
  }
  return queue_with_care(run, event, defaults);
}

// Redacted before they are made to fit: a cut could leave the beginning of a secret, which nobody would know.
bool Delivery::queue_with_care(RunAccount& run, const LogView& record) {
  if (run.finished.load(std::memory_order_acquire)) return refuse(run, Channel::kLogs, Drop::kLate);
  const auto message = redactor_.replaced(record.message);
  const auto step_id = redactor_.replaced(record.step_id);
  const auto detail_json = redactor_.replaced_in_json(record.detail_json);
  LogView clean = record;
  if (message) clean.message = *message;
  if (step_id) clean.step_id = *step_id;
  if (detail_json) clean.detail_json = *detail_json;
  return settle(run, Channel::kLogs, queue_log(ring_, run, clean, settings_.record_bytes));
}
bool Delivery::queue_with_care(RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns) {
  if (run.finished.load(std::memory_order_acquire)) return refuse(run, Channel::kLogs, Drop::kLate);
  const auto clean = redact::redacted(redactor_, record);
  return settle(run, Channel::kLogs, queue_log(ring_, run, clean ? *clean : record, logged_at_ns, settings_.record_bytes));
}
bool Delivery::queue_with_care(RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults) {
  if (run.finished.load(std::memory_order_acquire)) return refuse(run, Channel::kEvents, Drop::kLate);
  const auto clean = redact::redacted(redactor_, event);
  return settle(run, Channel::kEvents, queue_event(ring_, run, clean ? *clean : event, defaults, settings_.record_bytes));
}

[[gnu::hot]] bool Delivery::settle(RunAccount& run, Channel channel, const Outcome& outcome) {
  if (outcome.dropped) return refuse(run, channel, *outcome.dropped);
  const bool filling = outcome.used_bytes > settings_.queue_bytes / 4;
  sleeper_.wake(filling ? Urgency::kFilling : channel == Channel::kEvents ? Urgency::kEvent : Urgency::kRecord);
  return true;
}

bool Delivery::refuse(RunAccount& run, Channel channel, Drop reason) noexcept {
  if (reason == Drop::kQueueFull && ledger_.spool_refuses.load(std::memory_order_relaxed)) reason = Drop::kSpoolFull;
  run.refused.at(channel, reason).fetch_add(1, std::memory_order_relaxed);
  ledger_.refused.at(channel, reason).fetch_add(1, std::memory_order_release);
  return false;
}

bool Delivery::finish(RunAccount& run, v1::SyncEvent completed, ToldBy told_by) {
  if (run.finished.exchange(true, std::memory_order_acq_rel)) return refuse(run, Channel::kEvents, Drop::kLate);
  if (auto clean = redact::redacted(redactor_, completed)) completed = std::move(*clean);
  // An end that is too large even when cut tells less, but it tells.
  if (!fit(completed, settings_.record_bytes)) completed.mutable_completed()->clear_error();
  dispatcher_.finish(run, std::move(completed), told_by);
  return true;
}

void Delivery::work() {
  ::pthread_setname_np(::pthread_self(), "runfold-deliver");
  for (;;) {
    const auto close_by = close_by_.load(std::memory_order_acquire);
    if (close_by != kNotClosing) break;
    const NextStep next = dispatcher_.step({.steady = Clock::now(), .wall_ns = wall_ns()});
    tell_waiters();
    ring_.populate();
    if (next.at <= Clock::now()) continue;
    sleeper_.sleep(next.least, next.at, [&] { return next.least <= Urgency::kEvent && !ring_.front().empty(); });
  }
  bool flushed = false;
  for (auto now = Clock::now();; now = Clock::now()) {
    const Clock::time_point close_by{Clock::duration(close_by_.load(std::memory_order_acquire))};  // may come nearer
    const NextStep next = dispatcher_.step({.steady = now, .wall_ns = wall_ns()}, true);
    tell_waiters();
    if (dispatcher_.settled() || now >= close_by) break;
    if (!flushed && ring_.empty() && outbox_.has_room()) {
      // All is handed over: flush() makes the client send at once what it still gathers.
      outbox_.flush(std::min(kFlush, std::chrono::ceil<std::chrono::milliseconds>(close_by - now)));
      flushed = true;
      continue;
    }
    sleeper_.sleep(Urgency::kRecord, std::min(next.at, close_by), [&] { return outbox_.has_room() && !ring_.front().empty(); });
  }
  dispatcher_.abandon({.steady = Clock::now(), .wall_ns = wall_ns()});
  tell_waiters();
}

void Delivery::tell_waiters() noexcept {
  // With the fence in wait(): either this sees the waiter, or the waiter sees what the step before this has counted.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(wait_mutex_);
  stepped_.notify_all();
}

bool Delivery::wait(const std::function<bool(const Report&)>& enough, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::unique_lock lock(wait_mutex_);
  waiters_.fetch_add(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool done = stepped_.wait_until(lock, deadline, [&] { return enough(report()); });
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  return done;
}

void Delivery::begin_close(std::chrono::milliseconds limit) {
  dispatcher_.shut();
  // A limit of a year is as good as any longer one, and does not overflow.
  const auto patience = std::clamp<std::chrono::milliseconds>(limit, std::chrono::milliseconds(0), std::chrono::hours(24 * 365));
  const auto close_by = (Clock::now() + patience).time_since_epoch().count();
  auto before = close_by_.load(std::memory_order_relaxed);
  while (close_by < before && !close_by_.compare_exchange_weak(before, close_by, std::memory_order_acq_rel)) {
  }
  sleeper_.wake(Urgency::kControl);
}

Report Delivery::close(std::chrono::milliseconds limit) {
  begin_close(limit);
  const std::lock_guard lock(close_mutex_);
  if (thread_.joinable()) thread_.join();
  return report();
}

Report Delivery::report() const {
  return ledger_.report([this] { return ring_.records(); });
}

}  // namespace runfold::delivery

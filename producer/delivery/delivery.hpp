// Delivery: from a record handed over to a record that Kafka has, or that is counted as lost.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/dispatcher.hpp"
#include "producer/delivery/outbox.hpp"
#include "producer/delivery/queued.hpp"
#include "producer/delivery/ring.hpp"
#include "producer/delivery/run_account.hpp"
#include "producer/delivery/sleeper.hpp"
#include "producer/redact/redactor.hpp"
#include "transport/kafka/error.hpp"
#include "transport/kafka/topics.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace runfold::delivery {

struct DeliverySettings {
  kafka::TopicNames topics = {};
  /// Bound on the ring. As much again may be handed to Kafka and unacknowledged, once here and once in its client.
  std::size_t queue_bytes = 8 * 1024 * 1024;
  /// A record is made to fit this. Must be at most an eighth of queue_bytes, so that the ring takes several of them.
  std::size_t record_bytes = 256 * 1024;
  std::chrono::milliseconds batch_age{100};
  std::size_t batch_bytes = 64 * 1024;
  /// Absent: memory alone. Its limit must be at least queue_bytes.
  std::optional<SpoolSettings> spool = {};
  /// Replaces the secrets of every record that comes in. Never null.
  std::shared_ptr<const redact::Redactor> redactor = std::make_shared<const redact::Redactor>();
};

/// Owns the ring and the thread that empties it.
///
/// What comes in is in clear; what goes out of here, and what is kept here, has no secrets that the redactor knows. Run
/// descriptions go out as they are.
/// log() and event() never wait: they write into the ring or drop, and count the drop. They make a system call only to
/// wake the delivery thread when it sleeps, or when the ring is filling.
/// Thread: any. Runs must be released before it is destroyed.
class Delivery {
 public:
  /// Makes the client and starts the thread. Errors: those of the factory.
  [[nodiscard]] static kafka::Result<std::shared_ptr<Delivery>> start(const DeliverySettings& settings, ClientFactory make_client,
                                                                      kafka::Producer::OnError on_trouble);
  /// Closes with no patience.
  ~Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  [[nodiscard]] RunAccount& open_run(RunDescription description) { return dispatcher_.open(std::move(description)); }
  void release_run(RunAccount& run) noexcept { dispatcher_.release(run); }

  /// False when it was dropped.
  bool log(RunAccount& run, const LogView& record);
  /// `logged_at_ns`: when, if the record does not say it.
  bool log(RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns);
  /// Its identity and sequence must not be set. False when it was dropped.
  bool event(RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults);
  /// Counts a record that is not to be sent at all, for example because of a rate limit. Always false.
  bool refuse(RunAccount& run, Channel channel, Drop reason) noexcept;
  /// Ends the run, once: sends `completed` with the totals, unless another tells it. False when the run had ended before; then it
  /// is dropped.
  bool finish(RunAccount& run, v1::SyncEvent completed, ToldBy told_by = ToldBy::kUs);

  /// Begins what close() does, and does not wait for it: nothing more is taken in, and what is gathered leaves at once.
  void begin_close(std::chrono::milliseconds limit);
  /// Waits until all is accounted for or the limit has passed; leaves the rest in the spool, or drops it as delivery_timeout;
  /// ends the thread.
  /// A second call waits for the first and reports; a shorter limit of its own shortens the first one's.
  Report close(std::chrono::milliseconds limit);
  [[nodiscard]] Report report() const;

  /// Waits until `enough` says so of a report, looked at each time Kafka has answered for something; false when it did not
  /// within the limit.
  [[nodiscard]] bool wait(const std::function<bool(const Report&)>& enough, std::chrono::milliseconds limit);

 private:
  Delivery(const DeliverySettings& settings, ClientFactory make_client, kafka::Producer::OnError on_trouble);
  void work();
  void tell_waiters() noexcept;
  bool queue_with_care(RunAccount& run, const LogView& record);
  bool queue_with_care(RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns);
  bool queue_with_care(RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults);
  bool settle(RunAccount& run, Channel channel, const Outcome& outcome);

  // On cache lines of their own: emitting threads read what is before the ledger at each record, and that is written at each answer.
  const DeliverySettings settings_;
  const redact::Redactor& redactor_;
  /// record_bytes leaves room for any plain record.
  const bool takes_plain_;
  alignas(64) Sleeper sleeper_;
  alignas(64) Ledger ledger_;
  Ring ring_;
  Outbox outbox_;
  Dispatcher dispatcher_;

  /// Ticks of Clock; max(): not closing.
  std::atomic<Clock::rep> close_by_;
  std::mutex close_mutex_;

  std::atomic<int> waiters_{0};
  std::mutex wait_mutex_;
  std::condition_variable stepped_;
  std::thread thread_;
};

}  // namespace runfold::delivery

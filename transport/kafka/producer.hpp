// A Kafka producer that never waits and accounts for every record.
#pragma once

#include "transport/kafka/error.hpp"
#include "transport/kafka/properties.hpp"
#include "transport/kafka/record.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace runfold::kafka {

/// What became of one record handed to Producer::produce().
struct Delivery {
  /// The token given to produce().
  std::uint64_t token = 0;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
  /// Absent when the broker acknowledged the record.
  std::optional<Error> error;
};

/// Sums over a producer's life. enqueued == acknowledged + failed + in_flight, always.
struct DeliveryCounts {
  std::uint64_t enqueued = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t failed = 0;
  [[nodiscard]] std::uint64_t in_flight() const noexcept { return enqueued - acknowledged - failed; }
};

/// Owns an idempotent librdkafka producer (murmur2_random, lz4, unless the properties say otherwise).
///
/// Thread: produce() from any; poll() and flush() from one at a time. Callbacks run inside poll() and flush().
/// Not fork-safe: fork before making one.
class Producer {
 public:
  using OnDelivery = std::function<void(const Delivery&)>;
  /// Told of trouble with the connection as a whole (brokers down, fatal errors); for logs and readiness.
  using OnError = std::function<void(const Error&)>;

  /// `topics`: those that will be written soon. Who leads them is then asked as soon as a broker answers, and not with the
  /// first record, which is what a client that lives for milliseconds waits for.
  [[nodiscard]] static Result<std::unique_ptr<Producer>> create(const Properties& properties, OnDelivery on_delivery, OnError on_error = {},
                                                                const std::vector<std::string>& topics = {});
  /// Drops what is in flight. Call flush() first to keep it. Takes 200 ms at most: see end_client().
  virtual ~Producer() = default;

  /// Hands a record to the client's queue, copying it. Never waits.
  /// Errors: kQueueFull, kTooLarge, kFatal (make a new producer), kInvalid; then the record was not taken and
  /// no Delivery will come for it.
  [[nodiscard]] virtual Result<void> produce(const OutRecord& record, std::uint64_t token) noexcept = 0;

  /// Runs the callbacks that are due, waiting up to `wait` for the first. Returns how many ran.
  virtual int poll(std::chrono::milliseconds wait) = 0;

  /// Writes 1 to this eventfd whenever callbacks become due, so that one thread can sleep on Kafka and on work of its own
  /// at once (librdkafka: rd_kafka_queue_io_event_enable on the main queue). Call it once; the descriptor must outlive this.
  virtual void wake_on(int event_fd) noexcept = 0;

  /// Waits until every record is accounted for, or the time is up. Returns how many are still in flight.
  virtual std::uint64_t flush(std::chrono::milliseconds limit) = 0;

  [[nodiscard]] virtual DeliveryCounts counts() const noexcept = 0;

  /// Of the topics that create() was given, those of which a broker that answers within the limit says that they do not exist: why
  /// records have waited. Empty when none answers.
  [[nodiscard]] virtual std::vector<std::string> missing_topics(std::chrono::milliseconds /*limit*/) { return {}; }
};

}  // namespace runfold::kafka

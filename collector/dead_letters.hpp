// Where records go that cannot be folded: the dead-letter topic, with their origin and the reason in headers.
#pragma once

#include "transport/kafka/consumer.hpp"
#include "transport/kafka/producer.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::collector {

/// A copy of a record that cannot be folded, and why.
struct DeadLetter {
  kafka::TopicPartition origin;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  /// Of the record's headers, kept or not: their names and values.
  std::size_t header_bytes = 0;
  /// A short fixed word for labels, for example "truncated".
  std::string reason;
  /// One sentence for a person.
  std::string message;

  /// Names the record while it is under way; 0: not handed over. DeadLetters' own.
  std::uint64_t token = 0;
  bool acknowledged = false;
  /// There are too many of them to be kept, or DeadLetters left them behind.
  bool headers_omitted = false;
  /// Kafka takes no record this large: its value stays behind, then its key and own headers too. DeadLetters' own.
  bool value_omitted = false;
  bool key_omitted = false;

  /// About how much memory it holds. Unit: bytes.
  [[nodiscard]] std::size_t bytes() const noexcept;
};

/// Copies a record with its key, value and headers; not the headers of one with more than 1,000 of them, or 64 KiB.
[[nodiscard]] DeadLetter make_dead_letter(const kafka::Message& message, std::string_view reason, std::string sentence);

/// Delivers dead letters, at least once.
///
/// Headers are the record's own and then Kafka Connect's names (__connect.errors.topic, .partition, .offset,
/// .connector.name, .stage, .class.name, .exception.class.name, .exception.message), runfold.reason with the short word
/// and runfold.timestamp with the record's own time (milliseconds since the Unix epoch).
/// A record that Kafka finds too large goes without its value and with runfold.value_omitted, the size in bytes. When that
/// is too large still, it goes without its key and its own headers too, and runfold.headers_omitted has their size in bytes:
/// that of the headers alone where only these were too many to be kept.
/// Thread: one at a time.
class DeadLetters {
 public:
  using MakeProducer =
      std::function<kafka::Result<std::unique_ptr<kafka::Producer>>(const kafka::Properties&, kafka::Producer::OnDelivery)>;

  /// `group` is named in the headers. The producer is made when the first letter comes.
  DeadLetters(kafka::Properties properties, std::string topic, std::string group, MakeProducer make_producer);

  /// Hands over the letters that are not acknowledged yet and waits until Kafka has all, at most `limit`. After an
  /// error call it again with the same letters: it goes on where it stopped.
  [[nodiscard]] kafka::Result<void> deliver(std::span<DeadLetter> letters, std::chrono::milliseconds limit);

 private:
  /// False: not now, the client's queue is full.
  [[nodiscard]] kafka::Result<bool> hand_over(DeadLetter& letter);
  /// Smaller it may be taken: Kafka or the client says that it is too large, or the client's queue does while it is empty.
  [[nodiscard]] bool fits_never(const kafka::Result<bool>& handed) const;
  void make_anew(std::span<DeadLetter> letters);

  kafka::Properties properties_;
  std::string topic_;
  std::string group_;
  MakeProducer make_producer_;
  std::unique_ptr<kafka::Producer> producer_;
  std::vector<kafka::Delivery> deliveries_;
  std::uint64_t last_token_ = 0;
};

}  // namespace runfold::collector

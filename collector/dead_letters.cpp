// Hands dead letters to Kafka and accounts for every acknowledgement.
#include "collector/dead_letters.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace runfold::collector {
namespace {

using Clock = std::chrono::steady_clock;

/// The longest wait for the next acknowledgement in one go.
constexpr std::chrono::milliseconds kPollMs{100};
/// Unit: bytes. Above any record that a broker takes unless it was told to; the broker's own limit decides.
constexpr std::string_view kMaxMessageBytes = "104857600";
/// Unit: KiB. Room for the largest message, or the client's queue would never take it.
constexpr std::string_view kQueueKbytes = "131072";
/// A record with more headers than this, or with more bytes of them, keeps none in its letter.
constexpr std::size_t kMaxHeaders = 1'000;
constexpr std::size_t kMaxHeaderBytes = 64 * 1024;

/// Leaves the next part of a letter behind that Kafka finds too large. False: nothing is left to leave.
bool make_smaller(DeadLetter& letter) {
  if (!letter.value_omitted) return letter.value_omitted = true;
  if (!letter.key_omitted) return letter.headers_omitted = letter.key_omitted = true;
  return false;
}

std::string_view failed_class(std::string_view reason) {
  return reason == "too_large" ? "runfold.collector.RecordTooLarge" : "runfold.collector.DecodeError";
}

}  // namespace

std::size_t DeadLetter::bytes() const noexcept {
  std::size_t sum = sizeof(DeadLetter) + (key ? key->size() : 0) + (value ? value->size() : 0) + message.size();
  return headers.empty() ? sum : sum + headers.size() * sizeof(headers[0]) + header_bytes;
}

DeadLetter make_dead_letter(const kafka::Message& message, std::string_view reason, std::string sentence) {
  const kafka::InRecord& record = message.record();
  DeadLetter letter;
  letter.origin = {std::string(record.topic), record.partition};
  letter.offset = record.offset;
  letter.timestamp_ms = record.timestamp_ms;
  if (record.key) letter.key.emplace(*record.key);
  if (record.value) letter.value.emplace(*record.value);
  const std::vector<kafka::Header> headers = message.headers();
  for (const kafka::Header& header : headers) letter.header_bytes += header.name.size() + header.value.value_or(std::string_view{}).size();
  letter.headers_omitted = headers.size() > kMaxHeaders || letter.header_bytes > kMaxHeaderBytes;
  for (const kafka::Header& header : headers) {
    if (letter.headers_omitted) break;
    auto& copy = letter.headers.emplace_back(header.name, std::nullopt);
    if (header.value) copy.second.emplace(*header.value);
  }
  letter.reason = reason;
  letter.message = std::move(sentence);
  return letter;
}

DeadLetters::DeadLetters(kafka::Properties properties, std::string topic, std::string group, MakeProducer make_producer)
    : properties_(std::move(properties)), topic_(std::move(topic)), group_(std::move(group)), make_producer_(std::move(make_producer)) {
  properties_.set_default("message.max.bytes", kMaxMessageBytes);
  properties_.set_default("queue.buffering.max.kbytes", kQueueKbytes);
}

kafka::Result<bool> DeadLetters::hand_over(DeadLetter& letter) {
  const std::string partition = std::to_string(letter.origin.partition);
  const std::string offset = std::to_string(letter.offset);
  const std::string timestamp = std::to_string(letter.timestamp_ms);
  const std::string size = std::to_string(letter.value ? letter.value->size() : 0);
  const std::string size_around = std::to_string(letter.header_bytes + (letter.key_omitted && letter.key ? letter.key->size() : 0));
  std::vector<kafka::Header> headers;
  headers.reserve(letter.headers.size() + 12);
  for (const auto& [name, value] : letter.headers) {
    if (letter.headers_omitted) break;
    headers.push_back({name, value ? std::optional<std::string_view>(*value) : std::nullopt});
  }
  headers.push_back({"__connect.errors.topic", letter.origin.topic});
  headers.push_back({"__connect.errors.partition", partition});
  headers.push_back({"__connect.errors.offset", offset});
  headers.push_back({"__connect.errors.connector.name", group_});
  headers.push_back({"__connect.errors.stage", "VALUE_CONVERTER"});
  headers.push_back({"__connect.errors.class.name", "runfold.collector.Decode"});
  headers.push_back({"__connect.errors.exception.class.name", failed_class(letter.reason)});
  headers.push_back({"__connect.errors.exception.message", letter.message});
  headers.push_back({"runfold.reason", letter.reason});
  if (letter.timestamp_ms >= 0) headers.push_back({"runfold.timestamp", timestamp});
  if (letter.value_omitted) headers.push_back({"runfold.value_omitted", size});
  if (letter.headers_omitted) headers.push_back({"runfold.headers_omitted", size_around});

  kafka::OutRecord record;
  record.topic = topic_;
  if (letter.key && !letter.key_omitted) record.key = *letter.key;
  if (letter.value && !letter.value_omitted) record.value = *letter.value;
  record.headers = headers;
  const std::uint64_t token = ++last_token_;
  const auto taken = producer_->produce(record, token);
  if (!taken) {
    if (taken.error().code == kafka::Errc::kQueueFull) return false;
    return taken.error();
  }
  letter.token = token;
  return true;
}

bool DeadLetters::fits_never(const kafka::Result<bool>& handed) const {
  if (!handed) return handed.error().code == kafka::Errc::kTooLarge;
  return !*handed && producer_->counts().in_flight() == 0;
}

void DeadLetters::make_anew(std::span<DeadLetter> letters) {
  producer_.reset();
  deliveries_.clear();
  for (DeadLetter& letter : letters) letter.token = 0;
}

kafka::Result<void> DeadLetters::deliver(std::span<DeadLetter> letters, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::unordered_map<std::uint64_t, DeadLetter*> under_way;
  for (DeadLetter& letter : letters) {
    if (letter.token != 0 && !letter.acknowledged) under_way.emplace(letter.token, &letter);
  }
  auto left = static_cast<std::size_t>(std::ranges::count(letters, false, &DeadLetter::acknowledged));
  std::string last_trouble;

  while (left > 0) {
    if (!producer_) {
      auto made = make_producer_(properties_, [this](const kafka::Delivery& delivery) { deliveries_.push_back(delivery); });
      if (!made) return made.error();
      producer_ = std::move(*made);
    }
    // Hand over.
    for (DeadLetter& letter : letters) {
      if (letter.acknowledged || letter.token != 0) continue;
      auto handed = hand_over(letter);
      while (fits_never(handed) && make_smaller(letter)) handed = hand_over(letter);
      if (!handed) {
        if (handed.error().code == kafka::Errc::kFatal) make_anew(letters);
        return handed.error();
      }
      if (!*handed && fits_never(handed)) {
        return kafka::Error{kafka::Errc::kTooLarge,
                            "the queue of the Kafka client takes no dead letter, not even one without value, key "
                            "and headers: raise queue.buffering.max.kbytes"};
      }
      if (!*handed) break;
      under_way.emplace(letter.token, &letter);
    }
    // Account.
    const auto now = Clock::now();
    if (now >= deadline) {
      return kafka::Error{kafka::Errc::kTimedOut, std::to_string(left) + " of " + std::to_string(letters.size()) +
                                                      " dead letters were not acknowledged on topic " + topic_ +
                                                      (last_trouble.empty() ? "" : ": " + last_trouble)};
    }
    producer_->poll(std::min(kPollMs, std::chrono::ceil<std::chrono::milliseconds>(deadline - now)));
    std::vector<kafka::Delivery> deliveries;
    deliveries.swap(deliveries_);
    std::optional<kafka::Error> refused;
    for (kafka::Delivery& delivery : deliveries) {
      const auto found = under_way.find(delivery.token);
      if (found == under_way.end()) continue;  // Of a batch that was dropped since.
      DeadLetter& letter = *found->second;
      under_way.erase(found);
      if (!delivery.error) {
        letter.acknowledged = true;
        --left;
        continue;
      }
      letter.token = 0;
      last_trouble = delivery.error->message;
      if (delivery.error->code == kafka::Errc::kTooLarge && make_smaller(letter)) continue;
      if (!delivery.error->retryable()) refused = std::move(*delivery.error);
    }
    if (refused) {
      if (refused->code == kafka::Errc::kFatal) make_anew(letters);
      return *refused;
    }
  }
  return {};
}

}  // namespace runfold::collector

// Handing over, accounting, and starting again with a new client; what has to do with the disk is in outbox_disk.cpp.
#include "producer/delivery/outbox.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace runfold::delivery {
namespace {

/// Memory kept for the parcels to come, as a part of the bound on those in flight, for each channel.
constexpr std::size_t kSparePart = 4;
/// How long it may take, at the end, to ask for topics that may be missing.
constexpr std::chrono::milliseconds kAskForTopics{200};
constexpr const char* kMakeTopics = "; `runfold topics create` makes Runfold's topics";
constexpr std::chrono::milliseconds kFirstRetry{100};
constexpr std::chrono::milliseconds kLastRetry{30'000};

// What a parcel costs beside its value: the map's node, the strings' heads, the client's own structures.
constexpr std::size_t kParcelOverhead = 512;

std::size_t cost(const Parcel& parcel) noexcept {
  return parcel.value.size() + kParcelOverhead;
}

std::size_t kept_bytes(const Parcel& parcel) noexcept {
  return parcel.value.capacity() + parcel.traceparent.capacity() + parcel.tracestate.capacity() + sizeof(Parcel);
}

Drop drop_reason(kafka::Errc code) noexcept {
  switch (code) {
    case kafka::Errc::kTimedOut:
    case kafka::Errc::kUnreachable:
    case kafka::Errc::kQueueFull:
      return Drop::kDeliveryTimeout;
    case kafka::Errc::kTooLarge:
      return Drop::kTooLarge;
    default:
      return Drop::kRejected;
  }
}

}  // namespace

Outbox::Outbox(Options options, Ledger& ledger) : options_(std::move(options)), ledger_(ledger) {
  if (options_.spool) spooling_.emplace(*options_.spool);
}

kafka::Result<void> Outbox::open() {
  auto made = options_.make_client([this](const kafka::Delivery& delivery) { on_delivery(delivery); },
                                   [this](const kafka::Error& error) { on_error(error); });
  if (!made) return made.error();
  client_ = std::move(made).value();
  client_->wake_on(options_.event_fd);
  told_broken_ = false;
  return {};
}

Parcel Outbox::blank(Channel channel) {
  auto& spare = spare_[static_cast<std::size_t>(channel)];
  Parcel out;
  if (!spare.parcels.empty()) {
    out = std::move(spare.parcels.back());
    spare.parcels.pop_back();
    spare.bytes -= kept_bytes(out);
  }
  out.channel = channel;
  return out;
}

void Outbox::spare(Parcel parcel) {
  auto& spare = spare_[static_cast<std::size_t>(parcel.channel)];
  const std::size_t bytes = kept_bytes(parcel);
  if (spare.bytes + bytes > options_.in_flight_bytes / kSparePart) return;
  parcel.value.clear();
  parcel.traceparent.clear();
  parcel.tracestate.clear();
  parcel.place = {};
  parcel.stranger.reset();
  spare.bytes += bytes;
  spare.parcels.push_back(std::move(parcel));
}

void Outbox::send(Parcel parcel) {
  assert(parcel.run != nullptr && parcel.records > 0);
  const auto token = end_++;
  if (spooling_) {
    const bool parked = has_parked() || bytes_ >= options_.in_flight_bytes;
    if (!has_parked()) in_memory_to_ = token;
    parcel.place = keep(parcel, token, parked);
    if (parked && parcel.place.spool != nullptr) return park(std::move(parcel));
  }
  const auto at = wait(token, std::move(parcel));
  if (next_ == token) hand_over(at);
}

Outbox::Waiting::iterator Outbox::wait(std::uint64_t token, Parcel parcel) {
  if (parcel.run != nullptr) ++parcel.run->in_flight;
  bytes_ += cost(parcel);
  return waiting_.emplace_hint(waiting_.end(), token, std::move(parcel));
}

void Outbox::pump(Clock::time_point now) {
  if (spooling_) spooling_->begin_step(now);
  if (client_) client_->poll(std::chrono::milliseconds(0));
  if (next_ != end_) hand_over(waiting_.lower_bound(next_));
  if (broken_ && now >= retry_at_) {
    make_anew(now);
    hand_over(waiting_.lower_bound(next_));
  }
  if (!spooling_) return;
  take_over();
  spooling_->end_step();
  ledger_.spool_bytes.store(spooling_->bytes(), std::memory_order_relaxed);
  ledger_.spool_refuses.store(!spooling_->can_keep(), std::memory_order_relaxed);
}

void Outbox::hand_over(Waiting::iterator at) {
  if (!client_ || broken_) return;
  for (;;) {
    if (has_parked() && (at == waiting_.end() || at->first >= in_memory_to_)) {
      if (!read_back() && has_parked()) return;
      at = waiting_.lower_bound(next_);
      continue;
    }
    if (at == waiting_.end()) break;
    const auto token = at->first;
    if (const auto produced = produce(token, at->second)) {
      ++at;
    } else {
      const kafka::Error error = produced.error();
      if (error.retryable()) return;  // next_ stays: this parcel and all behind it wait
      if (error.code == kafka::Errc::kFatal) return on_error(error);
      at = settle(at, &error);
    }
    next_ = token + 1;
  }
  next_ = end_;
}

kafka::Result<void> Outbox::produce(std::uint64_t token, const Parcel& parcel) {
  const std::string& topic = parcel.channel == Channel::kEvents ? options_.topics.events : options_.topics.logs;
  const auto headers = headers_.write({.run = parcel.names(),
                                       .channel = parcel.channel,
                                       .topic = topic,
                                       .sequence = parcel.sequence,
                                       .time_ns = parcel.time_ns,
                                       .traceparent = parcel.traceparent,
                                       .tracestate = parcel.tracestate});
  const kafka::OutRecord record{.topic = topic,
                                .key = parcel.names().run_id,
                                .value = parcel.value,
                                .headers = headers,
                                .timestamp_ms = std::max<std::int64_t>(0, parcel.time_ns / 1'000'000)};
  return client_->produce(record, token);
}

void Outbox::on_delivery(const kafka::Delivery& delivery) {
  const auto at = waiting_.find(delivery.token);
  assert(at != waiting_.end());
  if (at == waiting_.end()) return;
  if (delivery.error && delivery.error->code == kafka::Errc::kFatal) broken_ = true;
  // What a broken client fails (librdkafka purges its queue then) is not lost: the next client sends it again.
  if (delivery.error && broken_) return;
  settle(at, delivery.error ? &*delivery.error : nullptr);
}

void Outbox::on_error(const kafka::Error& error) {
  if (error.code != kafka::Errc::kFatal) return tell(error);
  broken_ = true;
  if (std::exchange(told_broken_, true)) return;
  tell({error.code, error.message + "; a new one is made, and what Kafka had not acknowledged is sent again"});
}

void Outbox::tell(const kafka::Error& error) {
  if (!options_.on_trouble) return;
  options_.on_trouble(error.code == kafka::Errc::kNotFound ? kafka::Error{error.code, error.message + kMakeTopics} : error);
}

Outbox::Waiting::iterator Outbox::settle(Waiting::iterator at, const kafka::Error* error) {
  Parcel& parcel = at->second;
  if (spooling_ && spooling_->is_inherited(parcel.place)) {
    settle_inherited(parcel, error);
  } else if (error == nullptr) {
    ledger_.acknowledged[parcel.channel].fetch_add(parcel.records, std::memory_order_release);
  } else if (parcel.run != nullptr) {
    // That Kafka does not answer is told by the client itself; a refusal, only here.
    if (!error->retryable()) tell(*error);
    parcel.run->give_up(parcel.channel, drop_reason(error->code), parcel.records, ledger_);
  } else {
    ledger_.give_up(parcel.channel, drop_reason(error->code), parcel.records);
  }
  if (error == nullptr) reached_ = true;
  if (spooling_ && !spooling_->is_inherited(parcel.place)) spooling_->settle(parcel.place);
  if (parcel.run != nullptr) --parcel.run->in_flight;
  bytes_ -= cost(parcel);
  spare(std::move(parcel));
  return waiting_.erase(at);
}

void Outbox::make_anew(Clock::time_point now) {
  if (now - retry_at_ > kLastRetry) retry_in_ = std::chrono::milliseconds(0);  // the last trouble is long past
  // What the broken client has already learnt is taken first: each acknowledgement saves a repeat.
  if (client_) client_->poll(std::chrono::milliseconds(0));
  client_.reset();
  if (const auto opened = open(); !opened) {
    retry_in_ = std::clamp(retry_in_ * 2, kFirstRetry, kLastRetry);
    retry_at_ = now + retry_in_;
    if (options_.on_trouble) options_.on_trouble(opened.error());
    return;
  }
  broken_ = false;
  // A client that breaks at once again is not made again at once.
  retry_in_ = std::clamp(retry_in_ * 2, kFirstRetry, kLastRetry);
  retry_at_ = now + retry_in_;
  next_ = waiting_.empty() ? end_ : waiting_.begin()->first;
  if (has_parked()) next_ = std::min(next_, in_memory_to_);  // what waits may all stand behind the parked
}

Clock::time_point Outbox::next_attempt() const noexcept {
  const auto disk = spooling_ ? spooling_->next_attempt() : Clock::time_point::max();
  return broken_ ? std::min(retry_at_, disk) : disk;
}

void Outbox::flush(std::chrono::milliseconds limit) {
  if (client_ && !broken_) client_->flush(limit);
}

void Outbox::disconnect() {
  if (client_ && !broken_ && !waiting_.empty()) {
    // librdkafka has patience with a topic that does not exist, for it may be about to; a short run ends sooner.
    for (const auto& topic : client_->missing_topics(kAskForTopics)) {
      tell({kafka::Errc::kNotFound, "records wait for topic " + topic + ", which Kafka does not have"});
    }
  }
  client_.reset();
}

void Outbox::abandon() {
  assert(!client_);
  if (spooling_) leave_on_disk();
  const kafka::Error given_up{.code = kafka::Errc::kTimedOut, .message = {}};
  for (auto at = waiting_.begin(); at != waiting_.end();) at = settle(at, &given_up);
  spooling_.reset();
  next_ = end_;
}

}  // namespace runfold::delivery

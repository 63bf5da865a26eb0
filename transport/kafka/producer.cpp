// The Kafka producer over librdkafka's: copies a record into its queue, and counts what becomes of each.
#include "transport/kafka/producer.hpp"

#include "transport/kafka/client_end.hpp"
#include "transport/kafka/connection.hpp"
#include "transport/kafka/header_lists.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <limits>
#include <vector>

namespace runfold::kafka {
namespace {

constexpr std::size_t kMaxTopicBytes = 249;

/// Lists of headers kept for records to come: as many as are commonly under way, some 5 MiB, and never more than 16.
constexpr std::size_t kMostHeaderLists = 8192;

void* to_opaque(std::uint64_t token) noexcept {
  static_assert(sizeof(void*) == sizeof(std::uint64_t));
  return std::bit_cast<void*>(token);
}

void set_bytes(rd_kafka_vu_t& vu, rd_kafka_vtype_t type, const std::optional<std::string_view>& bytes) noexcept {
  vu.vtype = type;
  // librdkafka copies, so that the const_cast is never written through. A null pointer is a null, not an empty, value.
  vu.u.mem.ptr = bytes ? const_cast<char*>(bytes->empty() ? "" : bytes->data()) : nullptr;
  vu.u.mem.size = bytes ? bytes->size() : 0;
}

class RdkafkaProducer final : public Producer {
 public:
  RdkafkaProducer(std::string servers, OnDelivery on_delivery, OnError on_error)
      : connection_(std::move(servers)), on_delivery_(std::move(on_delivery)), on_error_(std::move(on_error)) {}

  ~RdkafkaProducer() override {
    topics_.clear();
    if (main_queue_) rd_kafka_queue_io_event_enable(main_queue_.get(), -1, nullptr, 0);
    main_queue_.reset();
    if (client_) rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    end_client(std::move(client_));
  }

  Result<void> start(ConfHandle conf, const Properties& properties, const std::vector<std::string>& topics) {
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), &RdkafkaProducer::delivered);
    rd_kafka_conf_set_error_cb(conf.get(), &RdkafkaProducer::failed);
    auto client = make_client(RD_KAFKA_PRODUCER, std::move(conf), properties);
    if (!client) return client.error();
    client_ = std::move(*client);
    // librdkafka asks about the topics that it has an object of.
    for (const std::string& topic : topics) topics_.emplace_back(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr));
    return {};
  }

  Result<void> produce(const OutRecord& record, std::uint64_t token) noexcept override {
    if (record.topic.empty() || record.topic.size() > kMaxTopicBytes) {
      return Error{Errc::kInvalid, "a Kafka topic name has 1 to 249 characters, this one has " + std::to_string(record.topic.size())};
    }
    thread_local std::string topic;  // librdkafka wants a final zero, which a view has not
    topic.assign(record.topic);
    HeadersHandle headers = header_lists_.make(record.headers);
    std::array<rd_kafka_vu_t, 8> parts;
    auto part = parts.begin();
    part->vtype = RD_KAFKA_VTYPE_TOPIC;
    part->u.cstr = topic.c_str();
    ++part;
    part->vtype = RD_KAFKA_VTYPE_PARTITION;
    part->u.i32 = record.partition < 0 ? RD_KAFKA_PARTITION_UA : record.partition;
    ++part;
    part->vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    part->u.i = RD_KAFKA_MSG_F_COPY;
    ++part;
    part->vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    part->u.i64 = record.timestamp_ms;
    ++part;
    part->vtype = RD_KAFKA_VTYPE_OPAQUE;
    part->u.ptr = to_opaque(token);
    ++part;
    set_bytes(*part++, RD_KAFKA_VTYPE_KEY, record.key);
    set_bytes(*part++, RD_KAFKA_VTYPE_VALUE, record.value);
    if (headers) {
      part->vtype = RD_KAFKA_VTYPE_HEADERS;
      part->u.headers = headers.get();
      ++part;
    }

    // Counted before the hand-over: its delivery may be reported, by another thread's poll(), before this call returns.
    enqueued_.fetch_add(1, std::memory_order_relaxed);
    const ErrorHandle refusal{rd_kafka_produceva(client_.get(), parts.data(), static_cast<std::size_t>(part - parts.begin()))};
    if (!refusal) {
      static_cast<void>(headers.release());  // librdkafka's now, until the record is accounted for
      return {};
    }
    header_lists_.take_back(std::move(headers));
    enqueued_.fetch_sub(1, std::memory_order_relaxed);
    return make_error(rd_kafka_error_code(refusal.get()), "produce to topic " + std::string(record.topic));
  }

  int poll(std::chrono::milliseconds wait) override {
    return rd_kafka_poll(client_.get(), static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, std::numeric_limits<int>::max())));
  }

  void wake_on(int event_fd) noexcept override {
    constexpr std::uint64_t kOne = 1;
    main_queue_.reset(rd_kafka_queue_get_main(client_.get()));
    rd_kafka_queue_io_event_enable(main_queue_.get(), event_fd, &kOne, sizeof kOne);
  }

  std::uint64_t flush(std::chrono::milliseconds limit) override {
    // Its result says only whether all was flushed, which the counts say too, and how much was not.
    rd_kafka_flush(client_.get(), static_cast<int>(std::clamp<std::int64_t>(limit.count(), 0, std::numeric_limits<int>::max())));
    return counts().in_flight();
  }

  DeliveryCounts counts() const noexcept override {
    // The ends before the beginning, so that in_flight() is never below zero while others produce.
    DeliveryCounts sums;
    sums.acknowledged = acknowledged_.load(std::memory_order_acquire);
    sums.failed = failed_.load(std::memory_order_acquire);
    sums.enqueued = enqueued_.load(std::memory_order_acquire);
    return sums;
  }

  std::vector<std::string> missing_topics(std::chrono::milliseconds limit) override {
    std::vector<std::string> missing;
    const auto until = std::chrono::steady_clock::now() + limit;
    for (const auto& topic : topics_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0 || connection_.unreachable()) break;
      const rd_kafka_metadata_t* answer = nullptr;
      if (rd_kafka_metadata(client_.get(), 0, topic.get(), &answer, static_cast<int>(left.count())) != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      if (answer->topic_cnt == 1 && answer->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        missing.emplace_back(rd_kafka_topic_name(topic.get()));
      }
      rd_kafka_metadata_destroy(answer);
    }
    return missing;
  }

 private:
  static void delivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) noexcept {
    auto& self = *static_cast<RdkafkaProducer*>(opaque);
    rd_kafka_headers_t* headers = nullptr;
    // The message is ours until this returns; librdkafka's signature says so of a copy only.
    rd_kafka_message_detach_headers(const_cast<rd_kafka_message_t*>(message), &headers);
    self.header_lists_.take_back(HeadersHandle(headers));
    Delivery delivery;
    delivery.token = std::bit_cast<std::uint64_t>(message->_private);
    delivery.partition = message->partition;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      delivery.offset = message->offset;
      self.connection_.on_answer();
      self.acknowledged_.fetch_add(1, std::memory_order_release);
    } else {
      delivery.error = make_error(message->err, std::string("deliver a record to topic ") + rd_kafka_topic_name(message->rkt));
      self.failed_.fetch_add(1, std::memory_order_release);
    }
    if (self.on_delivery_) self.on_delivery_(delivery);
  }

  static void failed(rd_kafka_t* client, int code, const char* reason, void* opaque) noexcept {
    auto& self = *static_cast<RdkafkaProducer*>(opaque);
    std::optional<Error> error;
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      std::array<char, 512> why{};
      const rd_kafka_resp_err_t first = rd_kafka_fatal_error(client, why.data(), why.size());
      error = Error{Errc::kFatal, std::string("the Kafka producer is broken: ") + rd_kafka_err2name(first) + ": " + why.data()};
    } else {
      error = self.connection_.on_error(code, reason == nullptr ? "" : reason);
    }
    if (error && self.on_error_) self.on_error_(*error);
  }

  Connection connection_;
  HeaderLists header_lists_{kMostHeaderLists};
  OnDelivery on_delivery_;
  OnError on_error_;
  std::atomic<std::uint64_t> enqueued_{0};
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> failed_{0};
  QueueHandle main_queue_;  // only with wake_on()
  ClientHandle client_;
  std::vector<TopicHandle> topics_;
};

}  // namespace

Result<std::unique_ptr<Producer>> Producer::create(const Properties& properties, OnDelivery on_delivery, OnError on_error,
                                                   const std::vector<std::string>& topics) {
  Properties settings = properties;
  settings.set_default("client.id", "runfold");
  settings.set_default("enable.idempotence", "true");
  settings.set_default("partitioner", "murmur2_random");
  // lz4 unless told otherwise: zstd batches can stall a partition in some librdkafka releases.
  if (!settings.get("compression.type")) settings.set_default("compression.codec", "lz4");
  // One request at a time to a broker: where a new leader refuses a first batch and takes the second, which was under way, the
  // broker knows no number to expect and librdkafka takes the second's acknowledgement for the first's, which is lost.
  if (!settings.get("max.in.flight")) settings.set_default("max.in.flight.requests.per.connection", "1");
  settings.set_default("socket.nagle.disable", "true");
  if (!settings.get("queue.buffering.max.ms")) settings.set_default("linger.ms", "10");
  settings.set_default("queue.buffering.max.messages", "100000");
  settings.set_default("queue.buffering.max.kbytes", "65536");
  settings.set_default("socket.connection.setup.timeout.ms", "10000");

  auto conf = make_conf(settings);
  if (!conf) return conf.error();
  auto producer = std::make_unique<RdkafkaProducer>(*bootstrap_servers(settings), std::move(on_delivery), std::move(on_error));
  if (auto started = producer->start(std::move(*conf), settings, topics); !started) return started.error();
  return std::unique_ptr<Producer>(std::move(producer));
}

}  // namespace runfold::kafka

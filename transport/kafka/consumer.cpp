// The Kafka consumer: how it begins and ends, and the way of its messages.
#include "transport/kafka/client_end.hpp"
#include "transport/kafka/consumer_impl.hpp"

namespace runfold::kafka {
namespace {

constexpr auto kDestroyLimit = std::chrono::seconds(5);

void release_event(void* handle) noexcept {
  rd_kafka_event_destroy(static_cast<rd_kafka_event_t*>(handle));
}

std::vector<Header> read_headers(const void* source) {
  std::vector<Header> headers;
  rd_kafka_headers_t* parsed = nullptr;
  // The views point into the headers that the message owns; _NOENT is a message without any.
  if (rd_kafka_message_headers(static_cast<const rd_kafka_message_t*>(source), &parsed) != RD_KAFKA_RESP_ERR_NO_ERROR) return headers;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(parsed, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    Header& header = headers.emplace_back();
    header.name = name;
    if (value != nullptr) header.value = std::string_view(static_cast<const char*>(value), size);
  }
  return headers;
}

constexpr Message::Owner kEventOwner = {&release_event, &read_headers};

std::optional<std::string_view> view(const void* bytes, std::size_t size) noexcept {
  if (bytes == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(bytes), size);
}

}  // namespace

RdkafkaConsumer::~RdkafkaConsumer() {
  watch_.reset();
  waker_.reset();
  queue_.reset();
  end_client(std::move(client_), kDestroyLimit);
}

Result<void> RdkafkaConsumer::start(const boost::asio::any_io_executor& executor, const ConsumerSettings& settings,
                                    const std::vector<std::string>& topics, std::vector<Range> ranges) {
  auto conf = make_conf(settings.properties);
  if (!conf) return conf.error();
  rd_kafka_conf_set_events(conf->get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_OFFSET_COMMIT);
  auto client = make_client(RD_KAFKA_CONSUMER, std::move(*conf), settings.properties);
  if (!client) return client.error();
  client_ = std::move(*client);
  rd_kafka_poll_set_consumer(client_.get());  // one queue for errors and messages
  queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  waker_ = std::make_unique<Waker>(executor, queue_.get());

  if (topics.empty()) {
    ranges_ = std::move(ranges);
    of_ranges_ = true;
  } else {
    topics_ = topics;
    if (auto subscribed = subscribe(); !subscribed) return subscribed.error();
  }
  const auto raise = [this](std::atomic<bool>& flag) {
    return [this, &flag] {
      flag.store(true);
      waker_->wake();
    };
  };
  watch_ = std::make_unique<BrokerWatch>(client_.get(), connection_, settings.pace, topics,
                                         topics.empty() ? "" : settings.properties.get("group.id").value_or(""),
                                         BrokerWatch::Events{raise(recovered_), raise(left_out_)});
  return {};
}

Message RdkafkaConsumer::poll() {
  if (closed_) return {};
  if (!ranges_.empty()) assign_ranges();
  if (recovered_.load(std::memory_order_relaxed)) tell_recovered();
  if (left_out_.load(std::memory_order_relaxed)) rejoin_for_left_out();
  for (;;) {
    EventHandle event{rd_kafka_queue_poll(queue_.get(), 0)};
    if (!event) return {};
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_FETCH) {
      handle(event.get());
      if (closed_) return {};
      continue;
    }
    const rd_kafka_message_t* message = rd_kafka_event_message_next(event.get());
    if (message == nullptr) continue;
    const bool next = is_next(*message);
    if (of_ranges_) tell_of_ends();
    if (!next) continue;
    InRecord record;
    record.topic = rd_kafka_topic_name(message->rkt);
    record.partition = message->partition;
    record.offset = message->offset;
    rd_kafka_timestamp_type_t kind{};
    record.timestamp_ms = rd_kafka_message_timestamp(message, &kind);
    record.key = view(message->key, message->key_len);
    record.value = view(message->payload, message->len);
    return Message(record, event.release(), kEventOwner, message);
  }
}

std::vector<TopicPartition> RdkafkaConsumer::assignment() const {
  std::vector<TopicPartition> partitions;
  for (const Positions::Slot& slot : positions_.slots()) partitions.push_back(slot.at);
  return partitions;
}

bool RdkafkaConsumer::is_next(const rd_kafka_message_t& message) {
  Positions::Slot* slot = positions_.find(message.rkt, message.partition, [&] { return rd_kafka_topic_name(message.rkt); });
  if (slot == nullptr) return false;
  if (paused_) slot->drop(message.offset);  // A fetch that raced the pause; it is fetched again after resume().
  if (slot->rewind || slot->left_alone) return false;
  return slot->accept(message.offset);
}

void RdkafkaConsumer::handle(rd_kafka_event_t* event) {
  switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
      on_rebalance(event);
      break;
    case RD_KAFKA_EVENT_ERROR:
      on_error(event);
      break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
      if (const auto error = rd_kafka_event_error(event)) tell_commit_failure(error);
      break;
    default:
      break;
  }
}

namespace {

Result<std::unique_ptr<Consumer>> make(const boost::asio::any_io_executor& executor, const Properties& properties, const std::string& group,
                                       const std::vector<std::string>& topics, std::vector<Range> ranges, ConsumerEvents events) {
  auto settings = consumer_settings(properties, group);
  if (!settings) return settings.error();
  auto consumer =
      std::make_unique<RdkafkaConsumer>(bootstrap_servers(settings->properties).value_or(""), settings->reset, std::move(events));
  if (auto started = consumer->start(executor, *settings, topics, std::move(ranges)); !started) return started.error();
  return std::unique_ptr<Consumer>(std::move(consumer));
}

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::create(boost::asio::any_io_executor executor, const Properties& properties, std::string group,
                                                   std::vector<std::string> topics, ConsumerEvents events) {
  if (topics.empty()) return Error{Errc::kInvalid, "a Kafka consumer needs at least one topic to subscribe to"};
  return make(executor, properties, group, topics, {}, std::move(events));
}

Result<std::unique_ptr<Consumer>> Consumer::create_of_ranges(boost::asio::any_io_executor executor, const Properties& properties,
                                                             std::string group, std::vector<Range> ranges, ConsumerEvents events) {
  if (ranges.empty()) return Error{Errc::kInvalid, "a Kafka consumer of ranges needs at least one"};
  return make(executor, properties, group, {}, std::move(ranges), std::move(events));
}

}  // namespace runfold::kafka

// The Kafka consumer, of a group or of ranges, over librdkafka's event interface: one queue, one thread, one message at a time.
//
// Why events and not rd_kafka_consumer_poll(): a sixth faster, and a rebalance is an event in the queue's order, handled
// here with no librdkafka frame below it. Why not consume_batch_queue: before 2.1 it hands out messages from before a seek,
// pause or rebalance. A single pop drops those by their version; Positions drops what is still not a partition's next.
#include "transport/kafka/consumer.hpp"

#include "transport/kafka/broker_watch.hpp"
#include "transport/kafka/connection.hpp"
#include "transport/kafka/consumer_settings.hpp"
#include "transport/kafka/positions.hpp"
#include "transport/kafka/waker.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <thread>

namespace runfold::kafka {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kSeekLimit = std::chrono::seconds(5);
constexpr std::int64_t kLongestSeekLimitMs = 5'000'000;  // five seconds, for a librdkafka that counts in microseconds
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

std::vector<TopicPartition> to_partitions(const rd_kafka_topic_partition_list_t* list) {
  std::vector<TopicPartition> partitions;
  for (int i = 0; list != nullptr && i < list->cnt; ++i) partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  return partitions;
}

std::string name_of(const TopicPartition& at) {
  return at.topic + "[" + std::to_string(at.partition) + "]";
}

class RdkafkaConsumer final : public Consumer {
 public:
  RdkafkaConsumer(std::string servers, OffsetReset reset, ConsumerEvents events)
      : connection_(std::move(servers)), reset_(reset), events_(std::move(events)) {}

  ~RdkafkaConsumer() override {
    watch_.reset();
    waker_.reset();
    queue_.reset();
    destroy_within(kDestroyLimit);
  }

  /// Of `topics` as a member of the group; or of `ranges` when there are no topics.
  Result<void> start(const boost::asio::any_io_executor& executor, const ConsumerSettings& settings, const std::vector<std::string>& topics,
                     std::vector<Range> ranges) {
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

  Message poll() override {
    if (closed_) return {};
    if (!ranges_.empty()) assign_ranges();
    tell_recovered();
    rejoin_for_left_out();
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

  boost::asio::awaitable<void> wait(std::chrono::milliseconds at_most) override { return waker_->wait(at_most); }

  void pause() override {
    paused_ = true;
    set_paused(true);
  }

  void resume() override {
    if (!paused_) return;
    paused_ = false;
    set_paused(false);
    pause_ended();
    std::vector<StartOffset> back;
    for (Positions::Slot& slot : positions_.slots()) {
      if (slot.rewind && !slot.left_alone)
        back.push_back({slot.at, slot.next == Positions::kAnywhere ? std::nullopt : std::optional(slot.next)});
    }
    if (back.empty()) return;
    if (seek(back)) return;
    // seek() has forgotten who must go back; every partition from where it stands is right for all.
    if (auto assigned = assign_from_positions(); !assigned) tell(assigned.error(), std::nullopt);
  }

  void leave_alone(const TopicPartition& at) override {
    Positions::Slot* slot = positions_.find(at);
    if (slot == nullptr || slot->left_alone) return;
    slot->left_alone = true;
    const PartitionListHandle list{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(list.get(), at.topic.c_str(), at.partition);
    if (const auto error = rd_kafka_pause_partitions(client_.get(), list.get()))
      tell(make_error(error, "leave " + name_of(at) + " alone"), at);
  }

  Result<void> seek(std::span<const StartOffset> to) override {
    for (const StartOffset& start : to) {
      Positions::Slot* slot = positions_.find(start.at);
      if (!start.next_offset && reset_ == OffsetReset::kError) {
        return Error{Errc::kInvalid, "cannot seek in " + name_of(start.at) + " to nowhere: auto.offset.reset is error, so name an offset"};
      }
      if (slot == nullptr) return Error{Errc::kNotFound, "cannot seek in " + name_of(start.at) + ": it is not assigned to this consumer"};
      slot->next = start.next_offset.value_or(Positions::kAnywhere);
      slot->oldest = false;
      slot->rewind = false;
      if (slot->ended && !slot->at_end()) {
        slot->ended = false;
        if (!paused_) set_paused(false, [slot](const Positions::Slot& other) { return &other == slot; });
      }
    }
    return seek_there(to);
  }

  void commit_for_lag_tools(std::span<const StartOffset> next_offsets) override {
    if (closed_ || of_ranges_ || next_offsets.empty()) return;
    const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(next_offsets.size()))};
    for (const StartOffset& next : next_offsets) {
      if (next.next_offset)
        rd_kafka_topic_partition_list_add(list.get(), next.at.topic.c_str(), next.at.partition)->offset = *next.next_offset;
    }
    if (list->cnt == 0) return;
    if (const auto error = rd_kafka_commit(client_.get(), list.get(), 1)) tell_commit_failure(error);
  }

  std::vector<TopicPartition> assignment() const override {
    std::vector<TopicPartition> partitions;
    for (const Positions::Slot& slot : positions_.slots()) partitions.push_back(slot.at);
    return partitions;
  }

  bool reached() const override { return connection_.reached(); }
  std::optional<Watermarks> watermarks(const TopicPartition& of) const override { return watch_ ? watch_->find(of) : std::nullopt; }
  std::vector<TopicSize> topics() const override { return watch_ ? watch_->topics() : std::vector<TopicSize>{}; }

  void close(std::chrono::milliseconds limit) override {
    if (closed_) return;
    const auto deadline = Clock::now() + limit;
    watch_.reset();
    if (of_ranges_) {
      // There is no group to leave.
      closed_ = true;
      revoke(false);
      return;
    }
    // Not rd_kafka_consumer_close(): it has no deadline, and before 2.1 it can hang once a partition was lost.
    const ErrorHandle refusal{rd_kafka_consumer_close_queue(client_.get(), queue_.get())};
    if (refusal)
      tell(make_error(rd_kafka_error_code(refusal.get()), "leave the consumer group", rd_kafka_error_string(refusal.get())), std::nullopt);
    while (!refusal && rd_kafka_consumer_closed(client_.get()) == 0 && Clock::now() < deadline) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      const EventHandle event{rd_kafka_queue_poll(queue_.get(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 50)))};
      if (event && rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_REBALANCE) on_rebalance(event.get());
    }
    closed_ = true;
    // No answer in time: the group will find out by itself, so the partitions count as lost.
    if (!positions_.slots().empty()) revoke(true);
  }

 private:
  Result<void> subscribe() {
    const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(topics_.size()))};
    std::string names;
    for (const std::string& topic : topics_) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
      names += (names.empty() ? "" : ", ") + topic;
    }
    if (const auto error = rd_kafka_subscribe(client_.get(), list.get())) return make_error(error, "subscribe to " + names);
    return {};
  }

  /// Takes the ranges as a group would have given them.
  void assign_ranges() {
    const std::vector<Range> ranges = std::exchange(ranges_, {});
    std::vector<TopicPartition> partitions;
    for (const Range& range : ranges) partitions.push_back(range.at);
    assign(partitions, ranges);
    tell_of_ends();
  }

  /// Tells of each range that has come to its end since the last call, and fetches no more of it.
  void tell_of_ends() {
    for (Positions::Slot& slot : positions_.slots()) {
      if (slot.ended || slot.rewind || !slot.at_end()) continue;
      slot.ended = true;
      pause_ended();
      if (events_.on_end) events_.on_end(slot.at);
    }
  }

  /// The partition has nothing at `offset` yet: what was missing before its end will never come.
  void on_partition_eof(const TopicPartition& at, std::int64_t offset) {
    Positions::Slot* slot = positions_.find(at);
    if (slot == nullptr || slot->rewind || slot->left_alone) return;
    if (!of_ranges_) {
      if (offset >= slot->next && events_.on_read_up_to) events_.on_read_up_to(at, offset);
      return;
    }
    if (slot->end == Positions::kAnywhere || offset < slot->end) return;
    slot->next = std::max(slot->next, slot->end);
    tell_of_ends();
  }

  /// Moves partitions to where their places say already.
  Result<void> seek_there(std::span<const StartOffset> to) {
    const PartitionListHandle list = to_list(to);
    if (auto sought = seek_all(list.get()); !sought) return sought.error();
    const bool all_done =
        std::all_of(list->elems, list->elems + list->cnt, [](const auto& one) { return one.err == RD_KAFKA_RESP_ERR_NO_ERROR; });
    if (all_done) return {};
    // A partition that is not being fetched, because its offset was out of range or its fetcher has not started, cannot
    // seek. Handing all partitions over anew, from where each stands, moves it and is right for the others.
    return assign_from_positions();
  }

  /// librdkafka 2.0.2 takes the time limit of a seek for microseconds. So when it says that the time is up and it is not,
  /// the seek is made again with ten times as much; to seek twice to the same offset does no harm.
  Result<void> seek_all(rd_kafka_topic_partition_list_t* list) {
    const auto began = Clock::now();
    for (auto limit_ms = std::chrono::milliseconds(kSeekLimit).count();; limit_ms *= 10) {
      const ErrorHandle refusal{rd_kafka_seek_partitions(client_.get(), list, static_cast<int>(limit_ms))};
      if (!refusal) return {};
      const auto code = rd_kafka_error_code(refusal.get());
      if (code != RD_KAFKA_RESP_ERR__TIMED_OUT || Clock::now() - began >= kSeekLimit || limit_ms >= kLongestSeekLimitMs) {
        return make_error(code, "seek", rd_kafka_error_string(refusal.get()));
      }
    }
  }

  bool is_next(const rd_kafka_message_t& message) {
    Positions::Slot* slot = positions_.find(message.rkt, message.partition, [&] { return rd_kafka_topic_name(message.rkt); });
    if (slot == nullptr) return false;
    if (paused_) slot->drop(message.offset);  // A fetch that raced the pause; it is fetched again after resume().
    if (slot->rewind || slot->left_alone) return false;
    return slot->accept(message.offset);
  }

  void handle(rd_kafka_event_t* event) {
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

  void on_rebalance(rd_kafka_event_t* event) {
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      assign(to_partitions(rd_kafka_event_topic_partition_list(event)));
    } else {
      revoke(rd_kafka_assignment_lost(client_.get()) != 0);
    }
  }

  void assign(const std::vector<TopicPartition>& partitions, std::span<const Range> ranges = {}) {
    if (connection_.on_answer()) recovered_.store(true);
    tell_recovered();
    std::vector<StartOffset> starts;
    if (events_.on_assign) starts = events_.on_assign(partitions);
    std::vector<Positions::Slot> slots;
    for (const TopicPartition& at : partitions) {
      const auto start = std::find_if(starts.begin(), starts.end(), [&](const StartOffset& one) { return one.at == at; });
      Positions::Slot& slot = slots.emplace_back();
      slot.at = at;
      if (!ranges.empty()) {
        const Range& range = ranges[slots.size() - 1];
        slot.next = range.first;
        slot.end = range.end;
        if (start != starts.end()) slot.next = start->next_offset.value_or(range.first);
      } else if (start != starts.end()) {
        slot.next = start->next_offset.value_or(Positions::kAnywhere);
      }
    }
    positions_.assign(std::move(slots));
    if (reset_ == OffsetReset::kError) tell_of_no_start();
    if (auto assigned = assign_from_positions(); !assigned) tell(assigned.error(), std::nullopt);
    if (watch_) watch_->watch(partitions);
  }

  /// Gives librdkafka the assignment anew: every partition from the offset it stands at.
  Result<void> assign_from_positions() {
    std::vector<StartOffset> starts;
    for (Positions::Slot& slot : positions_.slots()) {
      slot.rewind = false;
      slot.topic_handle = nullptr;
      if (slot.left_alone) continue;
      starts.push_back({slot.at, slot.next == Positions::kAnywhere ? std::nullopt : std::optional(slot.next)});
    }
    const PartitionListHandle list = to_list(starts);
    if (const auto error = rd_kafka_assign(client_.get(), list.get())) return make_error(error, "take over the assigned partitions");
    if (paused_) set_paused(true);
    pause_ended();
    return {};
  }

  void revoke(bool lost) {
    const std::vector<TopicPartition> partitions = assignment();
    if (events_.on_revoke && !partitions.empty()) events_.on_revoke(partitions, lost);
    positions_.clear();
    if (watch_) watch_->watch({});
    if (const auto error = rd_kafka_assign(client_.get(), nullptr)) {
      // With the client closing or fatally broken there is nothing left to give back.
      if (!closed_) tell(make_error(error, "give back the revoked partitions"), std::nullopt);
    }
  }

  void on_error(rd_kafka_event_t* event) {
    const auto code = rd_kafka_event_error(event);
    const char* text = rd_kafka_event_error_string(event);
    const std::string reason = text == nullptr ? "" : text;
    std::optional<TopicPartition> at;
    std::int64_t offset = RD_KAFKA_OFFSET_INVALID;
    if (rd_kafka_topic_partition_t* where = rd_kafka_event_topic_partition(event)) {
      if (where->partition >= 0) at = TopicPartition{where->topic, where->partition};
      offset = where->offset;
      rd_kafka_topic_partition_destroy(where);
    }
    if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF) {  // no trouble
      if (at) on_partition_eof(*at, offset);
      return;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      std::array<char, 512> why{};
      const auto first = rd_kafka_fatal_error(client_.get(), why.data(), why.size());
      const Errc errc = classify(first) == Errc::kFenced ? Errc::kFenced : Errc::kFatal;
      tell(Error{errc, std::string("the Kafka consumer is broken and must be made anew: ") + rd_kafka_err2name(first) + ": " + why.data()},
           at);
    } else if (at && classify(code) == Errc::kOutOfRange) {
      on_out_of_range(*at, reason);
    } else if (at) {
      Error error = make_error(code, "read " + name_of(*at), reason);
      if (error.code == Errc::kUnreachable) error.code = Errc::kTimedOut;  // One leader is away: no outage either.
      tell(error, at);
    } else if (auto error = connection_.on_error(code, reason)) {
      // A coordinator or leader that is not there yet is no outage: on_recovered would never follow.
      if (error->code == Errc::kUnreachable && !connection_.unreachable()) error->code = Errc::kTimedOut;
      tell(*error, std::nullopt);
    }
  }

  void on_out_of_range(const TopicPartition& at, const std::string& reason) {
    Positions::Slot* slot = positions_.find(at);
    if (slot == nullptr || slot->left_alone) return;  // a partition that was taken away meanwhile
    const std::int64_t asked = slot->next;
    slot->rewind = true;  // so that a seek() in on_error shows
    // Where reading was under way already, "latest" would lose all that is there beside what is gone.
    const bool oldest = reset_ == OffsetReset::kEarliest || (reset_ == OffsetReset::kLatest && asked != Positions::kAnywhere);
    const char* next_step = oldest                           ? "; going on with the oldest record there is"
                            : reset_ == OffsetReset::kLatest ? "; going on with the next record written"
                                                             : "; it stands still (auto.offset.reset=error)";
    std::string message =
        "offset " + (asked == Positions::kAnywhere ? std::string("to start from") : std::to_string(asked)) + " is not in " + name_of(at);
    tell(Error{Errc::kOutOfRange, message + next_step + (reason.empty() ? "" : " (" + reason + ")")}, at);
    slot = positions_.find(at);
    if (slot == nullptr || !slot->rewind) return;
    slot->rewind = false;
    if (reset_ == OffsetReset::kError) return;
    slot->next = Positions::kAnywhere;
    slot->oldest = oldest;
    const StartOffset to{at, std::nullopt};
    if (auto moved = seek_there({&to, 1}); !moved) tell(moved.error(), at);
  }

  PartitionListHandle to_list(std::span<const StartOffset> starts) {
    PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(starts.size()))};
    for (const StartOffset& start : starts) {
      if (!start.next_offset && reset_ == OffsetReset::kError) continue;  // nowhere to start: on_error was told
      const Positions::Slot* slot = positions_.find(start.at);
      const bool newest = reset_ == OffsetReset::kLatest && !(slot != nullptr && slot->oldest);
      rd_kafka_topic_partition_list_add(list.get(), start.at.topic.c_str(), start.at.partition)->offset =
          start.next_offset.value_or(newest ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING);
    }
    return list;
  }

  void tell_of_no_start() {
    for (const TopicPartition& at : assignment()) {
      const Positions::Slot* slot = positions_.find(at);
      if (slot == nullptr || slot->next != Positions::kAnywhere) continue;
      tell(Error{Errc::kOutOfRange, "no offset to start from is known for " + name_of(at) + "; it stands still (auto.offset.reset=error)"},
           at);
    }
  }

  void set_paused(bool paused) {
    set_paused(paused, [](const Positions::Slot&) { return true; });
  }
  void pause_ended() {
    set_paused(true, [](const Positions::Slot& slot) { return slot.ended; });
  }

  template <class Which>
  void set_paused(bool paused, Which&& which) {
    const PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(positions_.slots().size()))};
    for (const Positions::Slot& slot : positions_.slots()) {
      if (!slot.left_alone && which(slot)) rd_kafka_topic_partition_list_add(list.get(), slot.at.topic.c_str(), slot.at.partition);
    }
    if (list->cnt == 0) return;
    const auto error =
        paused ? rd_kafka_pause_partitions(client_.get(), list.get()) : rd_kafka_resume_partitions(client_.get(), list.get());
    if (error) tell(make_error(error, paused ? "pause the partitions" : "resume the partitions"), std::nullopt);
  }

  void tell(const Error& error, const std::optional<TopicPartition>& at) {
    if (events_.on_error) events_.on_error(error, at);
  }

  void tell_commit_failure(rd_kafka_resp_err_t error) {
    // While the group rebalances, or nothing is new, a commit is refused as a matter of course; the next one says it all.
    if (error == RD_KAFKA_RESP_ERR__NO_OFFSET || error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
        error == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION || error == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID) {
      return;
    }
    // Nothing depends on it, whatever the reason.
    tell(Error{Errc::kOther, make_error(error, "tell the consumer group how far this member is (for lag tools only)").message},
         std::nullopt);
  }

  void tell_recovered() {
    if (recovered_.load(std::memory_order_relaxed) && recovered_.exchange(false) && events_.on_recovered) events_.on_recovered();
  }

  void rejoin_for_left_out() {
    if (!left_out_.load(std::memory_order_relaxed) || !left_out_.exchange(false)) return;
    const std::vector<TopicPartition> partitions = watch_->take_left_out();
    if (partitions.empty()) return;
    if (events_.on_left_out) events_.on_left_out(partitions);
    // Even a static member leaves by this, so that its coming back counts as a change of the group.
    if (const auto error = rd_kafka_unsubscribe(client_.get()))
      tell(make_error(error, "leave the consumer group for a moment"), std::nullopt);
    if (const auto subscribed = subscribe(); !subscribed) tell(subscribed.error(), std::nullopt);
  }

  /// rd_kafka_destroy joins librdkafka's threads; should one hang, this process must still be able to end.
  void destroy_within(std::chrono::milliseconds limit) {
    if (!client_) return;
    std::promise<void> destroyed;
    std::future<void> done = destroyed.get_future();
    std::thread([client = client_.release(), promise = std::move(destroyed)]() mutable {
      rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
      promise.set_value();
    }).detach();
    static_cast<void>(done.wait_for(limit));
  }

  Connection connection_;
  OffsetReset reset_;
  ConsumerEvents events_;
  Positions positions_;
  /// Of the group; none: of ranges.
  std::vector<std::string> topics_;
  /// Not assigned yet.
  std::vector<Range> ranges_;
  bool of_ranges_ = false;
  bool paused_ = false;
  bool closed_ = false;
  // Raised by the watch.
  std::atomic<bool> recovered_{false};
  std::atomic<bool> left_out_{false};
  ClientHandle client_;
  QueueHandle queue_;
  std::unique_ptr<Waker> waker_;
  std::unique_ptr<BrokerWatch> watch_;
};

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::create(boost::asio::any_io_executor executor, const Properties& properties, std::string group,
                                                   std::vector<std::string> topics, ConsumerEvents events) {
  if (topics.empty()) return Error{Errc::kInvalid, "a Kafka consumer needs at least one topic to subscribe to"};
  auto settings = consumer_settings(properties, group);
  if (!settings) return settings.error();
  auto consumer =
      std::make_unique<RdkafkaConsumer>(bootstrap_servers(settings->properties).value_or(""), settings->reset, std::move(events));
  if (auto started = consumer->start(executor, *settings, topics, {}); !started) return started.error();
  return std::unique_ptr<Consumer>(std::move(consumer));
}

Result<std::unique_ptr<Consumer>> Consumer::create_of_ranges(boost::asio::any_io_executor executor, const Properties& properties,
                                                             std::string group, std::vector<Range> ranges, ConsumerEvents events) {
  if (ranges.empty()) return Error{Errc::kInvalid, "a Kafka consumer of ranges needs at least one"};
  auto settings = consumer_settings(properties, group);
  if (!settings) return settings.error();
  auto consumer =
      std::make_unique<RdkafkaConsumer>(bootstrap_servers(settings->properties).value_or(""), settings->reset, std::move(events));
  if (auto started = consumer->start(executor, *settings, {}, std::move(ranges)); !started) return started.error();
  return std::unique_ptr<Consumer>(std::move(consumer));
}

}  // namespace runfold::kafka

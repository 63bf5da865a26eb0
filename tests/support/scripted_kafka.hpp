// Kafka as a script: topics in memory, a group that does as the test says, and a dead-letter topic with faults on demand.
#pragma once

#include "transport/kafka/consumer.hpp"
#include "transport/kafka/producer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace runfold::collector::test {

/// Thread: any.
class ScriptedKafka {
 public:
  struct Record {
    std::string key;
    std::optional<std::string> value;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<std::int64_t> timestamp_ms{};
  };
  struct Letter {
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::map<std::string, std::string> headers;
  };

  void append(const std::string& topic, Record record, std::int32_t partition = 0) {
    with([&] { logs_[{topic, partition}].push_back(std::make_shared<Record>(std::move(record))); });
  }
  /// A transaction ends: its marker takes an offset and is no record.
  void mark(const kafka::TopicPartition& at) {
    with([&] { logs_[at].push_back(nullptr); });
  }
  /// What Kafka says of its topics.
  void tell_topics(std::vector<kafka::TopicSize> topics) {
    with([&] { topics_ = std::move(topics); });
  }
  /// Too few replicas are in sync: records can be read, and not written.
  void refuse_writes(bool refused) {
    with([&] { writable_ = !refused; });
  }
  /// Retention: what is before `offset` is no more.
  void truncate(const kafka::TopicPartition& at, std::int64_t offset) {
    with([&] { lows_[at] = offset; });
  }
  /// The topic is deleted and made anew: with no records, until some are appended.
  void make_anew(const kafka::TopicPartition& at) {
    with([&] { logs_[at].clear(); });
  }
  /// No broker answers, until told otherwise.
  void black_hole(bool silent) {
    with([&] { silent_ = silent; });
  }
  std::set<kafka::TopicPartition> left_alone() {
    return with([&] { return left_alone_; });
  }
  void assign(std::vector<kafka::TopicPartition> partitions) {
    command([partitions](kafka::ConsumerEvents& events, ScriptedKafka& kafka) {
      const auto starts = events.on_assign(partitions);
      kafka.with([&] {
        for (const auto& at : partitions) kafka.positions_[at] = 0;
        for (const auto& start : starts) kafka.positions_[start.at] = start.next_offset.value_or(0);
      });
    });
  }
  void revoke(bool lost) {
    command([lost](kafka::ConsumerEvents& events, ScriptedKafka& kafka) { kafka.revoke_now(events, lost); });
  }
  void trouble(kafka::Error error, std::optional<kafka::TopicPartition> at = {}) {
    command([error, at](kafka::ConsumerEvents& events, ScriptedKafka&) { events.on_error(error, at); });
  }
  /// The brokers answer no requests: watermarks stay as they were told last, which is long ago.
  void answer(bool answers) {
    with([&] { answers_ = answers; });
  }
  /// Records are there, and are not given to the consumer yet.
  void withhold(bool withheld) {
    with([&] { withheld_ = withheld; });
  }
  void recover() {
    command([](kafka::ConsumerEvents& events, ScriptedKafka&) { events.on_recovered(); });
  }

  // Dead letters.
  void hold_acknowledgements(bool hold) {
    with([&] { acknowledge_ = !hold; });
  }
  void refuse_letters(std::optional<kafka::Error> error) {
    with([&] { refusal_ = std::move(error); });
  }
  void set_letter_limit(std::size_t bytes) {
    with([&] { letter_limit_ = bytes; });
  }
  /// The client's own queue takes no more than this at once.
  void set_letter_queue(std::size_t bytes) {
    with([&] { letter_queue_ = bytes; });
  }
  std::vector<Letter> letters() {
    return with([&] { return letters_; });
  }
  std::size_t letters_handed_over() {
    return with([&] { return handed_over_; });
  }

  // What the pipeline did.
  bool paused() {
    return with([&] { return paused_; });
  }
  int pauses() {
    return with([&] { return pauses_; });
  }
  bool commands_done() {
    return with([&] { return commands_.empty() && !in_command_; });
  }
  bool closed() {
    return with([&] { return closed_; });
  }
  std::int64_t position(const std::string& topic) {
    return with([&] { return positions_[{topic, 0}]; });
  }
  std::map<kafka::TopicPartition, std::int64_t> told_to_lag_tools() {
    return with([&] { return told_; });
  }

  [[nodiscard]] std::unique_ptr<kafka::Consumer> consumer(boost::asio::any_io_executor executor, kafka::ConsumerEvents events);
  [[nodiscard]] std::unique_ptr<kafka::Producer> producer(kafka::Producer::OnDelivery on_delivery);

 private:
  friend class ScriptedConsumer;
  friend class ScriptedProducer;
  using Command = std::function<void(kafka::ConsumerEvents&, ScriptedKafka&)>;

  template <class Do>
  std::invoke_result_t<Do&> with(Do&& action) {
    struct Wake {
      ScriptedKafka& kafka;
      ~Wake() { kafka.wake(); }
    } wake_after{*this};
    const std::scoped_lock lock(mutex_);
    return action();
  }
  void command(Command command) {
    with([&] { commands_.push_back(std::move(command)); });
  }
  void revoke_now(kafka::ConsumerEvents& events, bool lost) {
    std::vector<kafka::TopicPartition> partitions;
    with([&] {
      for (const auto& [at, offset] : positions_) partitions.push_back(at);
    });
    if (!partitions.empty()) events.on_revoke(partitions, lost);
    with([&] {
      positions_.clear();
      left_alone_.clear();
    });
  }
  void wake() {
    changed_.notify_all();
    std::function<void()> waker;
    {
      const std::scoped_lock lock(waker_mutex_);
      waker = waker_;
    }
    if (waker) waker();
  }
  void set_waker(std::function<void()> waker) {
    const std::scoped_lock lock(waker_mutex_);
    waker_ = std::move(waker);
  }

  std::mutex waker_mutex_;
  std::function<void()> waker_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<kafka::TopicPartition, std::vector<std::shared_ptr<Record>>> logs_;
  std::map<kafka::TopicPartition, std::int64_t> positions_;
  std::map<kafka::TopicPartition, std::int64_t> lows_;
  std::map<kafka::TopicPartition, std::int64_t> told_;
  std::map<kafka::TopicPartition, std::optional<kafka::Watermarks>> last_marks_;
  std::vector<kafka::TopicSize> topics_;
  bool writable_ = true;
  bool answers_ = true;
  bool withheld_ = false;
  std::deque<Command> commands_;
  bool in_command_ = false;
  bool paused_ = false;
  int pauses_ = 0;
  bool closed_ = false;
  bool silent_ = false;
  std::set<kafka::TopicPartition> left_alone_;
  bool acknowledge_ = true;
  std::optional<kafka::Error> refusal_;
  std::size_t letter_limit_ = 1'000'000;
  std::size_t letter_queue_ = 1'000'000;
  std::vector<Letter> letters_;
  std::size_t handed_over_ = 0;
};

class ScriptedConsumer final : public kafka::Consumer {
 public:
  ScriptedConsumer(ScriptedKafka& kafka, boost::asio::any_io_executor executor, kafka::ConsumerEvents events)
      : kafka_(kafka), events_(std::move(events)), bell_(std::make_shared<Bell>(executor)) {
    kafka_.with([&] { kafka_.paused_ = kafka_.closed_ = false; });  // It is another one than before.
    kafka_.set_waker([bell = bell_] {
      boost::asio::post(bell->timer.get_executor(), [bell] {
        bell->rung = true;
        bell->timer.cancel();
      });
    });
  }
  ~ScriptedConsumer() override { kafka_.set_waker({}); }

  kafka::Message poll() override {
    for (;;) {
      ScriptedKafka::Command command;
      {
        const std::scoped_lock lock(kafka_.mutex_);
        if (kafka_.commands_.empty()) break;
        command = std::move(kafka_.commands_.front());
        kafka_.commands_.pop_front();
        kafka_.in_command_ = true;
      }
      command(events_, kafka_);
      const std::scoped_lock lock(kafka_.mutex_);
      kafka_.in_command_ = false;
    }
    std::optional<kafka::StartOffset> end;
    auto next = next_message(end);
    if (end) events_.on_read_up_to(end->at, *end->next_offset);
    return next;
  }

  boost::asio::awaitable<void> wait(std::chrono::milliseconds at_most) override {
    if (!bell_->rung) {
      bell_->timer.expires_after(at_most);
      boost::system::error_code cut_short;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable, cut_short);
      co_await bell_->timer.async_wait(token);
    }
    bell_->rung = false;
  }

  void pause() override {
    kafka_.with([&] {
      kafka_.pauses_ += kafka_.paused_ ? 0 : 1;
      kafka_.paused_ = true;
    });
  }
  void resume() override {
    kafka_.with([&] { kafka_.paused_ = false; });
  }
  void leave_alone(const kafka::TopicPartition& at) override {
    kafka_.with([&] { kafka_.left_alone_.insert(at); });
  }
  kafka::Result<void> seek(std::span<const kafka::StartOffset> to) override {
    kafka_.with([&] {
      for (const auto& start : to) kafka_.positions_[start.at] = *start.next_offset;
    });
    return {};
  }
  void commit_for_lag_tools(std::span<const kafka::StartOffset> next_offsets) override {
    kafka_.with([&] {
      for (const auto& next : next_offsets) kafka_.told_[next.at] = *next.next_offset;
    });
  }
  std::vector<kafka::TopicPartition> assignment() const override { return {}; }
  bool reached() const override {
    const std::scoped_lock lock(kafka_.mutex_);
    return !kafka_.silent_;
  }
  std::optional<kafka::Watermarks> watermarks(const kafka::TopicPartition& of) const override {
    const std::scoped_lock lock(kafka_.mutex_);
    if (!kafka_.answers_) {
      auto& last = kafka_.last_marks_[of];
      if (last) last->asked_at = std::chrono::steady_clock::now() - std::chrono::hours(1'000'000);
      return last;
    }
    const auto high = static_cast<std::int64_t>(kafka_.logs_[of].size());
    return kafka_.last_marks_[of] = kafka::Watermarks{kafka_.lows_[of], high, std::chrono::steady_clock::now(), kafka_.writable_};
  }
  std::vector<kafka::TopicSize> topics() const override {
    const std::scoped_lock lock(kafka_.mutex_);
    return kafka_.topics_;
  }
  void close(std::chrono::milliseconds) override {
    kafka_.revoke_now(events_, false);
    kafka_.with([&] { kafka_.closed_ = true; });
  }

 private:
  /// `end` is set where nothing but a marker was left.
  kafka::Message next_message(std::optional<kafka::StartOffset>& end) {
    const std::scoped_lock lock(kafka_.mutex_);
    if (kafka_.paused_ || kafka_.withheld_) return {};
    for (auto& [at, position] : kafka_.positions_) {
      if (kafka_.left_alone_.contains(at)) continue;
      auto& log = kafka_.logs_[at];
      const auto size = static_cast<std::int64_t>(log.size());
      position = std::max(position, kafka_.lows_[at]);
      const std::int64_t before = position;
      while (position < size && !log[static_cast<std::size_t>(position)]) ++position;
      if (position < size) return message(at, position++, log);
      if (position > before) end = {at, position};
    }
    return {};
  }

  struct Bell {
    explicit Bell(const boost::asio::any_io_executor& executor) : timer(executor) {}
    boost::asio::steady_timer timer;
    bool rung = false;
  };

  static kafka::Message message(const kafka::TopicPartition& at, std::int64_t offset,
                                const std::vector<std::shared_ptr<ScriptedKafka::Record>>& log) {
    using Held = std::pair<std::shared_ptr<ScriptedKafka::Record>, std::string>;
    static constexpr kafka::Message::Owner kOwner{[](void* handle) noexcept { delete static_cast<Held*>(handle); },
                                                  [](const void* source) {
                                                    std::vector<kafka::Header> headers;
                                                    for (const auto& [name, value] : static_cast<const Held*>(source)->first->headers)
                                                      headers.push_back({name, value});
                                                    return headers;
                                                  }};
    auto* held = new Held(log[static_cast<std::size_t>(offset)], at.topic);
    kafka::InRecord record;
    record.topic = held->second;
    record.partition = at.partition;
    record.offset = offset;
    record.timestamp_ms = held->first->timestamp_ms.value_or(1'700'000'000'000 + offset);
    record.key = held->first->key;
    if (held->first->value) record.value = *held->first->value;
    return {record, held, kOwner, held};
  }

  ScriptedKafka& kafka_;
  kafka::ConsumerEvents events_;
  std::shared_ptr<Bell> bell_;
};

class ScriptedProducer final : public kafka::Producer {
 public:
  ScriptedProducer(ScriptedKafka& kafka, OnDelivery on_delivery) : kafka_(kafka), on_delivery_(std::move(on_delivery)) {}

  kafka::Result<void> produce(const kafka::OutRecord& record, std::uint64_t token) noexcept override {
    const std::scoped_lock lock(kafka_.mutex_);
    if (kafka_.refusal_) return *kafka_.refusal_;
    const std::size_t size = size_of_what_was_copied(record);
    if (size > kafka_.letter_limit_) return kafka::Error{kafka::Errc::kTooLarge, "too large for the topic"};
    if (queued_bytes_ + size > kafka_.letter_queue_) return kafka::Error{kafka::Errc::kQueueFull, "the queue is full"};
    queued_bytes_ += size;
    ScriptedKafka::Letter letter;
    if (record.key) letter.key.emplace(*record.key);
    if (record.value) letter.value.emplace(*record.value);
    for (const auto& header : record.headers)
      letter.headers.insert_or_assign(std::string(header.name), std::string(header.value.value_or("")));
    in_flight_.emplace_back(token, std::move(letter));
    ++kafka_.handed_over_;
    return {};
  }
  int poll(std::chrono::milliseconds wait) override {
    std::deque<std::pair<std::uint64_t, ScriptedKafka::Letter>> done;
    {
      std::unique_lock lock(kafka_.mutex_);
      kafka_.changed_.wait_for(lock, wait, [&] { return kafka_.acknowledge_; });
      if (kafka_.acknowledge_) done.swap(in_flight_);
      if (in_flight_.empty()) queued_bytes_ = 0;
      for (auto& [token, letter] : done) kafka_.letters_.push_back(letter);
    }
    for (const auto& [token, letter] : done) on_delivery_({token, 0, 0, std::nullopt});
    return static_cast<int>(done.size());
  }
  void wake_on(int) noexcept override {}
  std::uint64_t flush(std::chrono::milliseconds) override { return 0; }
  kafka::DeliveryCounts counts() const noexcept override { return {in_flight_.size(), 0, 0}; }

 private:
  /// All but the headers that say where the letter is from and why.
  static std::size_t size_of_what_was_copied(const kafka::OutRecord& record) {
    std::size_t size = record.key.value_or("").size() + record.value.value_or("").size();
    for (const auto& header : record.headers) {
      if (!header.name.starts_with("__connect.") && !header.name.starts_with("runfold.")) size += header.value.value_or("").size();
    }
    return size;
  }

  ScriptedKafka& kafka_;
  OnDelivery on_delivery_;
  std::deque<std::pair<std::uint64_t, ScriptedKafka::Letter>> in_flight_;
  std::size_t queued_bytes_ = 0;
};

inline std::unique_ptr<kafka::Consumer> ScriptedKafka::consumer(boost::asio::any_io_executor executor, kafka::ConsumerEvents events) {
  with([&] { paused_ = false; });
  return std::make_unique<ScriptedConsumer>(*this, std::move(executor), std::move(events));
}
inline std::unique_ptr<kafka::Producer> ScriptedKafka::producer(kafka::Producer::OnDelivery on_delivery) {
  return std::make_unique<ScriptedProducer>(*this, std::move(on_delivery));
}

}  // namespace runfold::collector::test

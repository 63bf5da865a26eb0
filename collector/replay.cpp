// Prepares a store, and stands between Kafka and the pipeline: reads ranges, sends nothing, knows when all is committed.
#include "collector/replay.hpp"

#include <algorithm>
#include <optional>

namespace runfold::collector {
namespace {

/// Passes the pipeline's calls on, and watches what was given to it and what it says is committed.
class ReplayConsumer final : public kafka::Consumer {
 public:
  using OnDone = std::function<void()>;
  using Make = std::function<kafka::Result<std::unique_ptr<kafka::Consumer>>(kafka::ConsumerEvents)>;

  ReplayConsumer(std::span<const kafka::Range> ranges, ReplayProgress& progress, OnDone on_done)
      : progress_(progress), on_done_(std::move(on_done)) {
    for (const kafka::Range& range : ranges) parts_.push_back({range.at, range.first, range.first, range.first, range.end, false});
  }

  kafka::Result<void> start(kafka::ConsumerEvents events, const Make& make) {
    events.on_end = [this](const kafka::TopicPartition& at) {
      if (Part* part = find(at.topic, at.partition)) part->ended = true;
    };
    auto made = make(std::move(events));
    if (!made) return made.error();
    inner_ = std::move(*made);
    return {};
  }

  kafka::Message poll() override {
    kafka::Message message = inner_->poll();
    if (!message) {
      look();
      return message;
    }
    const kafka::InRecord& record = message.record();
    if (Part* part = find(record.topic, record.partition)) part->given = std::max(part->given, record.offset + 1);
    return message;
  }

  /// The pipeline says so when a batch is in the store.
  void commit_for_lag_tools(std::span<const kafka::StartOffset> next_offsets) override {
    for (const kafka::StartOffset& next : next_offsets) {
      Part* part = find(next.at.topic, next.at.partition);
      if (part != nullptr && next.next_offset) part->committed = *next.next_offset;
    }
    look();
  }

  boost::asio::awaitable<void> wait(std::chrono::milliseconds at_most) override { return inner_->wait(at_most); }
  void pause() override { inner_->pause(); }
  void resume() override { inner_->resume(); }
  void leave_alone(const kafka::TopicPartition& at) override { inner_->leave_alone(at); }
  bool reached() const override { return inner_->reached(); }
  kafka::Result<void> seek(std::span<const kafka::StartOffset> to) override {
    for (const kafka::StartOffset& start : to) {
      Part* part = find(start.at.topic, start.at.partition);
      if (part == nullptr || !start.next_offset) continue;
      part->ended = part->ended && *start.next_offset >= part->end;
      part->given = std::min(part->given, *start.next_offset);
    }
    return inner_->seek(to);
  }
  std::vector<kafka::TopicPartition> assignment() const override { return inner_->assignment(); }
  std::optional<kafka::Watermarks> watermarks(const kafka::TopicPartition& of) const override { return inner_->watermarks(of); }
  void close(std::chrono::milliseconds limit) override { inner_->close(limit); }

 private:
  struct Part {
    kafka::TopicPartition at;
    std::int64_t first = 0;
    /// The offset after the last record given, and after the last one committed.
    std::int64_t given = 0;
    std::int64_t committed = 0;
    std::int64_t end = 0;
    bool ended = false;
  };

  Part* find(std::string_view topic, std::int32_t partition) noexcept {
    const auto is_it = [&](const Part& part) { return part.at.partition == partition && part.at.topic == topic; };
    if (last_ < parts_.size() && is_it(parts_[last_])) return &parts_[last_];
    const auto found = std::ranges::find_if(parts_, is_it);
    if (found == parts_.end()) return nullptr;
    last_ = static_cast<std::size_t>(found - parts_.begin());
    return &*found;
  }

  void look() {
    std::int64_t committed = 0;
    bool done = true;
    for (const Part& part : parts_) {
      const bool whole = part.ended && part.committed >= part.given;
      committed += (whole ? part.end : std::min(part.committed, part.end)) - part.first;
      done = done && whole;
    }
    progress_.committed = committed;
    if (done && on_done_) std::exchange(on_done_, {})();
  }

  ReplayProgress& progress_;
  OnDone on_done_;
  std::vector<Part> parts_;
  std::size_t last_ = 0;
  std::unique_ptr<kafka::Consumer> inner_;
};

/// Takes every record and sends none.
class SilentProducer final : public kafka::Producer {
 public:
  explicit SilentProducer(OnDelivery on_delivery) : on_delivery_(std::move(on_delivery)) {}

  kafka::Result<void> produce(const kafka::OutRecord&, std::uint64_t token) noexcept override {
    taken_.push_back(token);
    return {};
  }
  int poll(std::chrono::milliseconds) override {
    const auto taken = std::exchange(taken_, {});
    for (const std::uint64_t token : taken) on_delivery_({token, -1, -1, std::nullopt});
    sum_ += taken.size();
    return static_cast<int>(taken.size());
  }
  void wake_on(int) noexcept override {}
  std::uint64_t flush(std::chrono::milliseconds limit) override {
    poll(limit);
    return 0;
  }
  kafka::DeliveryCounts counts() const noexcept override { return {sum_ + taken_.size(), sum_, 0}; }

 private:
  OnDelivery on_delivery_;
  std::vector<std::uint64_t> taken_;
  std::uint64_t sum_ = 0;
};

/// True when the store holds nothing of any topic.
StoreResult<bool> is_empty(Store& store) {
  auto query = store.query();
  if (!query) return query.error();
  const auto runs = (*query)->runs({}, 1, {});
  if (!runs) return runs.error();
  const auto failures = (*query)->api_failures({}, 1, {});
  if (!failures) return failures.error();
  const auto operations = (*query)->operations({}, 1, {});
  if (!operations) return operations.error();
  return runs->items.empty() && failures->items.empty() && operations->items.empty();
}

}  // namespace

StoreResult<std::vector<kafka::Range>> prepare_replay(Store& store, std::vector<kafka::Range> ranges, bool resume) {
  const auto empty = is_empty(store);
  if (!empty) return empty.error();
  auto writer = store.writer();
  if (!writer) return writer.error();
  std::vector<std::pair<std::string, std::int32_t>> names;
  for (const kafka::Range& range : ranges) names.emplace_back(range.at.topic, range.at.partition);
  const auto claims = (*writer)->claim(names);
  if (!claims) return claims.error();
  const bool begun = std::ranges::any_of(*claims, [](const Claim& claim) { return claim.next_offset.has_value(); });
  if (!resume && (begun || !*empty)) {
    return StoreError{
        StoreErrc::kInvalid,
        "the store is not empty: a replay into it would mix with what it holds. Give --into a new store, or --resume to go on "
        "from the offsets that stand in it"};
  }

  Batch batch;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const Claim& claim = (*claims)[i];
    if (claim.next_offset) {
      ranges[i].first = std::min(*claim.next_offset, ranges[i].end);
    } else {
      batch.partitions.push_back({claim.topic, claim.partition, ranges[i].first, claim.epoch});
    }
  }
  if (const auto committed = (*writer)->commit(batch); !committed) return committed.error();
  std::erase_if(ranges, [](const kafka::Range& range) { return range.first >= range.end; });
  return ranges;
}

KafkaClients replay_clients(std::vector<kafka::Range> ranges, ReplayProgress& progress, std::function<void()> on_done) {
  for (const kafka::Range& range : ranges) progress.all += range.end - range.first;
  KafkaClients clients;
  clients.consumer = [ranges = std::move(ranges), &progress, on_done = std::move(on_done)](
                         boost::asio::any_io_executor executor, const kafka::Properties& properties, std::string group,
                         std::vector<std::string>, kafka::ConsumerEvents events) -> kafka::Result<std::unique_ptr<kafka::Consumer>> {
    auto consumer = std::make_unique<ReplayConsumer>(ranges, progress, on_done);
    const auto make = [&](kafka::ConsumerEvents with_end) {
      return kafka::Consumer::create_of_ranges(executor, properties, group, ranges, std::move(with_end));
    };
    if (auto started = consumer->start(std::move(events), make); !started) return started.error();
    return std::unique_ptr<kafka::Consumer>(std::move(consumer));
  };
  clients.producer = [](const kafka::Properties&, kafka::Producer::OnDelivery on_delivery) {
    return kafka::Result<std::unique_ptr<kafka::Producer>>(std::make_unique<SilentProducer>(std::move(on_delivery)));
  };
  return clients;
}

void ReplayCounts::committed(const Counts& counts, std::chrono::nanoseconds) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [topic, of] : counts.topics) {
    sums_.records += of.records;
    sums_.duplicates += of.duplicates;
  }
}

void ReplayCounts::dead_letter(std::string_view topic, std::string_view reason) {
  const std::scoped_lock lock(mutex_);
  ++sums_.dead_letters[{std::string(topic), std::string(reason)}];
}

ReplayCounts::Sums ReplayCounts::sums() const {
  const std::scoped_lock lock(mutex_);
  return sums_;
}

}  // namespace runfold::collector

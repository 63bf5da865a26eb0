// The group's rules, and what a consumer and the dead letters' producer see of it all.
#include "tests/simulation/kafka.hpp"

#include "tests/simulation/time.hpp"

#include <algorithm>

namespace runfold::simulation {
namespace {

/// Acknowledges what is handed over, or does not.
class LetterBox final : public kafka::Producer {
 public:
  LetterBox(ModelKafka& kafka, OnDelivery on_delivery) : kafka_(kafka), on_delivery_(std::move(on_delivery)) {}

  kafka::Result<void> produce(const kafka::OutRecord& record, std::uint64_t token) noexcept override {
    const auto header = [&](std::string_view name) {
      const auto at = std::ranges::find(record.headers, name, &kafka::Header::name);
      return at == record.headers.end() ? std::string() : std::string(at->value.value_or(""));
    };
    in_flight_.emplace_back(
        token, std::tuple(header("__connect.errors.topic"), header("__connect.errors.partition"), header("__connect.errors.offset")));
    return {};
  }
  int poll(std::chrono::milliseconds wait) override {
    if (!kafka_.up() || kafka_.letters == ModelKafka::Letters::kUnanswered) {
      pass(wait.count() * kMs);
      return 0;
    }
    auto done = std::exchange(in_flight_, {});
    for (auto& [token, origin] : done) {
      if (kafka_.letters == ModelKafka::Letters::kRefused) {
        on_delivery_({token, -1, -1, kafka::Error{kafka::Errc::kUnauthorised, "the model refuses dead letters"}});
      } else {
        kafka_.dead_letters.insert(origin);
        on_delivery_({token, 0, 0, std::nullopt});
      }
    }
    return static_cast<int>(done.size());
  }
  void wake_on(int) noexcept override {}
  std::uint64_t flush(std::chrono::milliseconds) override { return 0; }
  kafka::DeliveryCounts counts() const noexcept override { return {}; }

 private:
  ModelKafka& kafka_;
  OnDelivery on_delivery_;
  std::vector<std::pair<std::uint64_t, std::tuple<std::string, std::string, std::string>>> in_flight_;
};

}  // namespace

// Topics

void ModelKafka::create(const std::string& topic, std::int32_t partitions) {
  counts_[topic] = partitions;
  for (std::int32_t i = 0; i < partitions; ++i) logs_[{topic, i}];
}

void ModelKafka::add_partitions(const std::string& topic, std::int32_t to) {
  create(topic, to);
  rebalance();  // The members' metadata shows them, sooner or later.
}

std::int64_t ModelKafka::append(const kafka::TopicPartition& at, Entry entry) {
  Log& log = logs_.at(at);
  log.entries.push_back(std::move(entry));
  return log.high() - 1;
}

void ModelKafka::set_up(bool up) {
  if (up_ && !up) down_since_ns_ = now_ns();
  if (!up_ && up) outages_.emplace_back(down_since_ns_, now_ns());
  up_ = up;
}

void ModelKafka::refresh_watermarks() {
  if (!up_) return;
  for (const auto& [at, log] : logs_) watermarks_[at] = {log.low, log.high(), std::chrono::steady_clock::now()};
}

// The group

Member& ModelKafka::member(int id) {
  for (const auto& member : members_) {
    if (member->id == id) return *member;
  }
  members_.push_back(std::make_unique<Member>());
  members_.back()->id = id;
  return *members_.back();
}

void ModelKafka::join(Member& member) {
  member.joined = true;
  rebalance();
}

void ModelKafka::leave(Member& member) {
  member.joined = false;
  member.share.clear();
  rebalance();
}

void ModelKafka::expire(Member& member) {
  if (!member.joined) return;
  trace_("  kafka: session of member ", member.id, " expires");
  member.expelled = member.consumer != nullptr;
  leave(member);
}

void ModelKafka::rebalance() {
  preparing_ = true;
  for (const auto& member : members_) member->gave_back = false;
  distribute_if_all_gave_back();
}

void ModelKafka::give_back(Member& member) {
  member.gave_back = true;
  distribute_if_all_gave_back();
}

void ModelKafka::distribute_if_all_gave_back() {
  std::vector<Member*> in;
  for (const auto& member : members_) {
    if (!member->joined) continue;
    if (!member->gave_back) return;
    in.push_back(member.get());
    member->share.clear();
  }
  if (in.empty()) return;
  preparing_ = false;
  ++generation_;
  // Range: equal partition numbers stand together.
  const std::size_t first = random_.below(in.size());
  for (const auto& [at, log] : logs_) in[(first + static_cast<std::size_t>(at.partition)) % in.size()]->share.push_back(at);
}

kafka::Result<std::unique_ptr<kafka::Consumer>> ModelKafka::consumer(int id, kafka::ConsumerEvents events) {
  Member& it = member(id);
  auto made = std::make_unique<ModelConsumer>(*this, it, std::move(events));
  it.consumer = made.get();
  it.expelled = false;
  if (it.joined) {
    it.generation = 0;  // The same static member again: told its old share, or the next one if a rebalance is under way.
    it.gave_back = false;
  } else {
    join(it);
  }
  return {std::move(made)};
}

std::unique_ptr<kafka::Producer> ModelKafka::producer(kafka::Producer::OnDelivery on_delivery) {
  return std::make_unique<LetterBox>(*this, std::move(on_delivery));
}

// The consumer

ModelConsumer::~ModelConsumer() {
  if (member_->consumer == this) member_->consumer = nullptr;
}

void ModelConsumer::lose(bool lost) {
  if (positions_.empty()) return;
  const auto taken = assignment();
  kafka_.trace_("  kafka: member ", member_->id, lost ? " lost its partitions" : " gives its partitions back");
  events_.on_revoke(taken, lost);
  positions_.clear();
}

void ModelConsumer::attend_the_group() {
  Member& me = *member_;
  if (me.expelled) {
    if (kafka_.random_.percent(85)) return;  // It has not heard of it, and reads on what was fetched before.
    me.expelled = false;
    lose(true);
    kafka_.join(me);
  }
  if (!me.joined) return;
  if (kafka_.preparing_ && !me.gave_back) {
    lose(false);
    kafka_.give_back(me);
  }
  if (kafka_.preparing_ || me.generation == kafka_.generation_) return;
  me.generation = kafka_.generation_;
  positions_.clear();
  left_alone_.clear();
  for (const auto& at : me.share) positions_[at] = kafka_.logs_.at(at).low;
  for (const auto& start : events_.on_assign(me.share)) {
    if (start.next_offset) positions_[start.at] = *start.next_offset;
  }
  kafka_.trace_("  kafka: member ", me.id, " has ", me.share.size(), " partitions");
}

kafka::Message ModelConsumer::poll() {
  if (!kafka_.up()) {
    if (!std::exchange(told_down_, true)) events_.on_error({kafka::Errc::kUnreachable, "no broker of the model answers"}, {});
    return {};
  }
  if (std::exchange(told_down_, false)) events_.on_recovered();
  attend_the_group();
  if (paused_ || budget == 0 || positions_.empty()) return {};
  auto at = positions_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(kafka_.random_.below(positions_.size())));
  for (std::size_t tried = 0; tried < positions_.size(); ++tried) {
    const Log& log = kafka_.logs_.at(at->first);
    const bool wanted = !left_alone_.contains(at->first);
    if (wanted && at->second < log.low) {
      at->second = log.low;
      events_.on_error({kafka::Errc::kOutOfRange, "the model deleted what was next"}, at->first);
      return {};
    }
    if (wanted && at->second < log.high()) {
      --budget;
      return next(at->first, at->second);
    }
    if (++at == positions_.end()) at = positions_.begin();
  }
  return {};
}

kafka::Message ModelConsumer::next(const kafka::TopicPartition& at, std::int64_t& position) {
  struct Held {
    std::shared_ptr<const Sent> sent;
    std::string topic;
  };
  static constexpr kafka::Message::Owner kOwner{[](void* handle) noexcept { delete static_cast<Held*>(handle); },
                                                [](const void*) { return std::vector<kafka::Header>(); }};
  const Entry& entry = kafka_.logs_.at(at).entries[static_cast<std::size_t>(position)];
  auto* held = new Held{entry.sent, at.topic};
  kafka::InRecord record;
  record.topic = held->topic;
  record.partition = at.partition;
  record.offset = position++;
  record.timestamp_ms = entry.timestamp_ms;
  record.key = held->sent->key;
  if (held->sent->value) record.value = *held->sent->value;
  return {record, held, kOwner, held};
}

boost::asio::awaitable<void> ModelConsumer::wait(std::chrono::milliseconds) {
  co_return;
}

kafka::Result<void> ModelConsumer::seek(std::span<const kafka::StartOffset> to) {
  for (const auto& start : to) {
    if (!positions_.contains(start.at)) return kafka::Error{kafka::Errc::kNotFound, "the partition is not this member's"};
  }
  for (const auto& start : to) positions_[start.at] = start.next_offset.value_or(kafka_.logs_.at(start.at).low);
  return {};
}

std::vector<kafka::TopicPartition> ModelConsumer::assignment() const {
  std::vector<kafka::TopicPartition> all;
  for (const auto& [at, position] : positions_) all.push_back(at);
  return all;
}

std::optional<kafka::Watermarks> ModelConsumer::watermarks(const kafka::TopicPartition& of) const {
  const auto at = kafka_.watermarks_.find(of);
  if (at == kafka_.watermarks_.end()) return std::nullopt;
  return at->second;
}

void ModelConsumer::close(std::chrono::milliseconds) {
  lose(false);
  if (member_->joined) kafka_.leave(*member_);
}

}  // namespace runfold::simulation

// Takes partitions over and gives them back: claim before the first record, commit before the last is let go.
#include "collector/failpoint.hpp"
#include "collector/pipeline_impl.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

/// How long on_assign() waits for the store. Longer than a busy database takes; the group waits far longer for us.
constexpr std::chrono::seconds kClaimLimit{5};

}  // namespace

kafka::ConsumerEvents PipelineImpl::consumer_events() {
  kafka::ConsumerEvents events;
  events.on_assign = [this](std::span<const kafka::TopicPartition> given) { return on_assign(given); };
  events.on_revoke = [this](std::span<const kafka::TopicPartition> taken, bool lost) { on_revoke(taken, lost); };
  events.on_error = [this](const kafka::Error& error, const std::optional<kafka::TopicPartition>& at) { on_error(error, at); };
  events.on_recovered = [this] { on_recovered(); };
  events.on_left_out = [this](std::span<const kafka::TopicPartition> partitions) { on_left_out(partitions); };
  events.on_read_up_to = [this](const kafka::TopicPartition& at, std::int64_t offset) { on_read_up_to(at, offset); };
  return events;
}

std::vector<kafka::StartOffset> PipelineImpl::on_assign(std::span<const kafka::TopicPartition> given) {
  for (const kafka::TopicPartition& at : given) partitions_.add(at);
  remembered_since_ = Clock::now();
  // The offsets in the store decide where to start. When it does not answer, the partitions stay unclaimed and paused, in
  // the group, until claim() has asked again and moved them to where the store goes on.
  if (!given.empty() && !stopping_ && !failed_) {
    begin_claim();
    if (jobs_.write->wait(claim_.answer, Clock::now() + kClaimLimit)) {
      settle_claim();
    } else {
      health_.not_ready("store", "it has not said yet where to go on");
    }
  }
  if (partitions_.any_unclaimed()) {
    paused_ = true;
    consumer_->pause();
  }
  reached_ = true;
  joined_ = true;
  kafka_trouble_.clear();
  refusal_.clear();
  kafka_mention_.reset();
  refusal_mention_.reset();
  say_kafka_health();

  std::vector<kafka::StartOffset> starts;
  for (const kafka::TopicPartition& at : given) {
    const Partition* partition = partitions_.find(at.topic, at.partition);
    const bool claimed = partition->state == Partition::State::kReading;
    starts.push_back({at, claimed ? Partitions::start_of(*partition) : std::nullopt});
  }
  log_(6, "assigned " + std::to_string(given.size()) + " partitions by group " + options_.group);
  return starts;
}

void PipelineImpl::begin_claim() {
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  claim_.cancelled = cancelled;
  claim_.answer = jobs_.write->run([names = partitions_.unclaimed(), cancelled](Writer& writer) -> StoreResult<std::vector<Claim>> {
    if (*cancelled) return StoreError{StoreErrc::kUnavailable, "the partitions were taken away before they were claimed"};
    try {
      return writer.claim(names);
    } catch (const std::exception& error) {
      return StoreError{StoreErrc::kCorrupt, std::string("claiming partitions broke off: ") + error.what()};
    }
  });
}

bool PipelineImpl::settle_claim() {
  auto claims = claim_.answer.get();
  if (claims) {
    for (const Claim& claim : *claims) partitions_.claimed(claim, Clock::now());
    claim_backoff_.reset();
    claim_mention_.reset();
    health_.ready("store");
    return true;
  }
  if (!claims.error().retryable()) {
    fail(claims.error().message);
    return false;
  }
  static_cast<void>(claim_backoff_.due(Clock::now()));
  health_.not_ready("store", "where to go on cannot be read: " + claims.error().message);
  if (claim_mention_.due(Clock::now())) log_(3, "where to go on cannot be read from the store, trying again: " + claims.error().message);
  return false;
}

void PipelineImpl::claim(Clock::time_point now) {
  if (!partitions_.any_unclaimed() || failed_) return;
  if (!claim_.answer.valid()) {
    if (!claim_backoff_.running() || now >= claim_backoff_.due_at()) begin_claim();
    return;
  }
  if (claim_.answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  const auto names = partitions_.unclaimed();
  if (!settle_claim()) return;

  std::vector<kafka::StartOffset> targets;
  for (const auto& [topic, number] : names) {
    Partition* partition = partitions_.find(topic, number);
    if (partition == nullptr || partition->state != Partition::State::kReading) continue;
    if (partition->next_offset) targets.push_back({partition->at, Partitions::start_of(*partition)});
  }
  if (targets.empty()) return;
  if (auto moved = consumer_->seek(targets); !moved) {
    log_(4, "the partitions cannot be moved to the offsets in the store, trying again: " + moved.error().message);
    for (const kafka::StartOffset& target : targets) {
      partitions_.find(target.at.topic, target.at.partition)->state = Partition::State::kUnclaimed;
    }
    static_cast<void>(claim_backoff_.due(now));
  }
}

void PipelineImpl::on_revoke(std::span<const kafka::TopicPartition> taken, bool lost) {
  inbox_.clear();
  loader_.cancel();
  if (claim_.cancelled) *claim_.cancelled = true;
  claim_ = {};
  claim_backoff_.reset();
  claim_mention_.reset();

  // Either all that is folded is committed now, or it is dropped and its next owner folds it again: never both, because
  // the offsets stand in the same transaction, and a commit that comes too late shows an epoch that is gone.
  if (lost || !commit_before_revoke()) {
    if (changed_since_ || committer_.busy()) {
      log_(4, lost ? "partitions were lost to another member before the last records were committed; it folds them again"
                   : "the last records were not committed before the partitions went; their next owner folds them again");
    }
  }
  failpoint("in-revoke");
  drop_folded();
  for (const kafka::TopicPartition& at : taken) observer_.lag_gone(at.topic, at.partition);
  remember_stopped();
  partitions_.clear();  // The group takes all and gives anew: the consumer refuses cooperative assignors.
  if (remembered_.empty()) say_stopped();
  if (lost) {
    joined_ = false;
    say_kafka_health();
  }
}

bool PipelineImpl::commit_before_revoke() {
  if (failed_) return false;
  const auto deadline = Clock::now() + revoke_limit_;
  while (committer_.busy() || changed_since_) {
    if (!committer_.busy()) committer_.begin(seal());
    auto outcome = committer_.finish(deadline);
    const bool committed = outcome && outcome->committed;
    if (outcome) settle(std::move(*outcome));
    if (!committed) return false;
  }
  return true;
}

void PipelineImpl::drop_folded() {
  committer_.abandon();
  fold_.clear();
  forget_overdue();
  refused_ = {};
  dead_letters_.clear();
  dead_letter_bytes_ = 0;
  losses_.clear();
  changed_since_.reset();
  // Whatever was in the way of what is dropped now; if it still is, the next batch says so again.
  for (const char* component : {"store", "dead_letters"}) health_.ready(component);
}

}  // namespace runfold::collector

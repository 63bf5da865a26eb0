// Runs the stages: consume > decode > fold > commit.
#include "collector/pipeline.hpp"

#include "collector/pipeline_impl.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <limits>

namespace runfold::collector {
namespace {

/// The longest time without a poll.
constexpr std::chrono::seconds kHeartbeat{5};
/// How long stop() may take to commit, and then to leave the group.
constexpr std::chrono::seconds kCommitAtStop{10};
constexpr std::chrono::milliseconds kLeaveGroup{10'000};

OutboxSinks sinks_by_kind(const std::vector<Route>& routes) {
  OutboxSinks sinks;
  for (const Route& route : routes) {
    if (std::ranges::count(route.kinds, sinks::Kind::kRun) > 0) sinks.runs.push_back(route.sink);
    if (std::ranges::count(route.kinds, sinks::Kind::kApiFailure) > 0) sinks.api_failures.push_back(route.sink);
  }
  return sinks;
}

/// A record's Kafka timestamp, which whoever wrote the record was free to choose.
TimeNs record_time(std::int64_t timestamp_ms) {
  constexpr std::int64_t kNsInMs = 1'000'000;
  return std::clamp<std::int64_t>(timestamp_ms, 0, std::numeric_limits<TimeNs>::max() / kNsInMs) * kNsInMs;
}

/// Well under the time after which the group gives up on this member.
std::chrono::milliseconds revoke_limit(const kafka::Properties& properties) {
  int session_timeout_ms = 6'000;  // What kafka::Consumer sets unless the user does.
  if (const auto text = properties.get("session.timeout.ms")) session_timeout_ms = std::max(0, std::atoi(text->c_str()));
  return std::clamp(std::chrono::milliseconds(session_timeout_ms / 3), std::chrono::milliseconds(1'000), std::chrono::milliseconds(10'000));
}

}  // namespace

std::unique_ptr<Pipeline> Pipeline::create(boost::asio::io_context& context, PipelineOptions options, std::unique_ptr<Writer> writer,
                                           std::unique_ptr<RunReader> reader, Observer& observer, Health& health, Log log,
                                           std::function<void()> outbox_grew, KafkaClients clients) {
  const auto make_jobs = [&](const std::function<void()>& wake) {
    return PipelineImpl::StoreJobs{std::make_unique<JobThread<Writer>>(std::move(writer), wake),
                                   std::make_unique<JobThread<RunReader>>(std::move(reader), wake)};
  };
  return std::make_unique<PipelineImpl>(context, std::move(options), make_jobs, observer, health, std::move(log), std::move(outbox_grew),
                                        std::move(clients));
}

PipelineImpl::PipelineImpl(boost::asio::io_context& context, PipelineOptions options, const MakeJobs& make_jobs, Observer& observer,
                           Health& health, Log log, std::function<void()> outbox_grew, KafkaClients clients)
    : context_(context),
      options_(std::move(options)),
      observer_(observer),
      health_(health),
      log_(std::move(log)),
      clients_(std::move(clients)),
      brokers_(options_.kafka.get("bootstrap.servers").value_or("no address: bootstrap.servers is not set")),
      waker_(std::make_shared<Waker>(context)),
      jobs_(make_jobs([waker = waker_] { waker->wake(); })),
      partitions_(options_.topics),
      loader_(*jobs_.read),
      fold_(options_.liveness, [this](std::int32_t partition) { return owns_events(partition); }),
      triggers_{options_.commit_interval, options_.commit_rows, options_.commit_bytes},
      committer_(*jobs_.write,
                 std::make_unique<DeadLetters>(options_.kafka, options_.topics.dead_letters, options_.group, clients_.producer),
                 sinks_by_kind(options_.routes), observer, std::move(outbox_grew)),
      trimmer_(*jobs_.write, observer, options_.retention, {options_.retention_rest, options_.retention_pause}),
      revoke_limit_(revoke_limit(options_.kafka)) {
  say_kafka_health();
}

boost::asio::awaitable<bool> PipelineImpl::run() {
  if (!open()) co_return false;
  while (!stopping_ && !failed_) {
    const bool more = turn(Clock::now());
    if (failed_) break;
    if (more) {
      co_await boost::asio::post(context_, boost::asio::use_awaitable);
    } else {
      co_await idle();
    }
  }
  co_await finish();
  co_return !failed_;
}

bool PipelineImpl::turn(Clock::time_point now) {
  wall_now_ns_ = options_.wall_clock();
  const bool more = consume(now);  // > decode > fold
  claim(now);
  load(now);
  watch_silence(now);
  commit(now);
  trim(now);
  watch(now);
  return more || inbox_may_go_on();
}

bool PipelineImpl::open() {
  auto made = clients_.consumer(context_.get_executor(), options_.kafka, options_.group,
                                {options_.topics.events, options_.topics.logs, options_.topics.operations}, consumer_events());
  if (!made) {
    fail(made.error().message);
    return false;
  }
  consumer_ = std::move(*made);
  return true;
}

// consume

Hold PipelineImpl::hold() {
  if (partitions_.any_unclaimed() || committer_.in_trouble() || loader_.in_trouble()) return Hold::kTrouble;
  if (!inbox_.empty() || (committer_.busy() && triggers_.full(open_batch()))) return Hold::kRoom;
  return Hold::kNone;
}

bool PipelineImpl::consume(Clock::time_point now) {
  const Hold why = hold();
  const bool pause = pausing_.wanted(why, now);
  if (pause != paused_) {
    paused_ = pause;
    pause ? consumer_->pause() : consumer_->resume();
  }
  if (why != Hold::kNone && !paused_) return false;

  DrainBudget budget(now);
  while (budget.left()) {
    kafka::Message message = consumer_->poll();  // on_assign() and on_revoke() run in here.
    if (!message) return false;
    budget.spend(message.record().value ? message.record().value->size() : 0);
    arrived(std::move(message));
    if (triggers_.full(open_batch()) || (!paused_ && partitions_.any_unclaimed())) return true;
  }
  return !paused_;
}

void PipelineImpl::arrived(kafka::Message message) {
  if (!refusal_.empty()) records_arrive();
  const kafka::InRecord& record = message.record();
  Partition* partition = partitions_.find(record.topic, record.partition);
  if (partition == nullptr || partition->state != Partition::State::kReading) return;
  if (!inbox_.empty() || !decode_and_fold(message, *partition)) inbox_.push_back(std::move(message));
}

void PipelineImpl::on_read_up_to(const kafka::TopicPartition& at, std::int64_t offset) {
  if (Partition* partition = partitions_.find(at.topic, at.partition)) partition->empty_until = offset;
}

std::int64_t PipelineImpl::read_up_to(const Partition& partition, std::int64_t low) const {
  const std::int64_t next = partition.next_offset.value_or(low);
  // Records that wait were given and are not folded yet.
  return inbox_.empty() ? std::max(next, partition.empty_until) : next;
}

// decode > fold

bool PipelineImpl::decode_and_fold(const kafka::Message& message, Partition& partition) {
  const kafka::InRecord& record = message.record();
  if (partition.doubt && !judge_by_record(partition, record)) return true;
  if (partition.next_offset && record.offset < *partition.next_offset) return true;  // Folded before.
  const std::string_view value = record.value.value_or(std::string_view{});
  const TimeNs record_time_ns = record_time(record.timestamp_ms);
  // A clock that is ahead must not take the others' time from them.
  partition.clock.advance(std::min(record_time_ns, wall_now_ns_), options_.liveness.settle);
  const Origin origin{record.topic, record.partition, record.offset, record_time_ns, partition.clock.clock_ns};

  if (value.size() > options_.record_bytes) {
    refuse(message, partition.source, "too_large",
           "too_large: the value is " + std::to_string(value.size()) + " bytes, at most " + std::to_string(options_.record_bytes) +
               " are read");
  } else if (partition.source == Source::kEvents) {
    if (const auto event = decode_event(value); !event) {
      refuse(message, partition.source, reason(event.error().code), describe(event.error()));
    } else if (!fold_.knows_run(event->key())) {
      return false;
    } else {
      static_cast<void>(fold_.event(*event, origin));  // It counts duplicates itself.
    }
  } else if (partition.source == Source::kLogs) {
    if (const auto logs = decode_log_batch(value, log_batch_); !logs) {
      refuse(message, partition.source, reason(logs.error().code), describe(logs.error()));
    } else if (!fold_.knows_run_logs(log_batch_.key())) {
      return false;
    } else {
      static_cast<void>(fold_.logs(log_batch_, origin));
    }
  } else {
    if (const auto operation = decode_operation(record.key.value_or(std::string_view{}), record.value); !operation) {
      refuse(message, partition.source, reason(operation.error().code), describe(operation.error()));
    } else {
      static_cast<void>(fold_.operation(*operation, origin));
    }
  }

  Partitions::taken(partition, record);
  if (!changed_since_) changed_since_ = Clock::now();
  return true;
}

void PipelineImpl::refuse(const kafka::Message& message, Source source, std::string_view reason, std::string sentence) {
  TopicCounts& refused = refused_[static_cast<std::size_t>(source)];
  ++refused.records;
  refused.bytes += message.record().value.value_or(std::string_view{}).size();
  dead_letters_.push_back(make_dead_letter(message, reason, std::move(sentence)));
  dead_letter_bytes_ += dead_letters_.back().bytes();
}

void PipelineImpl::fold_inbox() {
  while (!inbox_.empty()) {
    const kafka::InRecord& record = inbox_.front().record();
    Partition* partition = partitions_.find(record.topic, record.partition);
    if (partition != nullptr && partition->state == Partition::State::kReading && !decode_and_fold(inbox_.front(), *partition)) return;
    inbox_.pop_front();
    if (triggers_.full(open_batch())) return;
  }
}

bool PipelineImpl::inbox_may_go_on() const {
  return !inbox_.empty() && !loader_.busy() && !triggers_.full(open_batch());
}

void PipelineImpl::load(Clock::time_point now) {
  if (auto outcome = loader_.advance(now, fold_)) {
    if (!outcome->error) {
      // What can be read may still be full.
      if (!committer_.in_trouble()) health_.ready("store");
    } else if (outcome->retrying) {
      health_.not_ready("store", outcome->error->message);
      if (outcome->mention) log_(3, "rows of runs cannot be loaded, trying again: " + outcome->error->message);
    } else {
      fail(outcome->error->message);
    }
  }
  if (failed_ || !inbox_may_go_on()) return;
  fold_inbox();
  if (inbox_.empty() || triggers_.full(open_batch())) return;

  // One load for all that wait, not one each: thousands of runs may begin at once.
  Loader::Wanted wanted;
  for (const kafka::Message& message : inbox_) {
    const kafka::InRecord& record = message.record();
    const Partition* partition = partitions_.find(record.topic, record.partition);
    if (partition == nullptr || !record.value || record.value->size() > options_.record_bytes) continue;
    if (partition->source == Source::kEvents) {
      const auto event = decode_event(*record.value);
      if (event && !fold_.knows_run(event->key())) wanted.runs.push_back({std::string(event->key().run_id), event->key().attempt});
    } else if (partition->source == Source::kLogs) {
      const auto logs = decode_log_batch(*record.value, log_batch_);
      const RunKeyView key = log_batch_.key();
      if (logs && !fold_.knows_run_logs(key)) wanted.logs.push_back({std::string(key.run_id), key.attempt});
    }
  }
  if (!wanted.runs.empty() || !wanted.logs.empty()) loader_.begin(std::move(wanted), fold_);
}

// commit

CommitTriggers::Open PipelineImpl::open_batch() const {
  return {changed_since_, fold_.dirty_rows(), fold_.dirty_bytes() + dead_letter_bytes_, dead_letters_.size()};
}

void PipelineImpl::commit(Clock::time_point now) {
  if (auto outcome = committer_.advance(now)) settle(std::move(*outcome));
  if (failed_ || committer_.busy() || !triggers_.due(open_batch(), now)) return;
  committer_.begin(seal());
}

bool PipelineImpl::owns_events(std::int32_t number) {
  const Partition* events = partitions_.find(options_.topics.events, number);
  return events != nullptr && events->state != Partition::State::kUnclaimed;
}

std::unique_ptr<SealedBatch> PipelineImpl::seal() {
  auto batch = std::make_unique<SealedBatch>();
  FoldedBatch folded = fold_.take();
  batch->rows.runs = std::move(folded.runs);
  batch->rows.run_logs = std::move(folded.run_logs);
  batch->rows.api_failures = std::move(folded.api_failures);
  batch->rows.operations = std::move(folded.operations);
  for (const RunRow& run : batch->rows.runs) {
    // A verdict, or its end because logs came, is written only if the run's own partition is still ours.
    Partition* partition = run.partition ? partitions_.find(options_.topics.events, *run.partition) : nullptr;
    if (partition != nullptr) partition->changed = true;
  }
  batch->rows.partitions = partitions_.take_changed();
  batch->pending_logs = std::move(folded.pending_logs);
  batch->counts = std::move(folded.counts);
  const std::array<const std::string*, 3> names{&options_.topics.events, &options_.topics.logs, &options_.topics.operations};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (refused_[i].records == 0) continue;
    TopicCounts& counts = batch->counts.topics[*names[i]];
    counts.records += refused_[i].records;
    counts.bytes += refused_[i].bytes;
  }
  refused_ = {};
  count_losses(batch->counts);
  batch->rows.losses = std::move(losses_);
  losses_.clear();
  batch->dead_letters = std::move(dead_letters_);
  dead_letters_.clear();
  dead_letter_bytes_ = 0;
  changed_since_.reset();
  return batch;
}

void PipelineImpl::settle(Committer::Outcome outcome) {
  if (outcome.committed) {
    const Committer::Committed& committed = *outcome.committed;
    health_.ready("store");
    health_.ready("dead_letters");
    if (committed.after_trouble) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*committed.after_trouble).count();
      log_(5, "commits succeed again, after " + std::to_string(seconds) + " s");
    }
    std::vector<kafka::StartOffset> offsets;
    for (const PartitionRow& row : committed.batch->rows.partitions) {
      if (row.next_offset) offsets.push_back({{row.topic, row.partition}, row.next_offset});
    }
    consumer_->commit_for_lag_tools(offsets);
    // Now everything that is not dirty is in the store, so a run let go is found there when it is heard of again.
    fold_.evict(options_.runs_in_memory, options_.run_memory_bytes);
    return;
  }
  const Committer::Failed& failed = *outcome.failed;
  switch (failed.kind) {
    case Committer::Failed::Kind::kRetrying:
      health_.not_ready(failed.component, failed.reason);
      if (failed.mention) log_(3, "a batch cannot be committed, trying again: " + failed.reason);
      return;
    case Committer::Failed::Kind::kFenced:
      fail("another collector has taken over partitions that this one still read; what it had folded of them was dropped: " +
           failed.reason);
      return;
    case Committer::Failed::Kind::kForGood:
      fail(failed.reason);
      return;
  }
}

// Between the turns, and at the end

boost::asio::awaitable<void> PipelineImpl::idle() {
  using namespace boost::asio::experimental::awaitable_operators;
  auto until = std::min({Clock::now() + kHeartbeat, lag_due_at_, silence_due_at_});
  const auto at_latest = [&until](std::optional<Clock::time_point> due) {
    if (due) until = std::min(until, *due);
  };
  if (changed_since_ && !committer_.busy()) at_latest(*changed_since_ + triggers_.interval);
  at_latest(committer_.due_at());
  at_latest(loader_.due_at());
  at_latest(trimmer_.due_at(committer_.busy()));
  at_latest(pausing_.due_at());
  if (partitions_.any_unclaimed() && !claim_.answer.valid() && claim_backoff_.running()) at_latest(claim_backoff_.due_at());
  if (kafka_mention_.running()) at_latest(kafka_mention_.due_at());

  if (hold() != Hold::kNone && !paused_) {
    co_await waker_->rest_until(until);  // The consumer has records for us, but they must wait.
  } else {
    co_await (waker_->rest_until(until) || consumer_->wait(kHeartbeat));
  }
}

boost::asio::awaitable<void> PipelineImpl::finish() {
  inbox_.clear();
  loader_.cancel();
  if (!failed_) {
    consumer_->pause();
    const auto deadline = Clock::now() + kCommitAtStop;
    while (!failed_ && Clock::now() < deadline && (committer_.busy() || changed_since_)) {
      if (auto outcome = committer_.advance(Clock::now())) {
        settle(std::move(*outcome));
        continue;
      }
      if (!committer_.busy()) committer_.begin(seal());
      co_await waker_->rest_until(std::min(deadline, committer_.due_at().value_or(deadline)));
    }
    if (committer_.busy() || changed_since_) {
      fail("the last records were not committed in time; the next start folds them again");
    }
  }
  drop_folded();
  consumer_->close(kLeaveGroup);  // on_revoke() runs in here, and finds nothing to commit.
  consumer_.reset();
}

void PipelineImpl::stop() {
  stopping_ = true;
  waker_->wake();
}

void PipelineImpl::fail(std::string reason) {
  if (!failed_) {
    log_(2, "the collector stops: " + reason);
    health_.not_ready("pipeline", "stopped: " + reason);
  }
  failed_ = true;
}

}  // namespace runfold::collector

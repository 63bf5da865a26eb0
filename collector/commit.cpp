// Prepares sealed batches and brings them into the store.
#include "collector/commit.hpp"

#include "collector/decode_wire.hpp"
#include "collector/failpoint.hpp"
#include "collector/log_chunk.hpp"
#include "runfold/v1/run.pb.h"

#include <boost/assert.hpp>

#include <stdexcept>

namespace runfold::collector {
namespace {

/// How long one attempt waits for Kafka to acknowledge the dead letters.
constexpr std::chrono::milliseconds kDeadLettersLimit{5'000};

std::string run_idempotency_key(const RunRow& run, std::uint64_t revision) {
  return "run/" + run.key.run_id + "/" + std::to_string(run.key.attempt) + "/" + std::to_string(revision);
}

/// Unit: bytes. Above it a snapshot would soon be more than Kafka takes in one message, which is a megabyte as it comes.
constexpr std::size_t kMostPublished = 512 * 1024;
/// Unit: bytes. With this much of each error, as many steps as a run may have fit.
constexpr std::size_t kStepErrorThen = 256;

/// What sinks are told of a run. `snapshot`: the row's, read; it may be changed.
std::string to_publish(const RunRow& run, v1::Run& snapshot) {
  if (run.snapshot.size() <= kMostPublished) return run.snapshot;
  for (v1::Step& step : *snapshot.mutable_steps()) step.set_error(std::string(wire::bounded(step.error(), kStepErrorThen)));
  return snapshot.SerializeAsString();
}

}  // namespace

void prepare(SealedBatch& batch, const OutboxSinks& sinks) {
  if (batch.prepared) return;
  batch.rows.log_chunks.reserve(batch.pending_logs.size());
  for (PendingLogs& logs : batch.pending_logs) batch.rows.log_chunks.push_back(to_chunk(std::move(logs)));
  batch.pending_logs.clear();

  if (!sinks.runs.empty()) {
    v1::Run snapshot;
    for (const RunRow& run : batch.rows.runs) {
      if (!run.publish) continue;
      if (!snapshot.ParseFromString(run.snapshot))
        throw std::logic_error("the snapshot of run " + run.key.run_id + " is no runfold.v1.Run");
      const std::string key = run_idempotency_key(run, snapshot.revision());
      const std::string payload = to_publish(run, snapshot);
      for (const std::string& sink : sinks.runs) {
        batch.rows.outbox.push_back({sink, sinks::Kind::kRun, key, run.key.run_id, payload});
      }
    }
  }
  for (const ApiFailureRow& failure : batch.rows.api_failures) {
    for (const std::string& sink : sinks.api_failures) {
      batch.rows.outbox.push_back({sink, sinks::Kind::kApiFailure, failure.failure_id, failure.key.run_id, failure.payload});
    }
  }
  batch.prepared = true;
}

struct Committer::Workshop {
  std::unique_ptr<DeadLetters> dead_letters;
  OutboxSinks sinks;
  Observer& observer;
  std::function<void()> outbox_grew;

  /// One attempt, on the writer's thread.
  Attempt work(Writer& writer, std::unique_ptr<SealedBatch> sealed) {
    Attempt attempt;
    attempt.batch = std::move(sealed);
    SealedBatch& batch = *attempt.batch;
    try {
      attempt.component = "dead_letters";
      if (!batch.dead_letters.empty()) {
        if (auto delivered = dead_letters->deliver(batch.dead_letters, kDeadLettersLimit); !delivered) {
          // Whatever Kafka says, an operator can put it right: the topic's limits, its rights, its existence.
          attempt.error = StoreError{StoreErrc::kUnavailable, std::move(delivered.error().message)};
          return attempt;
        }
        for (const DeadLetter& letter : batch.dead_letters) observer.dead_letter(letter.origin.topic, letter.reason);
        batch.dead_letters.clear();
        failpoint("after-dead-letters");
      }

      attempt.component = "store";
      const auto begin = Clock::now();
      prepare(batch, sinks);
      failpoint("before-commit");
      if (auto committed = writer.commit(batch.rows); !committed) {
        observer.commit_failed(committed.error().message);
        attempt.error = std::move(committed.error());
        return attempt;
      }
      failpoint("after-commit");
      observer.committed(batch.counts, Clock::now() - begin);
      if (!batch.rows.outbox.empty() && outbox_grew) outbox_grew();
    } catch (const std::exception& error) {
      // Out of memory, or a defect: nobody knows what was done, so nothing may go on from here.
      attempt.error = StoreError{StoreErrc::kCorrupt, std::string("the commit broke off: ") + error.what()};
    }
    return attempt;
  }
};

Committer::Committer(WriterJobs& writer, std::unique_ptr<DeadLetters> dead_letters, OutboxSinks sinks, Observer& observer,
                     std::function<void()> outbox_grew)
    : writer_(writer),
      workshop_(std::make_shared<Workshop>(Workshop{std::move(dead_letters), std::move(sinks), observer, std::move(outbox_grew)})) {}

void Committer::begin(std::unique_ptr<SealedBatch> batch) {
  BOOST_ASSERT(!busy());
  waiting_ = std::move(batch);
  start();
}

void Committer::start() {
  retry_at_.reset();
  attempt_ = writer_.run(
      [workshop = workshop_, batch = std::move(waiting_)](Writer& writer) mutable { return workshop->work(writer, std::move(batch)); });
}

std::optional<Committer::Outcome> Committer::advance(Clock::time_point now) {
  if (attempt_.valid()) {
    if (attempt_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
    return take(now);
  }
  if (retry_at_ && now >= *retry_at_) start();
  return std::nullopt;
}

std::optional<Committer::Outcome> Committer::finish(Clock::time_point deadline) {
  if (!attempt_.valid()) {
    if (!waiting_) return std::nullopt;
    start();
  }
  if (!writer_.wait(attempt_, deadline)) return std::nullopt;
  return take(Clock::now());
}

Committer::Outcome Committer::take(Clock::time_point now) {
  Attempt attempt = attempt_.get();
  Outcome outcome;
  if (!attempt.error) {
    Committed& committed = outcome.committed.emplace();
    committed.batch = std::move(attempt.batch);
    if (backoff_.running()) committed.after_trouble = backoff_.lasted(now);
    calm();
    return outcome;
  }
  Failed& failed = outcome.failed.emplace();
  failed.component = attempt.component;
  failed.reason = std::move(attempt.error->message);
  if (attempt.error->retryable()) {
    failed.kind = Failed::Kind::kRetrying;
    failed.mention = mention_.due(now);
    static_cast<void>(backoff_.due(now));  // True: an attempt is made only after the interval before it.
    retry_at_ = backoff_.due_at();
    waiting_ = std::move(attempt.batch);
  } else {
    failed.kind = attempt.error->code == StoreErrc::kFenced ? Failed::Kind::kFenced : Failed::Kind::kForGood;
    failed.mention = true;
    calm();
  }
  return outcome;
}

void Committer::calm() noexcept {
  retry_at_.reset();
  backoff_.reset();
  mention_.reset();
}

void Committer::abandon() noexcept {
  waiting_.reset();
  attempt_ = {};
  calm();
}

}  // namespace runfold::collector

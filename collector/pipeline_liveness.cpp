// Finds the runs that have been silent for too long, and has them judged; knows when silence says nothing.
#include "collector/pipeline_impl.hpp"

#include <algorithm>

namespace runfold::collector {
namespace {

/// A partition of which nothing later has been read is behind, and then silence says nothing.
constexpr std::chrono::nanoseconds kBehind = std::chrono::seconds(5);
/// Overdue runs asked for at once, of all partitions together; and the part of the runs in memory that they may take, so
/// that those which are alive stay there.
constexpr std::size_t kAskFor = 2'000;
constexpr std::size_t kPartOfMemory = 4;
/// How much of a partition's time may be unknown to the store: what a restart makes runs wait longer.
constexpr std::chrono::nanoseconds kClockInStore = std::chrono::minutes(1);

}  // namespace

void PipelineImpl::watch_silence(Clock::time_point now) {
  if (now >= silence_due_at_) {
    silence_due_at_ = now + options_.silence_interval;
    observe(now);
    ask_for_overdue();
  }
  take_overdue(now);
  judge_overdue();
}

void PipelineImpl::observe(Clock::time_point now) {
  if (hold() == Hold::kTrouble) return;
  for (Partition& partition : partitions_.all()) {
    if (partition.source == Source::kOperations || partition.state != Partition::State::kReading || partition.doubt) continue;
    partition.clock.not_later_than(wall_now_ns_);
    partition.caught_up.not_later_than(wall_now_ns_);
    // A watermark tells of the moment at which the broker was asked: while Kafka is away, nothing new is observed. Nor is it
    // while producers cannot write: then their runs are silent, and alive.
    if (const auto marks = consumer_->watermarks(partition.at); marks && marks->writable) {
      const TimeNs asked_at_ns = wall_now_ns_ - std::max<TimeNs>(0, std::chrono::nanoseconds(now - marks->asked_at).count());
      partition.caught_up.observe(read_up_to(partition, marks->low), marks->high, asked_at_ns);
      partition.clock.advance(std::min(partition.caught_up.at_ns(), wall_now_ns_), options_.liveness.settle);
    }
    if (partition.clock_in_store_ns == 0) partition.clock_in_store_ns = partition.clock.clock_ns;
    if (partition.clock.clock_ns - partition.clock_in_store_ns >= kClockInStore.count()) {
      partition.changed = true;
      if (!changed_since_) changed_since_ = now;
    }
  }
}

bool PipelineImpl::is_current(const Partition& partition) const {
  if (partition.state == Partition::State::kStopped) return true;  // An operator was told; the other topic tells of its runs.
  return partition.state == Partition::State::kReading && !partition.doubt && partition.clock.settled() &&
         partition.caught_up.at_ns() >= wall_now_ns_ - kBehind.count() && partition.caught_up.at_ns() <= wall_now_ns_;
}

bool PipelineImpl::may_judge(const Partition& events) {
  if (events.state != Partition::State::kReading || !is_current(events)) return false;
  const Partition* logs = partitions_.find(options_.topics.logs, events.at.partition);
  return logs == nullptr || is_current(*logs);
}

void PipelineImpl::ask_for_overdue() {
  if (overdue_answer_.valid() || !overdue_.empty() || failed_ || hold() == Hold::kTrouble) return;
  std::vector<HeardAt> clocks;
  for (const Partition& partition : partitions_.all()) {
    if (partition.source == Source::kEvents && may_judge(partition)) clocks.push_back({partition.at.partition, partition.clock.clock_ns});
  }
  if (clocks.empty()) return;
  // Another one goes first each time: one that has many overdue does not keep the others waiting.
  std::ranges::rotate(clocks, clocks.begin() + static_cast<std::ptrdiff_t>(asked_for_overdue_++ % clocks.size()));
  const std::size_t most = std::clamp<std::size_t>(options_.runs_in_memory / kPartOfMemory, 1, kAskFor);
  overdue_answer_ = jobs_.write->run([clocks = std::move(clocks), most](Writer& writer) -> StoreResult<std::vector<Overdue>> {
    std::vector<Overdue> overdue;
    try {
      for (const HeardAt& clock : clocks) {
        if (overdue.size() >= most) break;
        auto keys = writer.overdue_runs(clock.partition, clock.clock_ns, most - overdue.size());
        if (!keys) return keys.error();
        for (RunKey& key : *keys) overdue.push_back({std::move(key), clock.partition});
      }
    } catch (const std::exception& error) {
      return StoreError{StoreErrc::kCorrupt, std::string("asking which runs are overdue broke off: ") + error.what()};
    }
    return overdue;
  });
}

void PipelineImpl::take_overdue(Clock::time_point now) {
  if (!overdue_answer_.valid() || overdue_answer_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  auto answer = overdue_answer_.get();
  if (answer) {
    overdue_ = std::move(*answer);
    overdue_mention_.reset();
  } else if (answer.error().retryable()) {
    if (overdue_mention_.due(now)) log_(4, "the store does not say which runs are overdue, trying again: " + answer.error().message);
  } else {
    fail(answer.error().message);
  }
}

void PipelineImpl::judge_overdue() {
  if (overdue_.empty() || failed_ || hold() != Hold::kNone) return;
  Loader::Wanted wanted;
  std::vector<Overdue> left;
  for (auto& [key, number] : overdue_) {
    const RunKeyView run{key.run_id, key.attempt};
    const bool knows_run = fold_.knows_run(run);
    const bool knows_logs = fold_.knows_run_logs(run);
    if (!knows_run) wanted.runs.push_back(key);
    if (!knows_logs) wanted.logs.push_back(key);
    if (!knows_run || !knows_logs) {
      left.push_back({std::move(key), number});
      continue;
    }
    Partition* partition = partitions_.find(options_.topics.events, number);
    // Whoever is not judged now is asked for again.
    if (partition == nullptr || !may_judge(*partition)) continue;
    const Judged judged = fold_.judge(run, {number, partition->clock.clock_ns}, silence_of_logs(run));
    if (judged == Judged::kNothing) continue;
    // The verdict is written only if the partition is still ours.
    partition->changed = true;
    if (!changed_since_) changed_since_ = Clock::now();
  }
  overdue_ = std::move(left);
  if (!overdue_.empty() && !loader_.busy()) loader_.begin(std::move(wanted), fold_);
}

std::optional<DurationNs> PipelineImpl::silence_of_logs(const RunKeyView& run) {
  const auto heard = fold_.logs_heard(run);
  if (!heard) return std::nullopt;
  const Partition* logs = partitions_.find(options_.topics.logs, heard->partition);
  // One that is stopped says nothing of silence: its clock stands still.
  if (logs == nullptr || logs->state == Partition::State::kStopped) return std::nullopt;
  // Behind, it may have been heard of just now.
  return is_current(*logs) ? logs->clock.clock_ns - heard->clock_ns : 0;
}

void PipelineImpl::forget_overdue() {
  overdue_answer_ = {};
  overdue_.clear();
  overdue_mention_.reset();
}

}  // namespace runfold::collector

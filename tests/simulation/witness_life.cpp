// Who may be called lost or timed out, and who must not stay so: judged by what stood in the log, and when.
#include "tests/simulation/store.hpp"

#include <algorithm>
#include <set>

namespace runfold::simulation {
namespace {

using collector::RunKey;

/// Shorter ones the collector may take for two hiccups, when its clock and the broker's differ.
constexpr std::int64_t kOutage = 11 * kSecond;

bool inferred(const v1::Run& run, v1::RunResult result) {
  return run.status() == v1::RUN_STATUS_FINISHED && run.result_source() == v1::RESULT_SOURCE_INFERRED && run.result() == result;
}

/// When records of a run reached the log that were not there before, in order; and in how many partitions of a topic they are.
struct Signs {
  std::vector<std::int64_t> times;
  std::map<std::string, std::set<std::int32_t>> partitions;
};
Signs signs_of_life(const RunKey& key, const Logs& logs) {
  std::set<std::tuple<std::string, std::string, std::uint64_t>> seen;
  Signs signs;
  const auto is_it = [&](const v1::RunIdentity& identity) { return identity.run_id() == key.run_id && identity.attempt() == key.attempt; };
  for (const auto& [at, log] : logs) {
    for (const Entry& entry : log.entries) {
      const auto& meaning = entry.sent->meaning;
      bool fresh = false;
      if (const auto* event = std::get_if<v1::SyncEvent>(&meaning); event != nullptr && is_it(event->identity())) {
        fresh = event->sequence() == 0 || seen.emplace(kEvents, event->identity().source_id(), event->sequence()).second;
      } else if (const auto* batch = std::get_if<v1::LogBatch>(&meaning); batch != nullptr && is_it(batch->identity())) {
        for (int i = 0; i < batch->records_size(); ++i) {
          const std::uint64_t sequence = batch->first_sequence() + static_cast<std::uint64_t>(i);
          if (batch->first_sequence() == 0 || seen.emplace(kLogs, batch->identity().source_id(), sequence).second) fresh = true;
        }
      }
      if (!fresh) continue;
      signs.times.push_back(entry.appended_ns);
      signs.partitions[at.topic].insert(at.partition);
    }
  }
  std::ranges::sort(signs.times);
  return signs;
}

/// How much of a time somebody could have been heard in: outages do not count.
std::int64_t audible(std::int64_t from, std::int64_t to, const ModelKafka& kafka) {
  std::int64_t sum = to - from;
  for (const auto& [begin, end] : kafka.outages()) {
    if (end - begin < kOutage || end <= from) continue;  // Heard since, it can be heard.
    if (begin < to) sum -= std::min(to, end) - std::max(from, begin);
  }
  return sum;
}

}  // namespace

void Witness::check_end(const RunKey& key, const v1::Run& before, const v1::Run& run, std::int64_t decided_after_ns) {
  const std::string name = "run " + key.run_id + ", attempt " + std::to_string(key.attempt);
  if (before.has_finished_at() && !run.has_finished_at()) throw Failure(name + ": it had completed, and has not any more");
  if (inferred(before, v1::RUN_RESULT_TIMEOUT) && !run.has_finished_at() && !inferred(run, v1::RUN_RESULT_TIMEOUT)) {
    throw Failure(name + ": it was timed out, and came back without a Completed");
  }
  const bool timed_out = inferred(run, v1::RUN_RESULT_TIMEOUT) && !inferred(before, v1::RUN_RESULT_TIMEOUT);
  const bool lost = inferred(run, v1::RUN_RESULT_LOST) && !inferred(before, v1::RUN_RESULT_LOST);
  if (!log_times_are_true_ || (!timed_out && !lost)) return;
  const Signs found = signs_of_life(key, kafka_.logs());
  // Partitions have clocks of their own: which of a run's records was the last, those of one partition alone tell surely.
  if (std::ranges::any_of(found.partitions, [](const auto& of_topic) { return of_topic.second.size() > 1; })) return;
  if (timed_out) {
    const auto limit = limits_.connectors.find(run.connector_id());
    if (limit == limits_.connectors.end()) throw Failure(name + ": it is timed out, and may take as long as it likes");
    const std::int64_t took = now_ns() - found.times.front();
    const std::int64_t may_take = limit->second.max_duration->count();
    if (took < may_take) {
      throw Failure(name + ": timed out after " + std::to_string(took / kSecond) + " s, of " + std::to_string(may_take / kSecond));
    }
    return;
  }
  std::int64_t limit = limits_.silence.count();
  if (run.has_heartbeat_interval()) {
    limit = std::max<std::int64_t>(30 * kSecond, run.heartbeat_interval().seconds() * kSecond * limits_.missed_heartbeats);
  }
  std::vector<std::int64_t> signs = found.times;
  signs.push_back(now_ns());
  std::int64_t longest = 0;
  for (std::size_t i = 0; i + 1 < signs.size(); ++i) {
    if (signs[i + 1] < decided_after_ns) continue;
    // A clock that was set may hide for how long nobody could be heard, and adds a little each time, and by what it is wrong.
    const auto before_end = [&](std::int64_t at) { return at <= signs[i + 1]; };
    const auto within = [&](std::int64_t at) { return at >= signs[i] && before_end(at); };
    const auto sets = std::ranges::count_if(clock_set_ns_, within) + (std::ranges::any_of(clock_set_ns_, before_end) ? 1 : 0);
    const std::int64_t heard_nothing =
        std::ranges::any_of(clock_set_ns_, within) ? signs[i + 1] - signs[i] : audible(signs[i], signs[i + 1], kafka_);
    longest = std::max<std::int64_t>(longest, heard_nothing + sets * collector::PartitionClock::kLongestGap.count());
  }
  trace_("  store: ", name, " is lost after ", longest / kSecond, " s of silence");
  if (longest < limit) {
    throw Failure(name + ": called lost after " + std::to_string(longest / kMs) + " ms of silence in which it could have been heard, of " +
                  std::to_string(limit / kMs));
  }
}

void Witness::check_logs(const collector::RunLogsRow& row, const collector::Batch& batch) {
  std::uint64_t& received = log_records_[row.key];
  if (row.received <= std::exchange(received, row.received)) return;
  const auto run = runs_.find(row.key);
  const bool judged_now = std::ranges::find(batch.runs, row.key, &collector::RunRow::key) != batch.runs.end();
  if (run != runs_.end() && inferred(run->second, v1::RUN_RESULT_LOST) && !judged_now) {
    throw Failure("run " + row.key.run_id + ": it logs, and stays lost");
  }
}

}  // namespace runfold::simulation

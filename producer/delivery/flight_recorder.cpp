// Keeping within the bounds, and counting what goes.
#include "producer/delivery/flight_recorder.hpp"

#include <cassert>
#include <utility>

namespace runfold::delivery {
namespace {

// What a record costs beside its body.
constexpr std::size_t kRecordOverhead = 64;

}  // namespace

void FlightRecorder::keep(RunAccount& run, std::int64_t time_ns, std::string_view body) {
  auto& held = run.recording;
  const std::size_t most = run.about.recorder_bytes.value_or(0);
  const std::size_t cost = body.size() + kRecordOverhead;
  if (cost > most || cost > bytes_limit_) return run.give_up(Channel::kLogs, Drop::kNotNeeded, 1, ledger_);
  while (held.bytes + cost > most) let_go_oldest(run);
  while (bytes_ + cost > bytes_limit_) {
    in_line_.splice(in_line_.end(), in_line_, in_line_.begin());
    let_go_oldest(*in_line_.back());
  }
  if (held.records.empty()) held.in_line = in_line_.insert(in_line_.end(), &run);
  held.records.push_back({time_ns, std::string(body)});
  held.bytes += cost;
  bytes_ += cost;
}

void FlightRecorder::let_go_oldest(RunAccount& run) {
  auto& held = run.recording;
  assert(!held.records.empty());
  if (held.records.size() == 1) return let_go(run, Drop::kNotNeeded);
  const std::size_t cost = held.records.front().body.size() + kRecordOverhead;
  held.records.pop_front();
  held.bytes -= cost;
  bytes_ -= cost;
  run.give_up(Channel::kLogs, Drop::kNotNeeded, 1, ledger_);
}

std::deque<RunAccount::Recording::Record> FlightRecorder::take(RunAccount& run) {
  auto& held = run.recording;
  if (held.records.empty()) return {};
  in_line_.erase(held.in_line);
  bytes_ -= std::exchange(held.bytes, 0);
  return std::exchange(held.records, {});
}

void FlightRecorder::let_go(RunAccount& run, Drop reason) {
  run.give_up(Channel::kLogs, reason, take(run).size(), ledger_);
}

}  // namespace runfold::delivery

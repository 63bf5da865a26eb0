// The records of one run, as the benchmarks of the store and of memory fold them: real events through the real decoder and fold.
#pragma once

#include "collector/decode.hpp"
#include "collector/fold.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <cstdint>
#include <stdexcept>
#include <string>

namespace runfold::bench {

struct BenchRun {
  std::uint32_t number = 0;
  std::uint32_t steps = 5;
  std::uint32_t log_records = 5;
  bool finished = true;
};

inline v1::RunIdentity identity_of(const BenchRun& run) {
  v1::RunIdentity identity;
  identity.set_run_id("bench-run-" + std::to_string(run.number));
  identity.set_connector_id("bench-connector-" + std::to_string(run.number % 20));
  identity.set_version("1.4.2");
  identity.set_site("site-" + std::to_string(run.number % 100));
  identity.set_attempt(1);
  identity.set_source_id("source-" + std::to_string(run.number));
  return identity;
}

/// Folds everything the run tells. `offset` is the next of both topics.
inline void fold_run(collector::Fold& fold, const BenchRun& run, std::int64_t& offset) {
  constexpr std::int64_t kEpochS = 1'790'000'000;
  constexpr std::int64_t kNs = 1'000'000'000;
  v1::SyncEvent event;
  *event.mutable_identity() = identity_of(run);
  std::string bytes;
  std::uint64_t sequence = 0;
  const auto send = [&] {
    event.set_sequence(++sequence);
    event.mutable_occurred_at()->set_seconds(kEpochS + run.number + static_cast<std::int64_t>(sequence));
    event.SerializeToString(&bytes);
    const auto view = collector::decode_event(bytes);
    if (!view) throw std::logic_error("an event of the benchmark is none");
    if (!fold.knows_run(view->key()) && !fold.supply_run(view->key(), std::nullopt)) throw std::logic_error("a new run is refused");
    static_cast<void>(fold.event(*view, {"runfold.events", 0, offset++, (kEpochS + run.number) * kNs}));
  };
  event.mutable_started();
  send();
  for (std::uint32_t step = 0; step < run.steps; ++step) {
    event.mutable_step_started()->set_step_id("step-" + std::to_string(step));
    send();
    event.mutable_step_completed()->set_step_id("step-" + std::to_string(step));
    event.mutable_step_completed()->set_entities(step * 10);
    event.mutable_step_completed()->mutable_duration()->set_seconds(2);
    send();
  }
  if (run.finished) {
    event.mutable_completed()->set_result(run.number % 50 == 0 ? v1::RUN_RESULT_FAILURE : v1::RUN_RESULT_SUCCESS);
    event.mutable_completed()->set_exit_code(run.number % 50 == 0 ? 1 : 0);
    send();
  }
  if (run.log_records == 0) return;

  v1::LogBatch logs;
  *logs.mutable_identity() = identity_of(run);
  logs.set_first_sequence(1);
  for (std::uint32_t i = 0; i < run.log_records; ++i) {
    auto& record = *logs.add_records();
    record.mutable_logged_at()->set_seconds(kEpochS + run.number + i);
    record.set_severity(v1::SEVERITY_INFO);
    record.set_stream(v1::LOG_STREAM_APPLICATION);
    record.set_message("read page " + std::to_string(i) + " of the invoices of site " + std::to_string(run.number % 100));
  }
  logs.SerializeToString(&bytes);
  collector::LogBatchView view;
  if (!collector::decode_log_batch(bytes, view)) throw std::logic_error("a log batch of the benchmark is none");
  if (!fold.knows_run_logs(view.key()) && !fold.supply_run_logs(view.key(), std::nullopt)) throw std::logic_error("new logs are refused");
  static_cast<void>(fold.logs(view, {"runfold.logs", 0, offset++, (kEpochS + run.number) * kNs}));
}

}  // namespace runfold::bench

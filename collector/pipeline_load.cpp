// Loads rows on the writer's thread and supplies them to the fold on the pipeline's.
#include "collector/pipeline_load.hpp"

#include "runfold/v1/event.pb.h"

#include <boost/assert.hpp>

#include <algorithm>
#include <exception>

namespace runfold::collector {
namespace {

void once_each(std::vector<RunKey>& keys) {
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
}

StoreError unreadable(const RunKey& key, std::string_view what) {
  return {StoreErrc::kCorrupt,
          "the stored state of the " + std::string(what) + " of run " + key.run_id + ", attempt " + std::to_string(key.attempt) +
              ", cannot be read: it is damaged, or a later release of the collector wrote it; start that release again"};
}

}  // namespace

void Loader::begin(Wanted wanted) {
  BOOST_ASSERT(!busy());
  once_each(wanted.runs);
  once_each(wanted.logs);
  wanted_ = std::move(wanted);
  start();
}

void Loader::start() {
  retry_at_.reset();
  load_ = writer_.run([wanted = std::move(wanted_)](Writer& writer) mutable {
    Loaded loaded;
    loaded.wanted = std::move(wanted);
    try {
      if (!loaded.wanted.runs.empty()) {
        auto rows = writer.load_runs(loaded.wanted.runs);
        if (!rows) {
          loaded.error = std::move(rows.error());
          return loaded;
        }
        loaded.runs = std::move(*rows);
      }
      if (!loaded.wanted.logs.empty()) {
        auto rows = writer.load_run_logs(loaded.wanted.logs);
        if (!rows) {
          loaded.error = std::move(rows.error());
          return loaded;
        }
        loaded.logs = std::move(*rows);
        auto runs = writer.load_runs(loaded.wanted.logs);
        if (!runs) {
          loaded.error = std::move(runs.error());
          return loaded;
        }
        loaded.runs_of_logs = std::move(*runs);
      }
    } catch (const std::exception& error) {
      loaded.error = StoreError{StoreErrc::kCorrupt, std::string("loading rows broke off: ") + error.what()};
    }
    return loaded;
  });
}

std::optional<Loader::Outcome> Loader::advance(Clock::time_point now, Fold& fold) {
  if (retry_at_ && now >= *retry_at_) start();
  if (!load_.valid() || load_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
  Loaded loaded = load_.get();
  Outcome outcome;
  if (loaded.error) {
    outcome.error = std::move(loaded.error);
    outcome.retrying = outcome.error->retryable();
    outcome.mention = mention_.due(now);
    if (outcome.retrying) {
      static_cast<void>(backoff_.due(now));
      retry_at_ = backoff_.due_at();
      wanted_ = std::move(loaded.wanted);
    }
    return outcome;
  }
  for (std::size_t i = 0; i < loaded.wanted.runs.size(); ++i) {
    const RunKey& key = loaded.wanted.runs[i];
    if (!fold.supply_run({key.run_id, key.attempt}, loaded.runs[i])) outcome.error = unreadable(key, "events");
  }
  for (std::size_t i = 0; i < loaded.wanted.logs.size(); ++i) {
    const RunKey& key = loaded.wanted.logs[i];
    const auto& run = loaded.runs_of_logs[i];
    if (run && run->result == v1::RUN_RESULT_LOST && !fold.supply_run({key.run_id, key.attempt}, run)) {
      outcome.error = unreadable(key, "events");
    }
    if (!fold.supply_run_logs({key.run_id, key.attempt}, loaded.logs[i])) outcome.error = unreadable(key, "logs");
  }
  backoff_.reset();
  mention_.reset();
  return outcome;
}

void Loader::cancel() noexcept {
  load_ = {};
  retry_at_.reset();
  wanted_ = {};
  backoff_.reset();
  mention_.reset();
}

}  // namespace runfold::collector

// Loads rows on the reader's thread and supplies them to the fold on the pipeline's.
#include "collector/pipeline_load.hpp"

#include "runfold/v1/event.pb.h"

#include <boost/assert.hpp>

#include <algorithm>
#include <exception>
#include <set>
#include <span>

namespace runfold::collector {
namespace {

/// So many rows of a kind are asked for at a time, until they are so many bytes. Unit: bytes.
constexpr std::size_t kSlice = 32;
constexpr std::size_t kEnough = 32 * 1024 * 1024;

/// The first of each stays where it is.
void once_each(std::vector<RunKey>& keys) {
  std::set<RunKey> seen;
  std::erase_if(keys, [&seen](const RunKey& key) { return !seen.insert(key).second; });
}

/// Calls `load` with the keys slice by slice and adds up the bytes that it brought. When that is enough, the other keys go.
template <class Load>
std::optional<StoreError> in_slices(std::vector<RunKey>& keys, Load&& load) {
  std::size_t done = 0;
  std::size_t bytes = 0;
  while (done < keys.size() && bytes < kEnough) {
    const auto slice = std::span<const RunKey>(keys).subspan(done, std::min(kSlice, keys.size() - done));
    const StoreResult<std::size_t> brought = load(slice);
    if (!brought) return brought.error();
    bytes += *brought;
    done += slice.size();
  }
  keys.resize(done);
  return std::nullopt;
}

/// Adds the rows to those there are. Returns their bytes.
template <class Row>
std::size_t append(std::vector<std::optional<Row>>& all, std::vector<std::optional<Row>> rows) {
  std::size_t bytes = 0;
  for (auto& row : rows) {
    if (row) bytes += row->fold_state.size();
    if constexpr (requires { row->snapshot; }) bytes += row ? row->snapshot.size() : 0;
    all.push_back(std::move(row));
  }
  return bytes;
}

StoreError unreadable(const RunKey& key, std::string_view what) {
  return {StoreErrc::kCorrupt,
          "the stored state of the " + std::string(what) + " of run " + key.run_id + ", attempt " + std::to_string(key.attempt) +
              ", cannot be read: it is damaged, or a later release of the collector wrote it; start that release again"};
}

}  // namespace

void Loader::begin(Wanted wanted, const Fold& fold) {
  BOOST_ASSERT(!busy());
  once_each(wanted.runs);
  once_each(wanted.logs);
  wanted_ = std::move(wanted);
  held_.clear();
  for (const RunKey& key : wanted_.logs) {
    if (fold.knows_run({key.run_id, key.attempt})) held_.insert(key);
  }
  start();
}

void Loader::start() {
  retry_at_.reset();
  load_ = reader_.run([wanted = std::move(wanted_)](RunReader& reader) mutable {
    Loaded loaded;
    loaded.wanted = std::move(wanted);
    try {
      loaded.error = in_slices(loaded.wanted.runs, [&](std::span<const RunKey> keys) -> StoreResult<std::size_t> {
        auto rows = reader.load_runs(keys);
        if (!rows) return rows.error();
        return append(loaded.runs, std::move(*rows));
      });
      if (loaded.error) return loaded;
      loaded.error = in_slices(loaded.wanted.logs, [&](std::span<const RunKey> keys) -> StoreResult<std::size_t> {
        auto rows = reader.load_run_logs(keys);
        if (!rows) return rows.error();
        auto runs = reader.load_runs(keys);
        if (!runs) return runs.error();
        for (auto& run : *runs) {
          if (run && run->result != v1::RUN_RESULT_LOST) run.reset();
        }
        return append(loaded.logs, std::move(*rows)) + append(loaded.lost_runs_of_logs, std::move(*runs));
      });
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
    // It was let go meanwhile: the commit before that may have called it lost, and its row may be from before that.
    if (held_.contains(key) && !fold.knows_run({key.run_id, key.attempt})) continue;
    const auto& run = loaded.lost_runs_of_logs[i];
    if (run && !fold.supply_run({key.run_id, key.attempt}, run)) outcome.error = unreadable(key, "events");
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

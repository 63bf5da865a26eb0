// Which runs are in memory, which of them changed, and what that adds up to.
#include "collector/fold.hpp"

#include "collector/fold_logs.hpp"
#include "collector/fold_run.hpp"
#include "collector/fold_tally.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <cassert>
#include <functional>
#include <string>
#include <utility>

namespace runfold::collector {
namespace {

struct KeyHash {
  using is_avalanching = void;
  std::size_t operator()(const RunKeyView& key) const noexcept {
    return std::hash<std::string_view>{}(key.run_id) ^ (key.attempt * 0x9e3779b97f4a7c15U);
  }
};

struct TextHash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

std::size_t row_bytes(const RunRow& row) {
  return row.snapshot.size() + row.fold_state.size();
}
std::size_t row_bytes(const RunLogsRow& row) {
  return row.fold_state.size();
}

// What a state takes in memory, by what its row takes: tests/bench/run_memory compares this with the allocator.
constexpr std::size_t kRunBytes = 1'000;
constexpr std::size_t kRunLogsBytes = 600;
constexpr std::size_t kBytesForARowsByte = 5;
/// What a log batch adds to the row of its run's logs beside the name of its source: a range of numbers behind a gap.
constexpr std::size_t kRangeBytes = 24;

/// States by key, which of them changed since they were last taken, and when each was last heard of.
template <class State>
class Held {
 public:
  struct Entry {
    explicit Entry(const RunKeyView& key) : state(key) {}
    State state;
    bool dirty = false;
    /// The number of the take that gave its row last; 0: none since it is in memory.
    std::uint64_t taken = 0;
    std::uint64_t heard = 0;
    /// Of its row as it was last taken or supplied, and of the records that changed it since.
    std::size_t row_bytes = 0;
    /// Supplied since the last evict(), and the record that asked for it is still to come.
    bool fresh = true;
  };

  /// `least`: what a state takes whose row is empty. Unit: bytes.
  explicit Held(std::size_t least) : least_(least) {}

  [[nodiscard]] Entry* find(const RunKeyView& key) const noexcept {
    if (last_ != nullptr && last_->state.key() == key) return last_;
    const auto at = entries_.find(key);
    if (at == entries_.end()) return nullptr;
    return last_ = at->second.get();
  }

  template <class Row>
  [[nodiscard]] bool supply(const RunKeyView& key, const std::optional<Row>& stored) {
    if (find(key) != nullptr) return true;
    auto entry = std::make_unique<Entry>(key);
    if (stored && !entry->state.restore(*stored)) return false;
    entry->heard = ++clock_;
    bytes_ += least_;
    if (stored) resize(*entry, row_bytes(*stored));
    // The key views the state's own text, which stays where it is as long as the entry does.
    const RunKeyView own = entry->state.key();
    last_ = entries_.emplace(own, std::move(entry)).first->second.get();
    return true;
  }

  /// `bytes`: by which its row grew, at most.
  void changed(Entry& entry, std::size_t bytes) {
    entry.heard = ++clock_;
    entry.fresh = false;
    resize(entry, entry.row_bytes + bytes);
    dirty_bytes_ += entry.dirty ? bytes : entry.row_bytes;
    if (entry.dirty) return;
    entry.dirty = true;
    dirty_.push_back(&entry);
  }

  [[nodiscard]] std::size_t dirty() const noexcept { return dirty_.size(); }
  [[nodiscard]] std::size_t dirty_bytes() const noexcept { return dirty_bytes_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  /// `make_row` makes the row of a state.
  template <class Row, class MakeRow>
  void take(std::vector<Row>& rows, MakeRow&& make_row) {
    ++takes_;
    rows.reserve(dirty_.size());
    for (Entry* entry : dirty_) {
      rows.push_back(make_row(entry->state));
      resize(*entry, row_bytes(rows.back()));
      entry->dirty = false;
      entry->taken = takes_;
    }
    dirty_.clear();
    dirty_bytes_ = 0;
  }

  /// How many takes gave nothing of it since one last did.
  [[nodiscard]] std::uint64_t takes_without(const Entry& entry) const noexcept { return takes_ - entry.taken; }

  /// `done` says which need not be held any longer, `needed` which must be.
  template <class Done, class Needed>
  void evict(std::size_t keep, std::size_t keep_bytes, Done&& done, Needed&& needed) {
    last_ = nullptr;
    std::vector<Entry*> idle;
    boost::unordered::erase_if(entries_, [&](const auto& held) {
      Entry& entry = *held.second;
      if (entry.dirty || std::exchange(entry.fresh, false) || needed(entry)) return false;
      if (!done(entry)) {
        idle.push_back(&entry);
        return false;
      }
      bytes_ -= memory_of(entry);
      return true;
    });
    const auto later = [](const Entry* left, const Entry* right) { return left->heard > right->heard; };
    if (entries_.size() > keep || bytes_ > keep_bytes) std::make_heap(idle.begin(), idle.end(), later);
    while (!idle.empty() && (entries_.size() > keep || bytes_ > keep_bytes)) {
      std::pop_heap(idle.begin(), idle.end(), later);
      // Taken out before it is erased: the key that the map compares views the entry's text.
      const auto found = entries_.find(idle.back()->state.key());
      const auto entry = std::move(found->second);
      entries_.erase(found);
      bytes_ -= memory_of(*entry);
      idle.pop_back();
    }
  }

  void clear() {
    last_ = nullptr;
    dirty_.clear();
    dirty_bytes_ = 0;
    entries_.clear();
    bytes_ = 0;
  }

 private:
  [[nodiscard]] std::size_t memory_of(const Entry& entry) const noexcept { return least_ + kBytesForARowsByte * entry.row_bytes; }
  void resize(Entry& entry, std::size_t row_bytes) {
    bytes_ += kBytesForARowsByte * row_bytes;
    bytes_ -= kBytesForARowsByte * entry.row_bytes;
    entry.row_bytes = row_bytes;
  }

  boost::unordered_flat_map<RunKeyView, std::unique_ptr<Entry>, KeyHash> entries_;
  /// The one asked for last: records of a run come in runs.
  mutable Entry* last_ = nullptr;
  std::vector<Entry*> dirty_;
  std::size_t least_;
  std::size_t dirty_bytes_ = 0;
  /// Of all entries.
  std::size_t bytes_ = 0;
  std::uint64_t takes_ = 0;
  std::uint64_t clock_ = 0;
};

/// An operation's rows for the next batch.
struct ChangedOperation {
  /// What `row` came behind: the store may hold what only this removes.
  std::optional<OperationRow> removal;
  OperationRow row;

  /// As the store does: the newer state holds, and a removal removes what stands before it in its partition however new
  /// that says it is; it is as new as what it removed.
  void fold(OperationRow next) {
    const bool same_partition = next.origin.partition == row.origin.partition;
    const bool removes = !next.payload && same_partition && next.origin.offset > row.origin.offset;
    if (!removes && next.updated_at_ns < row.updated_at_ns) return;
    if (removes) next.updated_at_ns = std::max(next.updated_at_ns, row.updated_at_ns);
    if (next.payload && !row.payload) removal = std::move(row);
    if (removes && removal && removal->origin.partition == next.origin.partition) removal.reset();
    row = std::move(next);
  }
};

}  // namespace

class Fold::Impl {
 public:
  Impl(LivenessLimits how_long, OwnsEvents owns) : limits(std::move(how_long)), owns_events(std::move(owns)) {}

  Folded event(const EventView& event, const Origin& origin) {
    auto* entry = runs.find(event.key());
    assert(entry != nullptr);
    const Folded folded = entry->state.fold(event, origin, tally);
    // At least half of a record is in the row already: whose it is.
    if (folded == Folded::kFolded) runs.changed(*entry, event.bytes.size() / 2);
    return count(folded, origin, event.bytes);
  }

  Folded logs(const LogBatchView& batch, const Origin& origin) {
    auto* entry = run_logs.find(batch.key());
    assert(entry != nullptr);
    if (batch.records.empty()) return count(Folded::kFolded, origin, batch.bytes);  // It says nothing, so nothing may change.
    const Folded folded = entry->state.fold(batch, origin, tally, pending);
    if (folded == Folded::kFolded) {
      run_logs.changed(*entry, kRangeBytes + batch.identity.source_id.size());
      call_back(batch.key());
    }
    return count(folded, origin, batch.bytes);
  }

  Folded operation(const OperationView& view, const Origin& origin) {
    const TimeNs record_time_ns = std::max<TimeNs>(origin.record_time_ns, 0);
    const TimeNs updated_at_ns = view.updated_at_ns.value_or(record_time_ns);
    OperationRow row;
    row.operation_id = view.operation_id;
    row.status = view.status;
    row.name = view.name;
    row.owner_id = view.owner_id;
    row.connector_id = view.connector_id;
    row.created_at_ns = view.removed ? 0 : view.created_at_ns.value_or(updated_at_ns);
    row.updated_at_ns = updated_at_ns;
    row.origin = {origin.partition, origin.offset};
    operation_bytes += view.bytes.size();
    if (!view.removed) row.payload.emplace(view.bytes);
    const auto at = operations.find(view.operation_id);
    if (at == operations.end()) {
      operations.emplace(std::string(view.operation_id), ChangedOperation{{}, std::move(row)});
    } else {
      at->second.fold(std::move(row));
    }
    return count(Folded::kFolded, origin, view.bytes);
  }

  Judged judge(const RunKeyView& key, const HeardAt& now, const std::optional<DurationNs>& logs_silence_ns) {
    auto* entry = runs.find(key);
    assert(entry != nullptr);
    const Judged judged = entry->state.judge(now, logs_silence_ns, limits, tally);
    if (judged != Judged::kNothing) runs.changed(*entry, 0);
    return judged;
  }

  FoldedBatch take() {
    FoldedBatch batch;
    runs.take(batch.runs, [this](RunState& run) { return run.row(limits); });
    run_logs.take(batch.run_logs, [](RunLogsState& logs) { return logs.row(); });
    batch.pending_logs = std::exchange(pending.logs, {});
    batch.api_failures = std::exchange(pending.api_failures, {});
    pending.bytes = 0;
    batch.operations.reserve(operations.size());
    for (auto& [id, changed] : operations) {
      if (changed.removal) batch.operations.push_back(std::move(*changed.removal));
      batch.operations.push_back(std::move(changed.row));
    }
    operations.clear();
    operation_bytes = 0;
    std::stable_sort(batch.operations.begin(), batch.operations.end(),
                     [](const OperationRow& left, const OperationRow& right) { return left.operation_id < right.operation_id; });
    batch.counts = tally.take();
    return batch;
  }

  void clear() {
    runs.clear();
    run_logs.clear();
    pending = {};
    operations.clear();
    operation_bytes = 0;
    (void)tally.take();
  }

  LivenessLimits limits;
  OwnsEvents owns_events;
  Held<RunState> runs{kRunBytes};
  Held<RunLogsState> run_logs{kRunLogsBytes};
  PendingSheet pending;
  boost::unordered_flat_map<std::string, ChangedOperation, TextHash, std::equal_to<>> operations;
  /// Of the records that `operations` were made from.
  std::size_t operation_bytes = 0;
  Tally tally;

 private:
  void call_back(const RunKeyView& key) {
    auto* run = runs.find(key);
    if (run == nullptr || !run->state.lost() || !owns_events(run->state.heard_on())) return;
    run->state.revive(tally);
    runs.changed(*run, 0);
  }

  Folded count(Folded folded, const Origin& origin, std::string_view bytes) {
    TopicCounts& counts = tally.topic(origin.topic);
    ++counts.records;
    counts.bytes += bytes.size();
    if (folded == Folded::kDuplicate) ++counts.duplicates;
    if (folded == Folded::kFolded) tally.emitted(origin.record_time_ns);
    return folded;
  }
};

Fold::Fold(LivenessLimits limits, OwnsEvents owns_events) : impl_(std::make_unique<Impl>(std::move(limits), std::move(owns_events))) {}
Fold::~Fold() = default;

bool Fold::knows_run(const RunKeyView& key) const noexcept {
  return impl_->runs.find(key) != nullptr;
}
bool Fold::knows_run_logs(const RunKeyView& key) const noexcept {
  return impl_->run_logs.find(key) != nullptr;
}
bool Fold::supply_run(const RunKeyView& key, const std::optional<RunRow>& stored) {
  return impl_->runs.supply(key, stored);
}
bool Fold::supply_run_logs(const RunKeyView& key, const std::optional<RunLogsRow>& stored) {
  return impl_->run_logs.supply(key, stored);
}

Folded Fold::event(const EventView& event, const Origin& origin) {
  return impl_->event(event, origin);
}
Folded Fold::logs(const LogBatchView& batch, const Origin& origin) {
  return impl_->logs(batch, origin);
}
Folded Fold::operation(const OperationView& operation, const Origin& origin) {
  return impl_->operation(operation, origin);
}
std::optional<HeardAt> Fold::logs_heard(const RunKeyView& key) const {
  const auto* entry = impl_->run_logs.find(key);
  assert(entry != nullptr);
  return entry->state.heard();
}
Judged Fold::judge(const RunKeyView& key, const HeardAt& now, const std::optional<DurationNs>& logs_silence_ns) {
  return impl_->judge(key, now, logs_silence_ns);
}

std::size_t Fold::dirty_rows() const noexcept {
  return impl_->runs.dirty() + impl_->run_logs.dirty() + impl_->pending.logs.size() + impl_->pending.api_failures.size() +
         impl_->operations.size();
}
std::size_t Fold::dirty_bytes() const noexcept {
  return impl_->pending.bytes + impl_->operation_bytes + impl_->runs.dirty_bytes() + impl_->run_logs.dirty_bytes();
}
std::size_t Fold::held_bytes() const noexcept {
  return impl_->runs.bytes() + impl_->run_logs.bytes();
}

FoldedBatch Fold::take() {
  return impl_->take();
}

void Fold::evict(std::size_t keep, std::size_t keep_bytes) {
  constexpr std::uint64_t kTakesWithoutLogs = 2;
  const auto logs_are_done = [this](const Held<RunLogsState>::Entry& entry) {
    if (impl_->run_logs.takes_without(entry) < kTakesWithoutLogs) return false;
    const auto* run = impl_->runs.find(entry.state.key());
    return run == nullptr || run->state.finished();
  };
  const auto run_is_done = [](const Held<RunState>::Entry& entry) { return entry.state.finished(); };
  const auto logs_may_call_it_back = [this](const Held<RunState>::Entry& entry) {
    return entry.state.lost() && impl_->run_logs.find(entry.state.key()) != nullptr;
  };
  impl_->run_logs.evict(keep, keep_bytes, logs_are_done, [](const auto&) { return false; });
  impl_->runs.evict(keep, keep_bytes, run_is_done, logs_may_call_it_back);
}

void Fold::clear() {
  impl_->clear();
}

}  // namespace runfold::collector

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
  };

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
    // The key views the state's own text, which stays where it is as long as the entry does.
    const RunKeyView own = entry->state.key();
    last_ = entries_.emplace(own, std::move(entry)).first->second.get();
    return true;
  }

  void changed(Entry& entry) {
    entry.heard = ++clock_;
    if (entry.dirty) return;
    entry.dirty = true;
    dirty_.push_back(&entry);
  }

  [[nodiscard]] std::size_t dirty() const noexcept { return dirty_.size(); }

  template <class Row>
  void take(std::vector<Row>& rows) {
    ++takes_;
    rows.reserve(dirty_.size());
    for (Entry* entry : dirty_) {
      rows.push_back(entry->state.row());
      entry->dirty = false;
      entry->taken = takes_;
    }
    dirty_.clear();
  }

  /// `expendable` says which go first.
  template <class Expendable>
  void evict(std::size_t keep, Expendable&& expendable) {
    if (entries_.size() <= keep) return;
    std::vector<Entry*> idle;
    for (const auto& [key, entry] : entries_) {
      if (!entry->dirty && (entry->taken == 0 || entry->taken != takes_)) idle.push_back(entry.get());
    }
    const std::size_t excess = std::min(entries_.size() - keep, idle.size());
    const auto rank = [&](const Entry* entry) { return std::pair(!expendable(entry->state), entry->heard); };
    const auto end = idle.begin() + static_cast<std::ptrdiff_t>(excess);
    std::nth_element(idle.begin(), end, idle.end(), [&](const Entry* left, const Entry* right) { return rank(left) < rank(right); });
    last_ = nullptr;
    for (auto at = idle.begin(); at != end; ++at) {
      // Taken out before it is erased: the key that the map compares views the entry's text.
      const auto found = entries_.find((*at)->state.key());
      const auto entry = std::move(found->second);
      entries_.erase(found);
    }
  }

  void clear() {
    last_ = nullptr;
    dirty_.clear();
    entries_.clear();
  }

 private:
  boost::unordered_flat_map<RunKeyView, std::unique_ptr<Entry>, KeyHash> entries_;
  /// The one asked for last: records of a run come in runs.
  mutable Entry* last_ = nullptr;
  std::vector<Entry*> dirty_;
  std::uint64_t takes_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace

class Fold::Impl {
 public:
  Folded event(const EventView& event, const Origin& origin) {
    auto* entry = runs.find(event.key());
    assert(entry != nullptr);
    const Folded folded = entry->state.fold(event, origin, tally);
    if (folded == Folded::kFolded) runs.changed(*entry);
    return count(folded, origin, event.bytes);
  }

  Folded logs(const LogBatchView& batch, const Origin& origin) {
    auto* entry = run_logs.find(batch.key());
    assert(entry != nullptr);
    const Folded folded = entry->state.fold(batch, origin, tally, pending);
    if (folded == Folded::kFolded && !batch.records.empty()) run_logs.changed(*entry);
    return count(folded, origin, batch.bytes);
  }

  Folded operation(const OperationView& view, const Origin& origin) {
    const TimeNs record_time_ns = std::max<TimeNs>(origin.record_time_ns, 0);
    const TimeNs updated_at_ns = view.updated_at_ns.value_or(record_time_ns);
    auto at = operations.find(view.operation_id);
    if (at == operations.end()) {
      at = operations.emplace(std::string(view.operation_id), OperationRow{}).first;
    } else if (updated_at_ns < at->second.updated_at_ns) {
      return count(Folded::kFolded, origin, view.bytes);
    }
    OperationRow& row = at->second;
    row.operation_id = view.operation_id;
    row.status = view.status;
    row.name = view.name;
    row.owner_id = view.owner_id;
    row.connector_id = view.connector_id;
    row.created_at_ns = view.removed ? 0 : view.created_at_ns.value_or(updated_at_ns);
    row.updated_at_ns = updated_at_ns;
    row.origin = {origin.partition, origin.offset};
    row.payload.reset();
    if (!view.removed) row.payload.emplace(view.bytes);
    return count(Folded::kFolded, origin, view.bytes);
  }

  FoldedBatch take() {
    FoldedBatch batch;
    runs.take(batch.runs);
    run_logs.take(batch.run_logs);
    batch.pending_logs = std::exchange(pending.logs, {});
    batch.api_failures = std::exchange(pending.api_failures, {});
    pending.bytes = 0;
    batch.operations.reserve(operations.size());
    for (auto& [id, row] : operations) batch.operations.push_back(std::move(row));
    operations.clear();
    std::sort(batch.operations.begin(), batch.operations.end(),
              [](const OperationRow& left, const OperationRow& right) { return left.operation_id < right.operation_id; });
    batch.counts = tally.take();
    return batch;
  }

  void clear() {
    runs.clear();
    run_logs.clear();
    pending = {};
    operations.clear();
    (void)tally.take();
  }

  Held<RunState> runs;
  Held<RunLogsState> run_logs;
  PendingSheet pending;
  boost::unordered_flat_map<std::string, OperationRow, TextHash, std::equal_to<>> operations;
  Tally tally;

 private:
  Folded count(Folded folded, const Origin& origin, std::string_view bytes) {
    TopicCounts& counts = tally.topic(origin.topic);
    ++counts.records;
    counts.bytes += bytes.size();
    if (folded == Folded::kDuplicate) ++counts.duplicates;
    if (folded == Folded::kFolded) tally.emitted(origin.record_time_ns);
    return folded;
  }
};

Fold::Fold() : impl_(std::make_unique<Impl>()) {}
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

std::size_t Fold::dirty_rows() const noexcept {
  return impl_->runs.dirty() + impl_->run_logs.dirty() + impl_->pending.logs.size() + impl_->pending.api_failures.size() +
         impl_->operations.size();
}
std::size_t Fold::pending_log_bytes() const noexcept {
  return impl_->pending.bytes;
}

FoldedBatch Fold::take() {
  return impl_->take();
}

void Fold::evict(std::size_t keep) {
  impl_->run_logs.evict(keep, [this](const RunLogsState& logs) {
    const auto* run = impl_->runs.find(logs.key());
    return run != nullptr && run->state.finished();
  });
  impl_->runs.evict(keep, [](const RunState& run) { return run.finished(); });
}

void Fold::clear() {
  impl_->clear();
}

}  // namespace runfold::collector

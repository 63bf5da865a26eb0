// A store in memory, with faults on demand, for tests of the pipeline.
#pragma once

#include "collector/store/store.hpp"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace runfold::collector::test {

/// What is stored, and what is to go wrong. Shared by the writers and readers of successive pipelines. Thread: any.
class MemoryStore {
 public:
  using At = std::pair<std::string, std::int32_t>;

  // What is to go wrong.
  /// The next `times` commits fail with this.
  void fail_commits(StoreError error, int times) {
    change([&] { commit_faults_.assign(static_cast<std::size_t>(times), std::move(error)); });
  }
  void heal_commits() {
    change([&] { commit_faults_.clear(); });
  }
  void fail_claims(StoreError error, int times) {
    change([&] { claim_faults_.assign(static_cast<std::size_t>(times), std::move(error)); });
  }
  void fail_loads(StoreError error, int times) {
    change([&] { load_faults_.assign(static_cast<std::size_t>(times), std::move(error)); });
  }
  /// The next question for overdue runs ends with an exception.
  void throw_at_overdue(std::string what) {
    change([&] { overdue_throws_ = std::move(what); });
  }
  void fail_trims(StoreError error, int times) {
    change([&] { trim_faults_.assign(static_cast<std::size_t>(times), std::move(error)); });
  }
  /// The next steps of trim() say this, the first one first; later ones have nothing to do.
  void answer_trims(std::vector<Trimmed> answers) {
    std::ranges::reverse(answers);
    change([&] { trim_answers_ = std::move(answers); });
  }
  /// Commits wait until open_gate().
  void close_gate() {
    change([&] { gate_open_ = false; });
  }
  void open_gate() {
    change([&] { gate_open_ = true; });
  }
  /// Another collector claims a partition.
  void take_over(const At& at) {
    change([&] { ++epochs_[at]; });
  }
  void set_offset(const At& at, std::int64_t next_offset) {
    change([&] { offsets_[at] = next_offset; });
  }
  void set_last(const At& at, LastRecord last) {
    change([&] { lasts_[at] = last; });
  }

  // What is there.
  template <class Look>
  auto look(Look&& look) {
    const std::scoped_lock lock(mutex_);
    return look(*this);
  }
  std::optional<std::int64_t> offset(const At& at) {
    const std::scoped_lock lock(mutex_);
    const auto found = offsets_.find(at);
    return found == offsets_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<LastRecord> last(const At& at) {
    const std::scoped_lock lock(mutex_);
    const auto found = lasts_.find(at);
    return found == lasts_.end() ? std::nullopt : found->second;
  }
  std::vector<LossRow> losses() {
    return look([](auto& store) { return store.losses_; });
  }
  std::optional<RunRow> run(const std::string& run_id) {
    const std::scoped_lock lock(mutex_);
    const auto found = runs_.find({run_id, 1});
    return found == runs_.end() ? std::nullopt : std::optional(found->second);
  }
  std::size_t run_count() {
    return look([](auto& store) { return store.runs_.size(); });
  }
  int commits_tried() {
    return look([](auto& store) { return store.commits_tried_; });
  }
  int commits_done() {
    return look([](auto& store) { return store.commits_done_; });
  }
  int trims() {
    return look([](auto& store) { return store.trims_; });
  }
  Retention trim_keep() {
    return look([](auto& store) { return store.trim_keep_; });
  }
  TrimStep trim_step() {
    return look([](auto& store) { return store.trim_step_; });
  }
  int commits_waiting() {
    return look([](auto& store) { return store.commits_waiting_; });
  }
  std::vector<OutboxRow> outbox() {
    return look([](auto& store) { return store.outbox_; });
  }
  std::vector<Batch> tried() {
    return look([](auto& store) { return store.tried_; });
  }
  std::vector<std::size_t> loads() {
    return look([](auto& store) { return store.loads_; });
  }

  // What writers and readers do.
  StoreResult<std::vector<Claim>> claim(std::span<const At> partitions) {
    const std::scoped_lock lock(mutex_);
    if (auto fault = next(claim_faults_)) return *fault;
    std::vector<Claim> claims;
    for (const At& at : partitions) {
      Claim& claim = claims.emplace_back(Claim{at.first, at.second, ++epochs_[at], std::nullopt});
      if (const auto found = offsets_.find(at); found != offsets_.end()) claim.next_offset = found->second;
      if (const auto found = lasts_.find(at); found != lasts_.end()) claim.last = found->second;
      std::tie(claim.clock_ns, claim.covered_until_ns) = clocks_[at];
    }
    return claims;
  }

  StoreResult<> commit(const Batch& batch) {
    std::unique_lock lock(mutex_);
    ++commits_waiting_;
    changed_.wait(lock, [this] { return gate_open_; });
    --commits_waiting_;
    ++commits_tried_;
    tried_.push_back(batch);
    if (auto fault = next(commit_faults_)) return *fault;
    for (const PartitionRow& row : batch.partitions) {
      if (epochs_[{row.topic, row.partition}] != row.epoch)
        return StoreError{StoreErrc::kFenced, "another collector has claimed " + row.topic};
    }
    for (const PartitionRow& row : batch.partitions) {
      if (row.next_offset) offsets_[{row.topic, row.partition}] = *row.next_offset;
      lasts_[{row.topic, row.partition}] = row.last;
      clocks_[{row.topic, row.partition}] = {row.clock_ns, row.covered_until_ns};
    }
    losses_.insert(losses_.end(), batch.losses.begin(), batch.losses.end());
    for (const RunRow& row : batch.runs) runs_[row.key] = row;
    for (const RunLogsRow& row : batch.run_logs) run_logs_[row.key] = row;
    for (const OutboxRow& row : batch.outbox) outbox_.push_back(row);
    ++commits_done_;
    return {};
  }

  StoreResult<Trimmed> trim(const Retention& keep, const TrimStep& step) {
    const std::scoped_lock lock(mutex_);
    ++trims_;
    trim_keep_ = keep;
    trim_step_ = step;
    if (auto fault = next(trim_faults_)) return *fault;
    if (trim_answers_.empty()) return Trimmed{};
    const Trimmed answer = trim_answers_.back();
    trim_answers_.pop_back();
    return answer;
  }

  StoreResult<std::vector<std::optional<RunRow>>> load_runs(std::span<const RunKey> keys) { return load<RunRow>(keys, runs_); }
  StoreResult<std::vector<std::optional<RunLogsRow>>> load_run_logs(std::span<const RunKey> keys) {
    return load<RunLogsRow>(keys, run_logs_);
  }
  StoreResult<std::vector<RunKey>> overdue_runs(std::int32_t partition, TimeNs clock_ns, std::size_t limit) {
    const std::scoped_lock lock(mutex_);
    if (!overdue_throws_.empty()) throw std::runtime_error(std::exchange(overdue_throws_, {}));
    std::vector<RunKey> keys;
    for (const auto& [key, row] : runs_) {
      if (row.partition == partition && row.deadline_ns && *row.deadline_ns <= clock_ns && keys.size() < limit) keys.push_back(key);
    }
    return keys;
  }

 private:
  template <class Change>
  void change(Change&& change) {
    {
      const std::scoped_lock lock(mutex_);
      change();
    }
    changed_.notify_all();
  }
  static std::optional<StoreError> next(std::vector<StoreError>& faults) {
    if (faults.empty()) return std::nullopt;
    StoreError fault = faults.back();
    faults.pop_back();
    return fault;
  }
  template <class Row>
  StoreResult<std::vector<std::optional<Row>>> load(std::span<const RunKey> keys, const std::map<RunKey, Row>& from) {
    const std::scoped_lock lock(mutex_);
    if (auto fault = next(load_faults_)) return *fault;
    loads_.push_back(keys.size());
    std::vector<std::optional<Row>> rows;
    for (const RunKey& key : keys) {
      const auto found = from.find(key);
      rows.push_back(found == from.end() ? std::nullopt : std::optional(found->second));
    }
    return rows;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool gate_open_ = true;
  std::vector<StoreError> commit_faults_;
  std::vector<StoreError> claim_faults_;
  std::vector<StoreError> load_faults_;
  std::string overdue_throws_;
  std::map<At, std::int64_t> epochs_;
  std::map<At, std::int64_t> offsets_;
  std::map<At, std::optional<LastRecord>> lasts_;
  std::vector<LossRow> losses_;
  std::map<At, std::pair<TimeNs, TimeNs>> clocks_;
  std::map<RunKey, RunRow> runs_;
  std::map<RunKey, RunLogsRow> run_logs_;
  std::vector<OutboxRow> outbox_;
  std::vector<Batch> tried_;
  std::vector<std::size_t> loads_;
  int commits_tried_ = 0;
  int commits_done_ = 0;
  int commits_waiting_ = 0;
  std::vector<StoreError> trim_faults_;
  std::vector<Trimmed> trim_answers_;
  Retention trim_keep_;
  TrimStep trim_step_;
  int trims_ = 0;
};

class MemoryWriter final : public Writer {
 public:
  explicit MemoryWriter(MemoryStore& store) : store_(store) {}
  StoreResult<std::vector<Claim>> claim(std::span<const MemoryStore::At> partitions) override { return store_.claim(partitions); }
  StoreResult<> commit(const Batch& batch) override { return store_.commit(batch); }
  StoreResult<Trimmed> trim(const Retention& keep, const TrimStep& step) override { return store_.trim(keep, step); }
  StoreResult<std::vector<RunKey>> overdue_runs(std::int32_t partition, TimeNs clock_ns, std::size_t limit) override {
    return store_.overdue_runs(partition, clock_ns, limit);
  }
  StoreResult<> forget_offsets() override { return {}; }

 private:
  MemoryStore& store_;
};

class MemoryRunReader final : public RunReader {
 public:
  explicit MemoryRunReader(MemoryStore& store) : store_(store) {}
  StoreResult<std::vector<std::optional<RunRow>>> load_runs(std::span<const RunKey> keys) override { return store_.load_runs(keys); }
  StoreResult<std::vector<std::optional<RunLogsRow>>> load_run_logs(std::span<const RunKey> keys) override {
    return store_.load_run_logs(keys);
  }

 private:
  MemoryStore& store_;
};

}  // namespace runfold::collector::test

// A store of maps, the real one behind the same face, and a writer with faults.
#include "tests/simulation/store.hpp"

#include "collector/store/api_failure_groups.hpp"
#include "tests/simulation/time.hpp"

#include <algorithm>
#include <tuple>

namespace runfold::simulation {
namespace {

using collector::Batch;
using collector::Claim;
using collector::RunKey;
using collector::RunLogsRow;
using collector::RunRow;
using collector::StoreErrc;
using collector::StoreError;
using collector::StoreResult;
using At = std::pair<std::string, std::int32_t>;

/// What the contract of Writer says, in maps.
struct Tables {
  Contents rows;
  std::map<At, std::int64_t> epochs;
  std::map<At, std::int64_t> offsets;
  std::map<At, std::optional<collector::LastRecord>> lasts;
  std::map<At, std::pair<collector::TimeNs, collector::TimeNs>> clocks;
};

class MemoryWriter final : public collector::Writer {
 public:
  explicit MemoryWriter(Tables& tables) : tables_(tables) {}

  StoreResult<std::vector<Claim>> claim(std::span<const At> partitions) override {
    std::vector<Claim> claims;
    for (const At& at : partitions) {
      Claim& claim = claims.emplace_back(Claim{at.first, at.second, ++tables_.epochs[at], std::nullopt});
      if (const auto found = tables_.offsets.find(at); found != tables_.offsets.end()) claim.next_offset = found->second;
      claim.last = tables_.lasts[at];
      std::tie(claim.clock_ns, claim.covered_until_ns) = tables_.clocks[at];
    }
    return claims;
  }
  StoreResult<> commit(const Batch& batch) override {
    for (const auto& row : batch.partitions) {
      if (tables_.epochs[{row.topic, row.partition}] != row.epoch) {
        return StoreError{StoreErrc::kFenced, "another has claimed " + row.topic + "/" + std::to_string(row.partition)};
      }
    }
    Contents& rows = tables_.rows;
    for (const auto& row : batch.partitions) {
      if (row.next_offset) tables_.offsets[{row.topic, row.partition}] = *row.next_offset;
      tables_.lasts[{row.topic, row.partition}] = row.last;
      tables_.clocks[{row.topic, row.partition}] = {row.clock_ns, row.covered_until_ns};
    }
    for (const auto& row : batch.runs) rows.runs.insert_or_assign(row.key, row);
    for (const auto& row : batch.run_logs) rows.run_logs.insert_or_assign(row.key, row);
    for (const auto& row : batch.log_chunks) rows.chunks.insert_or_assign({row.key, row.chunk}, row);
    for (const auto& row : batch.api_failures) {
      if (!rows.api_failures.try_emplace(row.failure_id, row).second) continue;
      const auto alone = collector::group_of(row);
      const auto [group, fresh] = rows.api_failure_groups.try_emplace({row.kind.fingerprint, row.connector_id}, alone);
      if (!fresh) merge(group->second, alone);
    }
    for (const auto& row : batch.operations) {
      const auto [at, fresh] = rows.operations.try_emplace(row.operation_id, row);
      if (fresh) continue;
      const collector::OperationRow& held = at->second;
      const bool removes = !row.payload && row.origin.partition == held.origin.partition && row.origin.offset > held.origin.offset;
      if (!removes && row.updated_at_ns < held.updated_at_ns) continue;
      const auto updated_at_ns = std::max(row.updated_at_ns, held.updated_at_ns);
      at->second = row;
      at->second.updated_at_ns = updated_at_ns;
    }
    return {};
  }
  StoreResult<collector::Trimmed> trim(const collector::Retention&, const collector::TrimStep&) override { return collector::Trimmed{}; }
  StoreResult<std::vector<RunKey>> overdue_runs(std::int32_t partition, collector::TimeNs clock_ns, std::size_t limit) override {
    std::vector<std::pair<collector::TimeNs, RunKey>> due;
    for (const auto& [key, row] : tables_.rows.runs) {
      if (row.partition == partition && row.deadline_ns && *row.deadline_ns <= clock_ns) due.emplace_back(*row.deadline_ns, key);
    }
    std::ranges::sort(due);
    std::vector<RunKey> keys;
    for (std::size_t i = 0; i < due.size() && i < limit; ++i) keys.push_back(due[i].second);
    return keys;
  }
  StoreResult<> forget_offsets() override { return {}; }

 private:
  Tables& tables_;
};

class MemoryRunReader final : public collector::RunReader {
 public:
  explicit MemoryRunReader(Tables& tables) : tables_(tables) {}
  StoreResult<std::vector<std::optional<RunRow>>> load_runs(std::span<const RunKey> keys) override { return load(keys, tables_.rows.runs); }
  StoreResult<std::vector<std::optional<RunLogsRow>>> load_run_logs(std::span<const RunKey> keys) override {
    return load(keys, tables_.rows.run_logs);
  }

 private:
  template <class Row>
  static StoreResult<std::vector<std::optional<Row>>> load(std::span<const RunKey> keys, const std::map<RunKey, Row>& from) {
    std::vector<std::optional<Row>> found;
    for (const RunKey& key : keys) {
      const auto at = from.find(key);
      found.push_back(at == from.end() ? std::nullopt : std::optional(at->second));
    }
    return found;
  }

  Tables& tables_;
};

class MemoryStorage final : public Storage {
 public:
  std::unique_ptr<collector::Writer> writer() override { return std::make_unique<MemoryWriter>(tables_); }
  std::unique_ptr<collector::RunReader> run_reader() override { return std::make_unique<MemoryRunReader>(tables_); }
  Contents contents() override { return tables_.rows; }

 private:
  Tables tables_;
};

StoreError trouble(const char* what) {
  return {StoreErrc::kUnavailable, what};
}

}  // namespace

std::unique_ptr<Storage> memory_storage() {
  return std::make_unique<MemoryStorage>();
}

StoreResult<std::vector<Claim>> FaultyWriter::claim(std::span<const At> partitions) {
  if (dead_ || !store_is_up_) return trouble("the model store is down");
  auto claims = writer_->claim(partitions);
  if (claims) witness_.claimed(collector_, *claims);
  return claims;
}

StoreResult<> FaultyWriter::commit(const Batch& batch) {
  if (dead_ || !store_is_up_) return trouble("the model store is down");
  const Fate fate = std::exchange(next, Fate::kDone);
  if (fate == Fate::kFails) return trouble("the model store fails this commit");
  if (auto done = writer_->commit(batch); !done) return done;
  witness_.committed(collector_, batch, std::exchange(decided_after_ns_, given_ns));
  dead_ = fate == Fate::kDies;
  if (fate == Fate::kAnswerLost) return trouble("the model store's answer is lost");
  return {};
}

StoreResult<std::vector<RunKey>> FaultyWriter::overdue_runs(std::int32_t partition, collector::TimeNs clock_ns, std::size_t limit) {
  if (dead_ || !store_is_up_) return trouble("the model store is down");
  return writer_->overdue_runs(partition, clock_ns, limit);
}

StoreResult<collector::Trimmed> FaultyWriter::trim(const collector::Retention& keep, const collector::TrimStep& step) {
  if (dead_ || !store_is_up_) return trouble("the model store is down");
  return writer_->trim(keep, step);
}

StoreResult<std::vector<std::optional<RunRow>>> FaultyRunReader::load_runs(std::span<const RunKey> keys) {
  if (!store_is_up_) return trouble("the model store is down");
  return reader_->load_runs(keys);
}

StoreResult<std::vector<std::optional<RunLogsRow>>> FaultyRunReader::load_run_logs(std::span<const RunKey> keys) {
  if (!store_is_up_) return trouble("the model store is down");
  return reader_->load_run_logs(keys);
}

}  // namespace runfold::simulation

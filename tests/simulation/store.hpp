// The store that the model collectors share, what goes wrong with it, and what must hold after each of its commits.
#pragma once

#include "collector/liveness.hpp"
#include "collector/store/store.hpp"
#include "runfold/v1/run.pb.h"
#include "tests/simulation/failure.hpp"
#include "tests/simulation/kafka.hpp"
#include "tests/simulation/time.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace runfold::simulation {

/// Everything in a store that the oracle has an opinion on.
struct Contents {
  std::map<collector::RunKey, collector::RunRow> runs;
  std::map<collector::RunKey, collector::RunLogsRow> run_logs;
  std::map<std::pair<collector::RunKey, std::uint32_t>, collector::LogChunk> chunks;
  std::map<std::string, collector::ApiFailureRow> api_failures;
  /// By fingerprint and connector.
  std::map<std::pair<std::string, std::string>, collector::ApiFailureGroupRow> api_failure_groups;
  std::map<std::string, collector::OperationRow> operations;
};

/// A store as the simulation needs it: writers, readers, and a look at all of it.
class Storage {
 public:
  virtual ~Storage() = default;
  virtual std::unique_ptr<collector::Writer> writer() = 0;
  virtual std::unique_ptr<collector::RunReader> run_reader() = 0;
  virtual Contents contents() = 0;
};
[[nodiscard]] std::unique_ptr<Storage> memory_storage();
/// The real one, in a folder of its own.
[[nodiscard]] std::unique_ptr<Storage> sqlite_storage();

/// What happens to the next commit.
enum class Fate {
  kDone,
  kFails,       ///< Nothing is written.
  kAnswerLost,  ///< All is written, and the collector is told that it was not.
  kDies,        ///< All is written, then the process is gone: whatever it does after this does not happen.
};

/// Looks at each commit that came through, whoever made it.
class Witness {
 public:
  using At = std::pair<std::string, std::int32_t>;
  /// `log_times_are_true`: the broker says when a record was written, so nobody who is heard may be called lost.
  Witness(const ModelKafka& kafka, const Trace& trace, const collector::LivenessLimits& limits, const bool& log_times_are_true)
      : kafka_(kafka), trace_(trace), limits_(limits), log_times_are_true_(log_times_are_true) {}

  void claimed(int collector, const std::vector<collector::Claim>& claims);
  /// What is in the batch was decided after `decided_after_ns`.
  void committed(int collector, const collector::Batch& batch, std::int64_t decided_after_ns);
  /// The collectors' clock is set to another time.
  void clock_set() { clock_set_ns_.push_back(now_ns()); }
  /// The first promise that was broken; empty: none.
  [[nodiscard]] const std::string& broken() const noexcept { return broken_; }

  [[nodiscard]] std::optional<std::int64_t> offset(const At& at) const;
  /// Revisions of a run in the order in which a sink hears of them.
  [[nodiscard]] const std::map<collector::RunKey, std::vector<std::uint64_t>>& published() const noexcept { return published_; }
  [[nodiscard]] const std::set<std::string>& published_failures() const noexcept { return published_failures_; }
  [[nodiscard]] std::size_t commits() const noexcept { return commits_; }

 private:
  void check_partition(int collector, const collector::PartitionRow& row);
  void check_run(const collector::RunRow& row, std::int64_t decided_after_ns);
  void check_end(const collector::RunKey& key, const v1::Run& before, const v1::Run& run, std::int64_t decided_after_ns);
  void check_logs(const collector::RunLogsRow& row, const collector::Batch& batch);
  void check_outbox(const collector::OutboxRow& row);

  const ModelKafka& kafka_;
  const Trace& trace_;
  const collector::LivenessLimits& limits_;
  const bool& log_times_are_true_;
  std::map<At, int> owners_;
  std::map<At, std::int64_t> offsets_;
  std::map<collector::RunKey, v1::Run> runs_;
  std::map<collector::RunKey, std::uint64_t> log_records_;
  std::vector<std::int64_t> clock_set_ns_;
  /// Sink and idempotency key to payload.
  std::map<std::pair<std::string, std::string>, std::string> outbox_;
  std::map<collector::RunKey, std::vector<std::uint64_t>> published_;
  std::set<std::string> published_failures_;
  std::size_t commits_ = 0;
  std::string broken_;
};

/// One collector's writer: the real or the model store's, with faults before and a witness behind.
class FaultyWriter final : public collector::Writer {
 public:
  FaultyWriter(int collector, std::unique_ptr<collector::Writer> writer, Witness& witness, const bool& store_is_up)
      : collector_(collector), writer_(std::move(writer)), witness_(witness), store_is_up_(store_is_up), decided_after_ns_(now_ns()) {}

  Fate next = Fate::kDone;
  /// When the job under way was given.
  std::int64_t given_ns = 0;

  collector::StoreResult<std::vector<collector::Claim>> claim(std::span<const std::pair<std::string, std::int32_t>> partitions) override;
  collector::StoreResult<> commit(const collector::Batch& batch) override;
  collector::StoreResult<collector::Trimmed> trim(const collector::Retention& keep, const collector::TrimStep& step) override;
  collector::StoreResult<std::vector<collector::RunKey>> overdue_runs(std::int32_t partition, collector::TimeNs clock_ns,
                                                                      std::size_t limit) override;
  collector::StoreResult<> forget_offsets() override { return {}; }

 private:
  int collector_;
  std::unique_ptr<collector::Writer> writer_;
  Witness& witness_;
  const bool& store_is_up_;
  bool dead_ = false;
  /// When the last commit was given, or this writer was made: what the next one holds was decided after it.
  std::int64_t decided_after_ns_ = 0;
};

/// One collector's reader, which fails while the store is down.
class FaultyRunReader final : public collector::RunReader {
 public:
  FaultyRunReader(std::unique_ptr<collector::RunReader> reader, const bool& store_is_up)
      : reader_(std::move(reader)), store_is_up_(store_is_up) {}

  collector::StoreResult<std::vector<std::optional<collector::RunRow>>> load_runs(std::span<const collector::RunKey> keys) override;
  collector::StoreResult<std::vector<std::optional<collector::RunLogsRow>>> load_run_logs(std::span<const collector::RunKey> keys) override;

 private:
  std::unique_ptr<collector::RunReader> reader_;
  const bool& store_is_up_;
};

}  // namespace runfold::simulation

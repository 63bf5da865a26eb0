// The pipeline's side of the SQLite store.
#pragma once

#include "collector/store/sqlite/connection.hpp"
#include "collector/store/sqlite/owner_lock.hpp"
#include "collector/store/sqlite/trusted_time.hpp"
#include "collector/store/store.hpp"

#include <functional>
#include <memory>

namespace runfold::collector::sqlite {

/// Writes batches, each in one transaction.
class SqliteWriter final : public Writer {
 public:
  /// `now` in nanoseconds since the Unix epoch; `time` is what the age of rows is judged by.
  SqliteWriter(std::shared_ptr<OwnerLock> lock, std::unique_ptr<Connection> connection, std::function<TimeNs()> now,
               TrustedTime time) noexcept
      : lock_(std::move(lock)), connection_(std::move(connection)), now_(std::move(now)), time_(std::move(time)) {}

  StoreResult<std::vector<Claim>> claim(std::span<const std::pair<std::string, std::int32_t>> partitions) override;
  StoreResult<> commit(const Batch& batch) override;
  StoreResult<Trimmed> trim(const Retention& keep, const TrimStep& step) override;
  StoreResult<std::vector<RunKey>> overdue_runs(std::int32_t partition, TimeNs clock_ns, std::size_t limit) override;
  StoreResult<> forget_offsets() override;

 private:
  StoreResult<> advance(const std::vector<PartitionRow>& partitions);
  StoreResult<> write_runs(const std::vector<RunRow>& rows, TimeNs now);
  StoreResult<> write_run_logs(const std::vector<RunLogsRow>& rows);
  StoreResult<> write_log_chunks(const std::vector<LogChunk>& chunks, TimeNs now);
  StoreResult<> list_runs_known_by_logs(const Batch& batch, TimeNs now);
  StoreResult<> write_api_failures(const std::vector<ApiFailureRow>& rows, TimeNs now);
  StoreResult<> add_to_group(ApiFailureGroupRow group, TimeNs now);
  StoreResult<> write_operations(const std::vector<OperationRow>& rows, TimeNs now);
  StoreResult<> write_outbox(const std::vector<OutboxRow>& rows, TimeNs now);
  StoreResult<> write_losses(const std::vector<LossRow>& rows);

  std::shared_ptr<OwnerLock> lock_;
  std::unique_ptr<Connection> connection_;
  std::function<TimeNs()> now_;
  TrustedTime time_;
};

}  // namespace runfold::collector::sqlite

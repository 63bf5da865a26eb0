// The API's side of the SQLite store.
#pragma once

#include "collector/store/sqlite/connection.hpp"
#include "collector/store/store.hpp"

#include <memory>

namespace runfold::collector::sqlite {

/// Reads pages from the place where the one before ended, so that what comes meanwhile moves nothing.
class SqliteQuery final : public Query {
 public:
  explicit SqliteQuery(std::unique_ptr<Connection> connection) noexcept : connection_(std::move(connection)) {}

  StoreResult<Page<StoredRun>> runs(const RunFilter& filter, std::size_t limit, std::string_view cursor) override;
  StoreResult<std::optional<StoredRun>> run(std::string_view run_id, std::optional<std::uint32_t> attempt) override;
  StoreResult<std::vector<LogChunk>> log_chunks(const RunKey& key, const ChunkRange& range, std::size_t limit) override;
  StoreResult<Page<ApiFailureRow>> api_failures(const ApiFailureFilter& filter, std::size_t limit, std::string_view cursor) override;
  StoreResult<Page<ApiFailureGroupRow>> api_failure_groups(const ApiFailureGroupFilter& filter, std::size_t limit,
                                                           std::string_view cursor) override;
  StoreResult<Page<OperationRow>> operations(const OperationFilter& filter, std::size_t limit, std::string_view cursor) override;
  StoreResult<std::optional<OperationRow>> operation(std::string_view operation_id) override;
  StoreResult<Page<LossRow>> losses(const LossFilter& filter, std::size_t limit, std::string_view cursor) override;
  StoreResult<std::vector<std::uint32_t>> attempts(std::string_view run_id) override;
  StoreResult<std::vector<std::pair<std::string, std::uint64_t>>> running_by_connector() override;

 private:
  std::unique_ptr<Connection> connection_;
};

}  // namespace runfold::collector::sqlite

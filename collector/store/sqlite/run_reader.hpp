// The pipeline's way to rows that it does not hold, beside its writer.
#pragma once

#include "collector/store/sqlite/connection.hpp"
#include "collector/store/store.hpp"

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace runfold::collector::sqlite {

/// Reads with a connection of its own: the write-ahead log lets it, whatever the writer does.
class SqliteRunReader final : public RunReader {
 public:
  explicit SqliteRunReader(std::unique_ptr<Connection> connection) noexcept : connection_(std::move(connection)) {}

  StoreResult<std::vector<std::optional<RunRow>>> load_runs(std::span<const RunKey> keys) override;
  StoreResult<std::vector<std::optional<RunLogsRow>>> load_run_logs(std::span<const RunKey> keys) override;

 private:
  std::unique_ptr<Connection> connection_;
};

}  // namespace runfold::collector::sqlite

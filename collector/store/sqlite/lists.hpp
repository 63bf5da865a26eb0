// The statements behind the queries: what each filter asks of the database.
#pragma once

#include "collector/store/cursor.hpp"
#include "collector/store/sqlite/select.hpp"
#include "collector/store/store.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace runfold::collector::sqlite {

/// Each asks for one row more than `limit`, which tells that there is a next page. `after`: the last row of the page before.
/// The arguments must outlive what is returned.
[[nodiscard]] Select select_runs(const RunFilter& filter, std::size_t limit, const std::optional<CursorKey>& after);
[[nodiscard]] Select select_api_failures(const ApiFailureFilter& filter, std::size_t limit, const std::optional<CursorKey>& after);
[[nodiscard]] Select select_api_failure_groups(const ApiFailureGroupFilter& filter, std::size_t limit,
                                               const std::optional<CursorKey>& after);
[[nodiscard]] Select select_operations(const OperationFilter& filter, std::size_t limit, const std::optional<CursorKey>& after);

[[nodiscard]] Select select_losses(const LossFilter& filter, std::size_t limit, const std::optional<CursorKey>& after);

[[nodiscard]] Select select_run(std::string_view run_id, std::optional<std::uint32_t> attempt);
[[nodiscard]] Select select_operation(std::string_view operation_id);
[[nodiscard]] Select select_overdue(std::int32_t partition, TimeNs clock_ns, std::size_t limit);
[[nodiscard]] Select select_log_chunks(const RunKey& key, const Query::ChunkRange& range, std::size_t limit);

}  // namespace runfold::collector::sqlite

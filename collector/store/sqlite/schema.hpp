// The tables of the SQLite store, and bringing an older file up to date.
#pragma once

#include "collector/store/sqlite/connection.hpp"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace runfold::collector::sqlite {

/// Marks the file as ours: "RUNF", as PRAGMA application_id.
inline constexpr std::int64_t kApplicationId = 0x52554e46;

/// migrations()[n] makes version n + 1 out of version n, and PRAGMA user_version says which one a file is at.
/// What is in a release never changes: a further change is a further entry.
[[nodiscard]] std::span<const char* const> migrations();

/// The kinds of the usage table.
inline constexpr int kRunsUsage = 1;
inline constexpr int kLogsUsage = 2;
/// For each table that usage counts: its kind, and the query that adds up the whole table as the triggers should have.
[[nodiscard]] std::vector<std::pair<int, std::string>> usage_sums();

/// Makes the tables, or the changes since the version the file is at, in one transaction.
/// Errors: kCorrupt when the file is another program's, or newer than the last of `steps`.
[[nodiscard]] StoreResult<> migrate(Connection& connection, std::span<const char* const> steps);

/// Errors: kCorrupt as above; kInvalid when the file is older and only its owner may change it.
[[nodiscard]] StoreResult<> verify_schema(Connection& connection, std::span<const char* const> steps);

}  // namespace runfold::collector::sqlite

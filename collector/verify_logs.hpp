// The log records of one run in two stores, compared as multisets.
#pragma once

#include "collector/store/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace runfold::collector {

struct LogsCompared {
  std::uint64_t records_a = 0;
  std::uint64_t records_b = 0;
  bool same = false;
  /// A record that is in one store only, or more often there; empty: not looked for, or there were too many to tell.
  std::string only_in_a;
  std::string only_in_b;
};

/// Errors: the store's; kCorrupt for a chunk that cannot be read.
[[nodiscard]] StoreResult<LogsCompared> compare_logs(Query& a, Query& b, const RunKey& key);

}  // namespace runfold::collector

// Says whether two stores hold the same truth, however each came to it.
#pragma once

#include "collector/store/store.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace runfold::collector {

/// One thing in which the stores differ, in words: the row, its field, and what each store has. Long values are shortened.
struct Difference {
  /// For example "run 7f3a, attempt 1" or "operation 8c1f".
  std::string row;
  /// For example "steps[upload, 1].entities"; empty when the whole row is in one store only.
  std::string field;
  std::string a;
  std::string b;
};

struct Verdict {
  std::uint64_t runs = 0;
  std::uint64_t log_records = 0;
  std::uint64_t api_failures = 0;
  std::uint64_t api_failure_groups = 0;
  std::uint64_t operations = 0;
  std::uint64_t differences = 0;
};

struct VerifyCalls {
  /// Each difference, as it is found.
  std::function<void(const Difference&)> on_difference;
  /// After each run: how far it is.
  std::function<void(const Verdict&)> on_progress;
};

/// Compares everything that the topics say and both stores should therefore hold:
/// - runs: every field of the snapshot but its revision and its offset bounds, and the columns that lists sort and filter by;
/// - logs of a run: names, counts by severity, API failures, different records received; and the records themselves, as a
///   multiset: chunk borders and the order between batches follow arrival and are not compared;
/// - API failures and operations, whole; groups of API failures, but for their offset bounds.
/// Left out, because it depends on when and in which steps a store was filled and not on what the topics say: revisions,
/// offset bounds, fold_state, chunk borders, the outbox, epochs, removed operations; when a run known by its logs alone is
/// listed; and provisional verdicts: a run that is
///   only presumed lost, or to have taken too long, counts as running.
///
/// Memory is bounded by a page of rows, and, only where the log records of one run differ, by a hundred thousand of those.
/// A store that is written meanwhile is compared as it is when read. Errors: the store's.
[[nodiscard]] StoreResult<Verdict> verify(Query& a, Query& b, const VerifyCalls& calls);

}  // namespace runfold::collector

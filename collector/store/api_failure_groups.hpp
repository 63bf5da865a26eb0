// Groups of API failures: how failures add up, the same in any order and any batches.
#pragma once

#include "collector/rows.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// The group that the failure alone makes. Whoever adds it up takes each failure_id once.
[[nodiscard]] ApiFailureGroupRow group_of(const ApiFailureRow& failure);

/// Adds another part of the same group. Precondition: both have one connector and one fingerprint.
void merge(ApiFailureGroupRow& group, const ApiFailureGroupRow& other);

/// Sites as a column holds them: each with its length before it, as names may hold anything.
[[nodiscard]] std::string sites_text(const std::vector<std::string>& sites);
/// Absent when sites_text() did not make it.
[[nodiscard]] std::optional<std::vector<std::string>> parse_sites(std::string_view text);

}  // namespace runfold::collector

// Offset bounds as a column holds them: "partition:first-last", comma-separated.
#pragma once

#include "collector/rows.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

[[nodiscard]] std::string offsets_text(const std::vector<OffsetBounds>& bounds);
/// Absent when offsets_text() did not make it.
[[nodiscard]] std::optional<std::vector<OffsetBounds>> parse_offsets(std::string_view text);

}  // namespace runfold::collector

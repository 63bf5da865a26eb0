// Sums that stop at the greatest number instead of wrapping, so that their order does not matter either.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace runfold::collector {

[[nodiscard]] constexpr std::uint64_t saturating_sum(std::uint64_t left, std::uint64_t right) noexcept {
  return right > std::numeric_limits<std::uint64_t>::max() - left ? std::numeric_limits<std::uint64_t>::max() : left + right;
}

/// An absent part is unknown and adds nothing; a sum of absent parts stays absent.
constexpr void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) noexcept {
  if (part) sum = saturating_sum(sum.value_or(0), *part);
}

}  // namespace runfold::collector

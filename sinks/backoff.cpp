// The wait before the next try, without a random number.
#include "sinks/backoff.hpp"

#include <algorithm>

namespace runfold::sinks {
namespace {

std::uint64_t fnv1a(std::string_view text, std::uint32_t attempts) noexcept {
  std::uint64_t hash = 14695981039346656037ULL ^ attempts;
  for (const char byte : text) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 1099511628211ULL;
  }
  // The low bits of this hash of short keys are poor: fold the high ones in.
  return hash ^ (hash >> 32);
}

}  // namespace

std::chrono::milliseconds wait_before_retry(const Backoff& backoff, std::uint32_t attempts, std::string_view key) noexcept {
  auto wait = backoff.first;
  for (std::uint32_t i = 0; i < attempts && wait < backoff.longest; ++i) wait *= 2;
  wait = std::min(wait, backoff.longest);
  const auto quarter = wait.count() / 4;
  const auto less = quarter > 0 ? static_cast<std::int64_t>(fnv1a(key, attempts) % static_cast<std::uint64_t>(quarter)) : 0;
  return std::max(backoff.first, wait - std::chrono::milliseconds(less));
}

}  // namespace runfold::sinks

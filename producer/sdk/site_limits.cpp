// A small table without locks, and a leaky bucket a slot.
#include "producer/sdk/site_limits.hpp"

#include <algorithm>

namespace runfold {
namespace {

/// How many slots are looked at for a site before it goes unlimited.
constexpr std::size_t kProbes = 16;

// Never 0. Two sites of one program with the same 64 bits are not to be expected.
std::uint64_t key_of(const std::source_location& site) noexcept {
  auto bits =
      reinterpret_cast<std::uintptr_t>(site.file_name()) ^ (std::uint64_t{site.line()} << 40) ^ (std::uint64_t{site.column()} << 20);
  for (int i = 0; i < 2; ++i) {
    bits ^= bits >> 31;
    bits *= 0x9e3779b97f4a7c15;
  }
  return (bits ^ bits >> 29) | 1;
}

}  // namespace

SiteLimits::Slot* SiteLimits::slot_of(const std::source_location& site) {
  std::call_once(made_, [this] { slots_ = std::make_unique<Slots>(); });
  const auto key = key_of(site);
  for (std::size_t i = 0; i < kProbes; ++i) {
    Slot& slot = (*slots_)[((key >> 8) + i) % kSlots];
    auto found = slot.key.load(std::memory_order_relaxed);
    if (found == 0 && slot.key.compare_exchange_strong(found, key, std::memory_order_relaxed)) return &slot;
    if (found == key) return &slot;
  }
  return nullptr;
}

SiteLimits::Verdict SiteLimits::judge(const std::source_location& site, std::chrono::steady_clock::time_point now) {
  if (rate_.per_second == 0) return Verdict::kPass;
  Slot* slot = slot_of(site);
  if (slot == nullptr) return Verdict::kPass;
  const std::int64_t now_ns = std::chrono::nanoseconds(now.time_since_epoch()).count();
  const std::int64_t line_ns = 1'000'000'000 / rate_.per_second;
  auto settled_at = slot->settled_at.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t then = std::max(settled_at, now_ns) + line_ns;
    if (then - now_ns > line_ns * rate_.burst)
      return slot->held.exchange(true, std::memory_order_relaxed) ? Verdict::kHold : Verdict::kHoldFirst;
    if (slot->settled_at.compare_exchange_weak(settled_at, then, std::memory_order_relaxed)) return Verdict::kPass;
  }
}

}  // namespace runfold

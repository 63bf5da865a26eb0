// The ring: positions that rise for ever, a slot head that says whether its record is ready.
#include "producer/delivery/ring.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <new>

namespace runfold::delivery {
namespace {

// A slot head is 0 until its record is committed; then it holds the size of the record, that of the slot, and whether the slot is
// no record but what was left of a lap. Everything the reader leaves behind is zeroed, so a head never shows what an earlier lap
// wrote there.
constexpr int kRecordBits = 32;
constexpr std::uint64_t kRecordMask = (std::uint64_t{1} << kRecordBits) - 1;
constexpr std::uint64_t kPaddingMark = std::uint64_t{1} << 63;

constexpr std::uint64_t slot_head(std::size_t slot_bytes, std::size_t record_bytes) noexcept {
  return static_cast<std::uint64_t>(slot_bytes) << kRecordBits | record_bytes;
}
constexpr std::size_t slot_bytes_of(std::uint64_t head) noexcept {
  return static_cast<std::size_t>((head & ~kPaddingMark) >> kRecordBits);
}

constexpr std::size_t kCacheLine = 64;
/// A writer needs no news of the tail as long as one part of the block in so many is in use.
constexpr std::size_t kPartsOfBlock = 16;

}  // namespace

// From the kernel itself: zeroed, and given page by page as it is touched, which an allocator promises of no block.
std::unique_ptr<std::byte[], Ring::Unmap> Ring::map(std::size_t size) {
  void* block = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  return {static_cast<std::byte*>(block), Unmap{size}};
}

void Ring::Unmap::operator()(std::byte* block) const noexcept {
  ::munmap(block, size);
}

Ring::Ring(std::size_t bound_bytes) : bound_bytes_(bound_bytes), capacity_(std::bit_ceil(bound_bytes)), block_(map(capacity_)) {
  assert(bound_bytes >= kAlign);
}

std::uint64_t& Ring::slot(std::uint64_t position) noexcept {
  return *reinterpret_cast<std::uint64_t*>(block_.get() + (position & (capacity_ - 1)));
}

[[gnu::hot]] Ring::Claim Ring::claim(std::size_t size, std::size_t up_to_bytes) noexcept {
  assert(up_to_bytes <= bound_bytes_);
  const std::size_t need = slot_bytes(size);
  std::uint64_t head = head_.load(std::memory_order_relaxed);
  for (;;) {
    if (head & kClosedBit) return {.refusal = Refusal::kClosed};
    const std::size_t to_end = capacity_ - (head & (capacity_ - 1));
    const std::size_t padding = need > to_end ? to_end : 0;
    const std::uint64_t end = head + padding + need;
    std::uint64_t tail = tail_seen_.load(std::memory_order_acquire);
    if (end - tail > capacity_ / kPartsOfBlock) {
      tail = tail_.load(std::memory_order_acquire);
      tail_seen_.store(tail, std::memory_order_release);
    }
    const std::uint64_t used = end - tail;
    if (used > up_to_bytes) {
      // The tail may have passed a head read too early, which looks like a very full ring: trust only an unchanged head.
      const std::uint64_t again = head_.load(std::memory_order_relaxed);
      if (again == head) return {.used_bytes = static_cast<std::size_t>(head - tail), .refusal = Refusal::kFull};
      head = again;
      continue;
    }
    if (!head_.compare_exchange_weak(head, end, std::memory_order_seq_cst, std::memory_order_relaxed)) continue;
    records_.fetch_add(1, std::memory_order_relaxed);
    if (padding != 0) {
      std::atomic_ref(slot(head)).store(kPaddingMark | slot_head(padding, 0), std::memory_order_release);
      head += padding;
    }
    return {
        .data = reinterpret_cast<std::byte*>(&slot(head)) + kSlotHead, .used_bytes = static_cast<std::size_t>(used), .slot_bytes = need};
  }
}

[[gnu::hot]] void Ring::commit(const Claim& claim, std::size_t size) noexcept {
  auto& head = *reinterpret_cast<std::uint64_t*>(claim.data - kSlotHead);
  std::atomic_ref(head).store(slot_head(claim.slot_bytes, size), std::memory_order_seq_cst);
  // The next record is mostly as large, and its memory was last in the reader's hands: it is fetched while nobody waits for it. At the
  // end of the block that is somebody else's, which does no harm.
  const std::byte* const next = claim.data - kSlotHead + claim.slot_bytes;
  __builtin_prefetch(next, 1);
  __builtin_prefetch(next + kCacheLine, 1);
  __builtin_prefetch(next + 2 * kCacheLine, 1);
}

std::span<const std::byte> Ring::front() noexcept {
  for (;;) {
    std::uint64_t& head = slot(position_);
    const std::uint64_t mark = std::atomic_ref(head).load(std::memory_order_seq_cst);
    if (mark == 0) return {};
    if (mark & kPaddingMark) {
      std::atomic_ref(head).store(0, std::memory_order_relaxed);
      position_ += slot_bytes_of(mark);
      continue;
    }
    front_bytes_ = slot_bytes_of(mark);
    return {reinterpret_cast<const std::byte*>(&head) + kSlotHead, static_cast<std::size_t>(mark & kRecordMask)};
  }
}

void Ring::pop() noexcept {
  assert(front_bytes_ != 0);
  std::memset(&slot(position_), 0, front_bytes_);
  position_ += front_bytes_;
  front_bytes_ = 0;
  if (position_ - tail_.load(std::memory_order_relaxed) >= kPublishEvery) publish();
}

void Ring::publish() noexcept {
  tail_.store(position_, std::memory_order_release);
}

void Ring::populate() noexcept {
  const std::size_t wanted = std::min<std::uint64_t>(head() + kPopulateAhead, capacity_);
  const std::size_t least = wanted == capacity_ ? 1 : kPopulateAhead / 4;  // a system call for many pages, not for each
  if (wanted < populated_ + least) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t begin = populated_ / page * page;
  // By the kernel and not by a write of ours, which would race with the writers'. Refused, all is as it would be without.
  static_cast<void>(::madvise(block_.get() + begin, wanted - begin, MADV_POPULATE_WRITE));
  populated_ = wanted;
}

void Ring::close() noexcept {
  head_.fetch_or(kClosedBit, std::memory_order_seq_cst);
}

}  // namespace runfold::delivery

// A bounded queue of bytes that many threads write without waiting and one thread reads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace runfold::delivery {

/// Holds records of any size in the order in which they were claimed, in one block of memory.
///
/// A writer claims space with one compare-and-swap, writes, and commits with one store: no lock, no allocation, no system
/// call. A record becomes readable when it is committed and all before it are. Memory is touched only shortly before its
/// first use.
/// Thread: claim(), commit() and the observers from any; front(), pop(), publish(), populate() from one.
class Ring {
 public:
  /// `bound_bytes` is the most that claims may ask for; the block is the next power of two.
  explicit Ring(std::size_t bound_bytes);

  enum class Refusal : std::uint8_t { kNone, kFull, kClosed };
  struct Claim {
    /// Where to write; null when the claim was refused.
    std::byte* data = nullptr;
    /// Bytes in use with this record, overhead included; of a sixteenth of the block or less, at most so many.
    std::size_t used_bytes = 0;
    /// What the record may take of it, overhead included.
    std::size_t slot_bytes = 0;
    Refusal refusal = Refusal::kNone;
  };

  /// Behind each claim its writer may write so many bytes more, which nobody reads.
  static constexpr std::size_t kSpareBytes = 8;
  /// Claims `size` bytes unless more than `up_to_bytes` would then be in use, of which less than a sixteenth of the block makes little
  /// sense. All of it stays in use until it is read, however much the record takes. A claim must be committed soon: the reader cannot pass
  /// it.
  [[nodiscard]] Claim claim(std::size_t size, std::size_t up_to_bytes) noexcept;
  /// Makes a claimed record readable, which may have become smaller than its claim. Sequentially consistent, so that a writer can look for
  /// a sleeping reader afterwards.
  void commit(const Claim& claim, std::size_t size) noexcept;

  /// The oldest record, or empty when there is none to read. Valid until pop().
  [[nodiscard]] std::span<const std::byte> front() noexcept;
  /// Forgets the record that front() gave.
  void pop() noexcept;
  /// Gives the space of popped records back to the writers. pop() does so by itself every few kilobytes.
  void publish() noexcept;

  /// Has the kernel give memory to what the next claims will write, or else a writer waits for it at each new page. The first
  /// time round only; does nothing on kernels before 5.14.
  void populate() noexcept;

  /// Refuses every claim from now on. Those made before stay readable once committed.
  void close() noexcept;

  /// Where the next claim would begin; rises for ever.
  [[nodiscard]] std::uint64_t head() const noexcept { return head_.load(std::memory_order_seq_cst) & ~kClosedBit; }
  /// Where the reader stands. Reader's thread only.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  [[nodiscard]] bool empty() const noexcept { return position_ == head(); }
  /// Claims granted so far. Counted before the record can be read.
  [[nodiscard]] std::uint64_t records() const noexcept { return records_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t bound_bytes() const noexcept { return bound_bytes_; }

 private:
  static constexpr std::uint64_t kClosedBit = 1;  // positions are multiples of kAlign
  static constexpr std::size_t kAlign = 16;
  static constexpr std::size_t kSlotHead = 8;
  static constexpr std::size_t kPublishEvery = 4096;
  /// What an eager writer fills while the reader naps.
  static constexpr std::size_t kPopulateAhead = 256 * 1024;

  struct Unmap {
    std::size_t size;
    void operator()(std::byte* block) const noexcept;
  };
  [[nodiscard]] static std::unique_ptr<std::byte[], Unmap> map(std::size_t size);

  [[nodiscard]] std::uint64_t& slot(std::uint64_t position) noexcept;
  [[nodiscard]] static constexpr std::size_t slot_bytes(std::size_t size) noexcept {
    return (kSlotHead + size + kSpareBytes + kAlign - 1) & ~(kAlign - 1);
  }

  std::size_t bound_bytes_;
  std::size_t capacity_;
  std::unique_ptr<std::byte[], Unmap> block_;

  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint64_t> records_{0};
  /// Where tail_ stood when a writer last had to know: what the reader writes all the time is far from the writers.
  std::atomic<std::uint64_t> tail_seen_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::uint64_t position_ = 0;
  std::size_t front_bytes_ = 0;
  /// How much of the block has been populated.
  std::size_t populated_ = 0;
};

}  // namespace runfold::delivery

// Where a consumer stands in each of its partitions, and which messages are therefore not its next.
#pragma once

#include "transport/kafka/record.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace runfold::kafka {

/// Offsets by partition, found fast for runs of messages of one partition. Knows nothing of librdkafka.
class Positions {
 public:
  static constexpr std::int64_t kAnywhere = -1;

  struct Slot {
    TopicPartition at;
    /// The lowest offset that may come next; kAnywhere until the first message when the start was left to the broker.
    std::int64_t next = kAnywhere;
    /// While `next` is kAnywhere: it starts with the oldest record there is, whatever auto.offset.reset says.
    bool oldest = false;
    /// A message was dropped that will be needed: go back to `next` before going on.
    bool rewind = false;
    /// Read up to here and no further; kAnywhere: for ever.
    std::int64_t end = kAnywhere;
    /// The end was reached, and its owner knows.
    bool ended = false;
    /// Nobody wants more of it.
    bool left_alone = false;
    /// librdkafka's topic object, learned from the first message: comparing it is cheaper than names.
    const void* topic_handle = nullptr;

    [[nodiscard]] bool at_end() const noexcept { return end != kAnywhere && next >= end; }

    /// True when a message with this offset is the next or a later one, before the end; it then counts as read.
    [[nodiscard]] bool accept(std::int64_t offset) noexcept {
      if (offset < next || ended) return false;
      if (end != kAnywhere && offset >= end) {
        next = end;
        return false;
      }
      next = offset + 1;
      return true;
    }

    /// A message that will be needed is not read: the partition goes back to it, or to `next` if that is known.
    void drop(std::int64_t offset) noexcept {
      if (rewind) return;
      rewind = true;
      if (next == kAnywhere) next = offset;
    }
  };

  void assign(std::vector<Slot> slots) {
    slots_ = std::move(slots);
    last_ = 0;
  }
  void clear() { assign({}); }

  [[nodiscard]] std::span<Slot> slots() noexcept { return slots_; }
  [[nodiscard]] std::span<const Slot> slots() const noexcept { return slots_; }

  [[nodiscard]] Slot* find(const TopicPartition& at) noexcept {
    const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.at == at; });
    return found == slots_.end() ? nullptr : &*found;
  }

  /// As above for a message; null when the partition is not (any more) this consumer's.
  template <class NameOf>
  [[nodiscard]] Slot* find(const void* topic_handle, std::int32_t partition, NameOf&& name_of) noexcept {
    if (last_ < slots_.size() && slots_[last_].topic_handle == topic_handle && slots_[last_].at.partition == partition) {
      return &slots_[last_];
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.at.partition != partition) continue;
      if (slot.topic_handle != topic_handle) {
        if (slot.at.topic != std::string_view(name_of())) continue;
        slot.topic_handle = topic_handle;
      }
      last_ = i;
      return &slot;
    }
    return nullptr;
  }

 private:
  std::vector<Slot> slots_;
  std::size_t last_ = 0;
};

}  // namespace runfold::kafka

// Which sequence numbers have been seen: a gapless beginning and a bounded number of ranges beyond it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace runfold::collector {

/// Tells new sequence numbers of one (source, topic) from those seen before, whatever order they come in.
///
/// Numbers begin at 1. Up to kMaxRanges stretches behind gaps are remembered. When there would be more, the lowest gap is
/// given up: its numbers count as not received for ever, and should one still come it is refused like a duplicate. So
/// nothing is ever folded twice, and what is refused shows as missing: received() never includes it.
class SequenceWindow {
 public:
  static constexpr std::size_t kMaxRanges = 64;
  /// Both ends belong to it.
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    auto operator<=>(const Range&) const = default;
  };

  /// True when the number is new.
  [[nodiscard]] bool add(std::uint64_t number) {
    if (number == next_ && ranges_.empty()) {
      ++next_;
      return true;
    }
    bool fresh = false;
    add({number, number}, [&](Range) { fresh = true; });
    return fresh;
  }

  /// Calls `on_new` with each stretch of `range` that is new, in ascending order, none touching the next.
  template <class OnNew>
  void add(Range range, OnNew&& on_new) {
    bool any = false;
    std::uint64_t from = range.first < next_ ? next_ : range.first;
    for (const Range& seen : ranges_) {
      if (from > range.last || seen.first > range.last) break;
      if (seen.last < from) continue;
      if (seen.first > from) {
        any = true;
        on_new(Range{from, seen.first - 1});
      }
      from = seen.last + 1;
    }
    if (from <= range.last) {
      any = true;
      on_new(Range{from, range.last});
    }
    if (any) join(range);
  }

  /// How many different numbers were new.
  [[nodiscard]] std::uint64_t received() const noexcept;

  // What it consists of, to be stored.
  /// All numbers below this one were seen or given up.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  [[nodiscard]] std::uint64_t given_up() const noexcept { return given_up_; }
  /// Ascending, with gaps between them and before the first.
  [[nodiscard]] const std::vector<Range>& ranges() const noexcept { return ranges_; }
  /// False, and nothing changes, when these cannot be the parts of a window.
  [[nodiscard]] bool restore(std::uint64_t next, std::uint64_t given_up, std::vector<Range> ranges);

 private:
  void join(Range range);

  std::uint64_t next_ = 1;
  std::uint64_t given_up_ = 0;
  std::vector<Range> ranges_;
};

}  // namespace runfold::collector

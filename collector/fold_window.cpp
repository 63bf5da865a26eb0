// How a window of sequence numbers grows together.
#include "collector/fold_window.hpp"

#include <algorithm>

namespace runfold::collector {

void SequenceWindow::join(Range range) {
  range.first = std::max(range.first, next_);
  // Everything that overlaps the range or touches it becomes one with it.
  const auto begin = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& seen) { return seen.last + 1 >= range.first; });
  auto end = begin;
  while (end != ranges_.end() && end->first <= range.last + 1) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  if (range.first == next_) {
    next_ = range.last + 1;
    ranges_.erase(ranges_.begin(), end);
  } else if (begin != end) {
    *begin = range;
    ranges_.erase(begin + 1, end);
  } else {
    ranges_.insert(begin, range);
  }
  if (ranges_.size() > kMaxRanges) {
    given_up_ += ranges_.front().first - next_;
    next_ = ranges_.front().last + 1;
    ranges_.erase(ranges_.begin());
  }
}

std::uint64_t SequenceWindow::received() const noexcept {
  std::uint64_t sum = next_ - 1 - given_up_;
  for (const Range& range : ranges_) sum += range.last - range.first + 1;
  return sum;
}

bool SequenceWindow::restore(std::uint64_t next, std::uint64_t given_up, std::vector<Range> ranges) {
  if (next == 0 || given_up > next - 1 || ranges.size() > kMaxRanges) return false;
  std::uint64_t above = next;
  for (const Range& range : ranges) {
    if (range.first <= above || range.last < range.first || range.last > std::uint64_t{1} << 63) return false;
    above = range.last + 1;
  }
  next_ = next;
  given_up_ = given_up;
  ranges_ = std::move(ranges);
  return true;
}

}  // namespace runfold::collector

// The head goes through, the tail goes round.
#include "producer/agent/head_and_tail.hpp"

#include "producer/agent/text.hpp"

#include <algorithm>
#include <utility>

namespace runfold::agent {
HeadAndTail::HeadAndTail(Limits limits, OnBytes on_bytes, OnGap on_gap, CutOff cut_off)
    : limits_(limits), on_bytes_(std::move(on_bytes)), on_gap_(std::move(on_gap)), cut_off_(std::move(cut_off)) {}

void HeadAndTail::feed(std::string_view bytes) {
  if (in_head_) {
    const std::size_t left = given_ < limits_.head_bytes ? static_cast<std::size_t>(limits_.head_bytes - given_) : 0;
    std::string_view head = bytes;
    if (bytes.size() >= left) {
      // Up to the end of the line under way; of output without lines, to the end of what has come.
      const std::size_t newline = bytes.find('\n', left == 0 ? 0 : left - 1);
      head = bytes.substr(0, newline == std::string_view::npos ? bytes.size() : newline + 1);
      in_head_ = false;
    }
    given_ += head.size();
    on_bytes_(head);
    bytes.remove_prefix(head.size());
  }
  if (!bytes.empty()) keep(bytes);
}

void HeadAndTail::keep(std::string_view bytes) {
  kept_bytes_ += bytes.size();
  kept_lines_ += count_lines(bytes);
  if (bytes.size() > limits_.tail_bytes) bytes.remove_prefix(bytes.size() - limits_.tail_bytes);
  if (tail_.size() < limits_.tail_bytes) {
    const std::string_view first = bytes.substr(0, limits_.tail_bytes - tail_.size());
    tail_.append(first);
    bytes.remove_prefix(first.size());
  }
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), tail_.size() - next_);
    bytes.copy(tail_.data() + next_, size);
    bytes.remove_prefix(size);
    next_ = (next_ + size) % tail_.size();
  }
}

void HeadAndTail::finish() {
  std::rotate(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(next_), tail_.end());
  std::string_view kept = tail_;
  if (kept_bytes_ > kept.size()) {
    // The line that the tail begins in is not whole.
    const std::size_t newline = kept.find('\n');
    if (newline != std::string_view::npos) kept.remove_prefix(newline + 1);
    if (cut_off_) kept.remove_prefix(cut_off_(kept));
    on_gap_({.bytes = kept_bytes_ - kept.size(), .lines = kept_lines_ - count_lines(kept)});
  }
  if (!kept.empty()) on_bytes_(kept);
  tail_.clear();
  next_ = 0;
}

}  // namespace runfold::agent

// Bounds how much of a stream is looked at: its beginning, and its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace runfold::agent {

/// Lets a stream's beginning through at once and keeps the last of what comes after it, so that a command which writes
/// without end costs next to nothing and its last words are there all the same.
class HeadAndTail {
 public:
  struct Limits {
    /// The beginning ends with the line that reaches this.
    std::size_t head_bytes = 16 * 1024 * 1024;
    std::size_t tail_bytes = 256 * 1024;
  };
  /// What lies between the two.
  struct Gap {
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
  };
  using OnBytes = std::function<void(std::string_view)>;
  using OnGap = std::function<void(const Gap&)>;

  /// How much of the end's beginning may be the rest of a secret that the gap cut in two, see Redactor::cut_off(): it belongs to
  /// the gap.
  using CutOff = std::function<std::size_t(std::string_view)>;

  HeadAndTail(Limits limits, OnBytes on_bytes, OnGap on_gap, CutOff cut_off = {});

  void feed(std::string_view bytes);
  /// The stream is at its end: gives the gap, if there is one, and what was kept.
  void finish();

 private:
  void keep(std::string_view bytes);

  Limits limits_;
  OnBytes on_bytes_;
  OnGap on_gap_;
  CutOff cut_off_;
  std::uint64_t given_ = 0;
  bool in_head_ = true;
  /// The last bytes behind the head, as a ring: the oldest stands at `next_` once it is full.
  std::string tail_;
  std::size_t next_ = 0;
  std::uint64_t kept_bytes_ = 0;
  std::uint64_t kept_lines_ = 0;
};

}  // namespace runfold::agent

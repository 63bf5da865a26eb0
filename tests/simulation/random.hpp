// The only source of chance: numbers that a seed decides, the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runfold::simulation {

/// splitmix64. The standard library's distributions differ from one to the next, so none is used.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15U + 0x1234567) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// 0 to n - 1. Precondition: n > 0.
  std::size_t below(std::size_t n) noexcept { return static_cast<std::size_t>(next() % n); }
  std::int64_t between(std::int64_t least, std::int64_t most) noexcept {
    return least + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(most - least + 1));
  }
  bool percent(std::size_t p) noexcept { return below(100) < p; }

 private:
  std::uint64_t state_;
};

}  // namespace runfold::simulation

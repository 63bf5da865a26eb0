// The registered secrets, and where they stand in a text.
#pragma once

#include "producer/redact/error.hpp"
#include "producer/redact/found.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::redact {

/// Secrets may be added while other threads look for them; looking takes no lock.
///
/// A secret is found as it is and, each up to twice over, as JSON strings and URIs write it: however many of its characters
/// are escaped, and a space also as '+'.
/// Thread: any.
class Values {
 public:
  static constexpr std::size_t kMinBytes = 4;
  static constexpr std::size_t kMaxBytes = 8 * 1024;
  static constexpr std::size_t kMaxSecrets = 1'000;

  Values() = default;
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;

  /// See Redactor::add().
  [[nodiscard]] Result<> add(std::string_view secret);
  [[nodiscard]] bool empty() const noexcept { return count_.load(std::memory_order_acquire) == 0; }
  /// Two bytes that a secret begins with where nothing is escaped.
  struct Pair {
    char first;
    char second;
  };
  static constexpr std::size_t kFewPairs = 16;
  /// All such pairs. Absent: they are more than kFewPairs.
  [[nodiscard]] std::optional<std::span<const Pair>> few_pairs() const noexcept {
    const std::size_t count = few_count_.load(std::memory_order_acquire);
    if (count > kFewPairs) return std::nullopt;
    return std::span(few_.data(), count);
  }
  void find(std::string_view text, Found& found) const;
  /// The size of the longest end of a secret that the text begins with, its whole not counted; 0: none.
  [[nodiscard]] std::size_t end_at_beginning(std::string_view text) const;

 private:
  struct Node {
    std::string secret;
    const Node* next;
  };
  void insert(std::string_view secret);
  void find_at(std::string_view text, std::size_t at, bool escapes, Found& found) const;
  void add_to_few(Pair pair) noexcept;
  void allow_pair(unsigned char first, unsigned char second) noexcept;
  [[nodiscard]] bool may_begin(unsigned char first, unsigned char second) const noexcept {
    const std::size_t pair = static_cast<std::size_t>(first) << 8 | second;
    return (pairs_[pair / 64].load(std::memory_order_relaxed) >> (pair % 64) & 1) != 0;
  }

  /// What few_pairs() gives, for the look that must be quick: ahead of the large tables. One stays as it is once it counts.
  std::atomic<std::size_t> few_count_{0};
  std::array<Pair, kFewPairs> few_{};
  std::atomic<std::size_t> count_{0};
  /// By their first byte. A node stays as it is once it can be reached.
  std::array<std::atomic<const Node*>, 256> heads_{};
  /// A bit for each two bytes that a secret may begin with in a text, so that most of a text is passed over quickly.
  std::array<std::atomic<std::uint64_t>, 1024> pairs_{};

  std::mutex mutex_;
  std::vector<std::unique_ptr<const Node>> nodes_;
};

}  // namespace runfold::redact

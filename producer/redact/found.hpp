// What was found in a text that is to be replaced.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace runfold::redact {

/// What stands where a secret stood.
inline constexpr std::string_view kRedacted = "[redacted]";

/// The bytes [begin, end) of a text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct Found {
  /// In no order; they may overlap.
  std::vector<Span> spans;
  /// Where the first thing begins that the text's end may cut off; npos: nothing.
  std::size_t open_at = std::string_view::npos;
  /// Bytes looked through in vain for the bracket that closes another one: what find_assignment() spends no more than a fixed sum of.
  std::size_t bracket_bytes = 0;

  void open(std::size_t at) noexcept { open_at = std::min(open_at, at); }
};

}  // namespace runfold::redact

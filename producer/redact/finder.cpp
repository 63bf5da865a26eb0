// Finds, in one pass, what names and patterns say is a secret.
#include "producer/redact/finder.hpp"

#include "producer/redact/assignment.hpp"
#include "producer/redact/patterns.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace runfold::redact {
namespace {

using Block = std::uint8_t __attribute__((vector_size(16)));
constexpr std::size_t kBlock = sizeof(Block);
/// Beginnings are told by up to so many bytes behind their first.
constexpr std::size_t kLookAhead = 2;

Block load(const char* bytes) noexcept {
  Block out;
  std::memcpy(&out, bytes, sizeof out);
  return out;
}

/// A byte for each of the block's, not 0 where something may begin: what look_at() would look at, and sometimes more.
using Hits = std::array<std::uint64_t, 2>;

Hits hits_in(const char* bytes) noexcept {
  const Block first = load(bytes);
  const Block second = load(bytes + 1);
  const Block third = load(bytes + 2);
  const auto lower = [](Block block) { return block | static_cast<std::uint8_t>(0x20); };
  const auto hit = (first == '=') | (first == ':') | ((first == '-') & (second == '-')) | ((first == 'e') & (second == 'y')) |
                   ((first == 'A') & ((second == 'K') | (second == 'S'))) |
                   ((lower(first) == 'r') & (lower(second) == 'e') & (lower(third) == 'r'));
  Hits out;
  static_assert(sizeof out == sizeof hit);
  std::memcpy(out.data(), &hit, sizeof out);
  return out;
}

/// The place of the first hit in a word; the word is not 0.
std::size_t first_of(std::uint64_t word) noexcept {
  return static_cast<std::size_t>(std::endian::native == std::endian::little ? std::countr_zero(word) : std::countl_zero(word)) / 8;
}
/// The word without it.
std::uint64_t without(std::uint64_t word, std::size_t place) noexcept {
  return word & ~(std::uint64_t{0xff} << (std::endian::native == std::endian::little ? place : 7 - place) * 8);
}

/// Looks at one byte. Returns where to look on.
std::size_t look_at(std::string_view text, std::size_t at, const Names& names, Found& found) {
  switch (text[at]) {
    case '=':
      return find_assignment(text, at, names, found);
    case ':': {
      const std::size_t assigned = find_assignment(text, at, names, found);
      return assigned > at + 1 ? assigned : find_user_info(text, at, found);
    }
    case 'e':
      return find_jwt(text, at, found);
    case 'A':
      return find_aws_key(text, at, found);
    case 'r':
    case 'R':
      return find_bearer(text, at, found);
    case '-':
      return find_key_block(text, at, found);
    default:
      return at + 1;
  }
}

}  // namespace

void find_by_names_and_patterns(std::string_view text, const Names& names, Found& found) {
  constexpr std::size_t kWindow = kBlock + kLookAhead;
  std::size_t next = 0;  // behind what was found last, or looked at
  const auto look = [&](const char* bytes, std::size_t block) {
    const Hits hits = hits_in(bytes);
    if ((hits[0] | hits[1]) == 0) return;
    for (std::size_t half = 0; half < hits.size(); ++half) {
      for (std::uint64_t word = hits[half]; word != 0;) {
        const std::size_t place = first_of(word);
        word = without(word, place);
        const std::size_t at = block + half * sizeof word + place;
        if (at >= next && at < text.size()) next = look_at(text, at, names, found);
      }
    }
  };
  if (text.size() < kWindow) {
    std::array<char, kWindow + kLookAhead> whole{};
    text.copy(whole.data(), text.size());
    look(whole.data(), 0);
    if (text.size() > kBlock) look(whole.data() + kLookAhead, kLookAhead);
    return;
  }
  std::size_t block = 0;
  for (; block + kWindow <= text.size(); block += kBlock) look(text.data() + block, block);
  // The rest, in a window that begins in what was looked at; and its last bytes, where only an assignment may still be.
  next = std::max(next, block);
  look(text.data() + text.size() - kWindow, text.size() - kWindow);
  for (std::size_t at = std::max(next, text.size() - kLookAhead); at < text.size(); ++at) {
    if (at >= next && (text[at] == '=' || text[at] == ':')) next = look_at(text, at, names, found);
  }
}

}  // namespace runfold::redact

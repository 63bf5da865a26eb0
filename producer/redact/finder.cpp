// Finds, in one pass, what names and patterns say is a secret.
#include "producer/redact/finder.hpp"

#include "producer/redact/assignment.hpp"
#include "producer/redact/patterns.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

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

/// A block of one byte, made of an immediate. As a constant in memory it would stand in a page of its own, which a thread that was
/// interrupted has to wait for: half of what is_plain() took then.
Block all(char byte) noexcept {
  auto four = static_cast<std::uint32_t>(static_cast<std::uint8_t>(byte)) * 0x01010101;
  asm("" : "+r"(four));  // or else the compiler makes it that constant
  const std::uint32_t __attribute__((vector_size(16))) out{four, four, four, four};
  return reinterpret_cast<Block>(out);
}

/// Of a block, and those one and two bytes on: all bits where something may begin, which look_at() would look at, and sometimes elsewhere.
[[gnu::always_inline]] inline Block beginnings(Block first, Block second, Block third) noexcept {
  const Block small = all(0x20);
  const Block r = all('r');
  return (first == all('=')) | (first == all(':')) | ((first == all('-')) & (second == all('-'))) |
         ((first == all('e')) & (second == all('y'))) | ((first == all('A')) & ((second == all('K')) | (second == all('S')))) |
         (((first | small) == r) & ((second | small) == all('e')) & ((third | small) == r));
}

using Hits = std::array<std::uint64_t, 2>;

Hits hits_in(const char* bytes) noexcept {
  const Block hit = beginnings(load(bytes), load(bytes + 1), load(bytes + 2));
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

/// The block without its first bytes, and zeros behind it.
template <int kBytes>
Block without_first(Block block) noexcept {
  return [&]<int... kFrom>(std::integer_sequence<int, kFrom...>) {
    return __builtin_shufflevector(block, Block{}, (kFrom + kBytes)...);
  }
  (std::make_integer_sequence<int, kBlock>());
}

/// Whether all is ASCII and nothing begins, but for what the block's end cuts off.
[[gnu::hot]] bool is_plain(Block block, std::span<const Values::Pair> registered) noexcept {
  const Block second = without_first<1>(block);
  Block told = block | beginnings(block, second, without_first<2>(block));
  // Where something is escaped, a secret may begin with other bytes.
  if (!registered.empty()) told |= (block == all('%')) | (block == all('\\'));
  for (const auto pair : registered) told |= (block == all(pair.first)) & (second == all(pair.second));
  Hits out;
  static_assert(sizeof out == sizeof told);
  std::memcpy(out.data(), &told, sizeof out);
  return ((out[0] | out[1]) & 0x8080808080808080) == 0;
}

/// Of at most kBlock bytes, with zeros behind it.
Block load_short(std::string_view text) noexcept {
  std::array<std::uint64_t, 2> words{};
  auto* bytes = reinterpret_cast<char*>(words.data());
  const auto copy = [&]<class Word>(Word) {
    Word word;
    std::memcpy(&word, text.data(), sizeof word);
    std::memcpy(bytes, &word, sizeof word);
    std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word);
    std::memcpy(bytes + text.size() - sizeof word, &word, sizeof word);
  };
  if (text.size() >= 8) {
    copy(std::uint64_t{});
  } else if (text.size() >= 4) {
    copy(std::uint32_t{});
  } else if (text.size() >= 2) {
    copy(std::uint16_t{});
  } else if (text.size() == 1) {
    bytes[0] = text[0];
  }
  return load(bytes);
}

}  // namespace

[[gnu::hot]] bool is_plain(std::string_view text, std::span<const Values::Pair> registered) noexcept {
  if (text.size() < kBlock) return is_plain(load_short(text), registered);
  // Each block begins where the one before it was cut off.
  for (std::size_t at = 0; at + kBlock < text.size(); at += kBlock - kLookAhead) {
    if (!is_plain(load(text.data() + at), registered)) return false;
  }
  return is_plain(load(text.data() + text.size() - kBlock), registered);
}

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

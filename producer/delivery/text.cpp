// UTF-8 checked with a fast path for ASCII.
#include "producer/delivery/text.hpp"

#include <cassert>
#include <cstdint>
#include <cstring>

namespace runfold::delivery {
namespace {

// The size of the well-formed character at the beginning of `bytes`, or 0.
std::size_t character_size(std::string_view bytes) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  const auto continues = [&](std::size_t i, std::uint8_t low = 0x80, std::uint8_t high = 0xbf) {
    return i < bytes.size() && byte(i) >= low && byte(i) <= high;
  };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return continues(1) ? 2 : 0;
  if (lead < 0xf0) {
    const std::uint8_t low = lead == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
    const std::uint8_t high = lead == 0xed ? 0x9f : 0xbf;  // no surrogates
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (lead > 0xf4) return 0;
  const std::uint8_t low = lead == 0xf0 ? 0x90 : 0x80;
  const std::uint8_t high = lead == 0xf4 ? 0x8f : 0xbf;
  return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
}

// How many of the first bytes are ASCII: all, if they all are, or else as counted by eights.
std::size_t ascii_run(std::string_view bytes) noexcept {
  using Word = std::uint64_t;
  const auto is_ascii = [&](std::size_t at) {
    Word word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    return (word & 0x8080808080808080) == 0;
  };
  std::size_t i = 0;
  for (; i + sizeof(Word) <= bytes.size(); i += sizeof(Word)) {
    if (!is_ascii(i)) return i;
  }
  // The last few in a word that begins in what was looked at.
  const bool whole = i > 0 && is_ascii(bytes.size() - sizeof(Word));
  return whole ? bytes.size() : i;
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    bytes.remove_prefix(ascii_run(bytes));
    for (std::size_t n = 0; n < 8 && !bytes.empty(); ++n) {
      const std::size_t size = character_size(bytes);
      if (size == 0) return false;
      bytes.remove_prefix(size);
    }
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 16);
  while (!bytes.empty()) {
    const std::size_t size = character_size(bytes);
    out.append(size == 0 ? std::string_view("\xef\xbf\xbd") : bytes.substr(0, size));
    bytes.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

std::string_view cut(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<std::uint8_t>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

std::string json_string(std::string_view text, std::size_t limit) {
  assert(limit >= 2);
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    const auto byte = static_cast<std::uint8_t>(text.front());
    char escaped[8];
    std::string_view piece = text.substr(0, size);
    if (size == 0) {
      piece = "\xef\xbf\xbd";
    } else if (byte == '"' || byte == '\\') {
      escaped[0] = '\\';
      escaped[1] = static_cast<char>(byte);
      piece = {escaped, 2};
    } else if (byte < 0x20) {
      constexpr std::string_view kHex = "0123456789abcdef";
      std::memcpy(escaped, "\\u00", 4);
      escaped[4] = kHex[byte >> 4];
      escaped[5] = kHex[byte & 15];
      piece = {escaped, 6};
    }
    if (out.size() + piece.size() + 1 > limit) break;
    out += piece;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out += '"';
  return out;
}

}  // namespace runfold::delivery

// Reads a text through the encodings that it may be written in, byte by byte.
#include "producer/redact/encoded.hpp"

namespace runfold::redact {
namespace {

int digit_of(int c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

int EncodedReader::read(std::size_t layer) noexcept {
  if (layer == 0) return at_ < text_.size() ? static_cast<std::uint8_t>(text_[at_++]) : kEnd;
  return layers_[layer - 1] == Encoding::kJson ? read_json(layer) : read_percent(layer);
}

int EncodedReader::read_hex(std::size_t layer, int digits) noexcept {
  int value = 0;
  for (int i = 0; i < digits; ++i) {
    const int c = read(layer);
    if (c == kEnd) return kEnd;
    const int digit = digit_of(c);
    if (digit < 0) return kBad;
    value = value * 16 + digit;
  }
  return value;
}

int EncodedReader::read_percent(std::size_t layer) noexcept {
  const int c = read(layer - 1);
  return c == '%' ? read_hex(layer - 1, 2) : c;
}

int EncodedReader::read_json(std::size_t layer) noexcept {
  Pending& pending = pending_[layer - 1];
  if (pending.taken < pending.size) return pending.bytes[pending.taken++];
  const int c = read(layer - 1);
  if (c != '\\') return c;
  const int escaped = read(layer - 1);
  switch (escaped) {
    case kEnd:
    case '"':
    case '\\':
    case '/':
      return escaped;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'u':
      break;
    default:
      return kBad;
  }
  int point = read_hex(layer - 1, 4);
  if (point < 0) return point;
  if (point >= 0xd800 && point < 0xdc00) {
    for (const int expected : {'\\', 'u'}) {
      const int got = read(layer - 1);
      if (got == kEnd) return kEnd;
      if (got != expected) return kBad;
    }
    const int low = read_hex(layer - 1, 4);
    if (low < 0) return low;
    if (low < 0xdc00 || low > 0xdfff) return kBad;
    point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
  }
  pending = {};
  const auto add = [&](int byte) { pending.bytes[pending.size++] = static_cast<std::uint8_t>(byte); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0 | (point >> 6));
  } else if (point < 0x10000) {
    add(0xe0 | (point >> 12));
  } else {
    add(0xf0 | (point >> 18));
  }
  if (point >= 0x10000) add(0x80 | ((point >> 12) & 0x3f));
  if (point >= 0x800) add(0x80 | ((point >> 6) & 0x3f));
  if (point >= 0x80) add(0x80 | (point & 0x3f));
  return pending.bytes[pending.taken++];
}

}  // namespace runfold::redact

// Hashes a record's sizes and ends.
#include "collector/consume_last_record.hpp"

#include <cstddef>

namespace runfold::collector {
namespace {

constexpr std::uint64_t kOdd = 0x9e37'79b9'7f4a'7c15;
constexpr std::size_t kEnd = 16;

void mix(std::uint64_t& hash, std::uint64_t word) noexcept {
  hash = (hash ^ word) * kOdd;
  hash ^= hash >> 32;
}

/// Eight bytes as a number, the first one lowest: written so that it is one load.
std::uint64_t word(const char* bytes) noexcept {
  const auto byte = [bytes](int i) { return std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i); };
  return byte(0) | byte(1) | byte(2) | byte(3) | byte(4) | byte(5) | byte(6) | byte(7);
}

/// Fewer than eight.
std::uint64_t word(const char* bytes, std::size_t size) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return value;
}

void mix(std::uint64_t& hash, const std::optional<std::string_view>& bytes) noexcept {
  if (!bytes) return mix(hash, kOdd);
  const std::size_t size = bytes->size();
  mix(hash, size);
  if (size >= kEnd) {
    const char* last = bytes->data() + size - kEnd;
    for (const char* at : {bytes->data(), bytes->data() + 8, last, last + 8}) mix(hash, word(at));
  } else {
    if (size >= 8) mix(hash, word(bytes->data()));
    mix(hash, word(bytes->data() + size / 8 * 8, size % 8));
  }
}

}  // namespace

LastRecord last_record(const kafka::InRecord& record) noexcept {
  std::uint64_t hash = 0;
  mix(hash, record.key);
  mix(hash, record.value);
  return {record.timestamp_ms, hash};
}

}  // namespace runfold::collector

// Writes protobuf fields straight into memory, for the records that are emitted by the thousand.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace runfold::delivery::wire {

[[nodiscard]] constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  // A byte for each seven bits, one at least: as a multiplication, and not a division or a branch for each.
  return (static_cast<std::size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

/// Sizes of whole fields, tag included, of numbers below 16: the tag is one byte. Absent (0, "") takes none.
[[nodiscard]] constexpr std::size_t bytes_field_size(std::size_t size) noexcept {
  return size == 0 ? 0 : 1 + varint_size(size) + size;
}

/// How many bytes behind its end a write may touch: numbers are written eight bytes at a time.
inline constexpr std::size_t kSpareBytes = 8;

// What writes below returns where it ends. The larger ones are not inlined, so that a record that is written after an interruption finds
// most of its code just used: the first run over each line of code, and each branch, costs more than the work in it.

[[gnu::noinline, gnu::hot]] inline char* write_varint(char* at, std::uint64_t value) noexcept {
  if (std::endian::native != std::endian::little || value >> 56 != 0) {
    for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
    *at++ = static_cast<char>(value);
    return at;
  }
  // Halves are drawn apart until each byte has its seven bits; all but the last say that one more follows.
  const std::size_t size = varint_size(value);
  value = (value & 0x00fffffff0000000) << 4 | (value & 0x000000000fffffff);
  value = (value & 0x0fffc0000fffc000) << 2 | (value & 0x00003fff00003fff);
  value = (value & 0x3f803f803f803f80) << 1 | (value & 0x007f007f007f007f);
  value |= 0x8080808080808080 & ((std::uint64_t{1} << (8 * (size - 1))) - 1);
  std::memcpy(at, &value, sizeof value);
  return at + size;
}

/// As memcpy does, in fewer branches where they are few.
[[gnu::noinline, gnu::hot]] inline char* write_bytes(char* at, std::string_view bytes) noexcept {
  const char* from = bytes.data();
  const std::size_t size = bytes.size();
  const auto both_ends = [&]<class Word>(Word) {
    Word first;
    Word last;
    std::memcpy(&first, from, sizeof first);
    std::memcpy(&last, from + size - sizeof last, sizeof last);
    std::memcpy(at, &first, sizeof first);
    std::memcpy(at + size - sizeof last, &last, sizeof last);
  };
  if (size > 256) {
    std::memcpy(at, from, size);
  } else if (size >= 16) {
    for (std::size_t done = 0; done + 16 < size; done += 16) std::memcpy(at + done, from + done, 16);
    std::memcpy(at + size - 16, from + size - 16, 16);
  } else if (size >= 8) {
    both_ends(std::uint64_t{});
  } else if (size >= 4) {
    both_ends(std::uint32_t{});
  } else if (size >= 2) {
    both_ends(std::uint16_t{});
  } else if (size == 1) {
    *at = *from;
  }
  return at + size;
}

/// The head of a length-delimited field, of a number below 2048; its bytes follow.
inline char* write_bytes_head(char* at, int field, std::size_t size) noexcept {
  if (field >= 16) *at++ = static_cast<char>(field << 3 | 2 | 0x80);
  *at++ = static_cast<char>(field < 16 ? field << 3 | 2 : field >> 4);
  if (size >= 0x80) return write_varint(at, size);
  *at++ = static_cast<char>(size);
  return at;
}

[[gnu::noinline, gnu::hot]] inline char* write_bytes_field(char* at, int field, std::string_view bytes) noexcept {
  if (bytes.empty()) return at;
  return write_bytes(write_bytes_head(at, field, bytes.size()), bytes);
}

/// Writes fields one behind the other, of numbers below 16 unless it says otherwise. Those that are absent (0, "") take nothing. The
/// caller has made sure that they fit, and kSpareBytes behind them.
class Writer {
 public:
  explicit Writer(char* at) noexcept : at_(at) {}

  void begin_bytes(int field, std::size_t size) noexcept { at_ = write_bytes_head(at_, field, size); }
  void varint_field(int field, std::uint64_t value) noexcept {
    if (value != 0) present_varint_field(field, value);
  }
  /// Also of a 0.
  void present_varint_field(int field, std::uint64_t value) noexcept {
    *at_++ = static_cast<char>(field << 3);
    at_ = write_varint(at_, value);
  }
  void bytes_field(int field, std::string_view bytes) noexcept { at_ = write_bytes_field(at_, field, bytes); }
  /// A google.protobuf.Timestamp.
  void timestamp_field(int field, std::int64_t since_epoch_ns) noexcept;
  static constexpr std::size_t kMaxTimestampField = 2 + 11 + 6;
  [[nodiscard]] char* at() const noexcept { return at_; }

 private:
  char* at_;
};

/// The two halves of a google.protobuf.Timestamp.
struct Timestamp {
  std::int64_t seconds;
  std::int32_t nanos;
  explicit constexpr Timestamp(std::int64_t since_epoch_ns) noexcept
      : seconds(since_epoch_ns / 1'000'000'000), nanos(static_cast<std::int32_t>(since_epoch_ns % 1'000'000'000)) {
    if (nanos < 0) {
      nanos += 1'000'000'000;
      --seconds;
    }
  }
};

[[gnu::hot]] inline void Writer::timestamp_field(int field, std::int64_t since_epoch_ns) noexcept {
  const Timestamp time(since_epoch_ns);
  *at_++ = static_cast<char>(field << 3 | 2);
  char* const length = at_++;
  varint_field(1, static_cast<std::uint64_t>(time.seconds));
  varint_field(2, static_cast<std::uint64_t>(time.nanos));
  *length = static_cast<char>(at_ - length - 1);
}

/// Appends to a string, for the delivery thread.
inline void append_varint_field(std::string& out, int field, std::uint64_t value) {
  char bytes[16 + kSpareBytes];  // 1 + 10, and room that keeps the compiler from seeing ghosts
  Writer writer(bytes);
  writer.varint_field(field, value);
  out.append(bytes, static_cast<std::size_t>(writer.at() - bytes));
}
inline void append_bytes_head(std::string& out, int field, std::size_t size) {
  char bytes[16 + kSpareBytes];  // 1 + 10, and room that keeps the compiler from seeing ghosts
  Writer writer(bytes);
  writer.begin_bytes(field, size);
  out.append(bytes, static_cast<std::size_t>(writer.at() - bytes));
}

}  // namespace runfold::delivery::wire

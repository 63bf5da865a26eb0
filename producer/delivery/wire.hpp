// Writes protobuf fields straight into memory, for the records that are emitted by the thousand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace runfold::delivery::wire {

[[nodiscard]] constexpr std::size_t varint_size(std::uint64_t value) noexcept {
  std::size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

/// Sizes of whole fields, tag included; field numbers are below 16, so a tag is one byte. Absent (0, "") takes none.
[[nodiscard]] constexpr std::size_t varint_field_size(std::uint64_t value) noexcept {
  return value == 0 ? 0 : 1 + varint_size(value);
}
[[nodiscard]] constexpr std::size_t bytes_field_size(std::size_t size) noexcept {
  return size == 0 ? 0 : 1 + varint_size(size) + size;
}

/// Writes fields one behind the other. The caller has made sure that they fit.
class Writer {
 public:
  explicit Writer(char* at) noexcept : at_(at) {}

  void varint(std::uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<char>(value | 0x80);
    *at_++ = static_cast<char>(value);
  }
  /// The head of a length-delimited field; its bytes follow.
  void begin_bytes(int field, std::size_t size) noexcept {
    *at_++ = static_cast<char>(field << 3 | 2);
    varint(size);
  }
  void raw(std::string_view bytes) noexcept {
    if (bytes.empty()) return;  // an empty view may point nowhere, which memcpy must not be given
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void varint_field(int field, std::uint64_t value) noexcept {
    if (value == 0) return;
    *at_++ = static_cast<char>(field << 3);
    varint(value);
  }
  void bytes_field(int field, std::string_view bytes) noexcept {
    if (bytes.empty()) return;
    begin_bytes(field, bytes.size());
    raw(bytes);
  }
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
  [[nodiscard]] constexpr std::size_t size() const noexcept {
    return varint_field_size(static_cast<std::uint64_t>(seconds)) + varint_field_size(static_cast<std::uint64_t>(nanos));
  }
  /// Of the field that write() writes, which is there even at the epoch.
  [[nodiscard]] constexpr std::size_t field_size() const noexcept { return size() == 0 ? 2 : bytes_field_size(size()); }
  void write(Writer& out, int field) const noexcept {
    out.begin_bytes(field, size());
    out.varint_field(1, static_cast<std::uint64_t>(seconds));
    out.varint_field(2, static_cast<std::uint64_t>(nanos));
  }
};

/// Appends to a string, for the delivery thread.
inline void append_varint_field(std::string& out, int field, std::uint64_t value) {
  char bytes[16];  // 1 + 10, and room that keeps the compiler from seeing ghosts
  Writer writer(bytes);
  writer.varint_field(field, value);
  out.append(bytes, static_cast<std::size_t>(writer.at() - bytes));
}
inline void append_bytes_head(std::string& out, int field, std::size_t size) {
  char bytes[16];  // 1 + 10, and room that keeps the compiler from seeing ghosts
  Writer writer(bytes);
  writer.begin_bytes(field, size);
  out.append(bytes, static_cast<std::size_t>(writer.at() - bytes));
}

}  // namespace runfold::delivery::wire

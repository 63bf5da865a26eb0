// Protobuf's wire format, written by hand where the generated code would cost too much.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::collector {

/// Appends fields to a message. Written in ascending order of their numbers they are the bytes that generated code makes.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) noexcept : out_(out) {}

  /// A varint field, always written. Negative numbers go in as 64-bit two's complement.
  void number(std::uint32_t field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
  }
  /// A varint field that is left out when it is zero, as proto3 does without explicit presence.
  void non_zero(std::uint32_t field, std::uint64_t value) {
    if (value != 0) number(field, value);
  }
  void bytes(std::uint32_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    out_.append(value);
  }
  void non_empty(std::uint32_t field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  /// `write` appends the fields of a message within this one.
  template <class Write>
  void message(std::uint32_t field, Write&& write) {
    varint(field << 3 | 2);
    const std::size_t length_at = out_.size();
    out_.push_back('\0');
    write();
    const std::size_t length = out_.size() - length_at - 1;
    if (length < 0x80) {
      out_[length_at] = static_cast<char>(length);
    } else {
      close_long(length_at, length);
    }
  }
  /// A google.protobuf.Timestamp or Duration; only a Duration may be negative.
  void time(std::uint32_t field, std::int64_t nanoseconds) {
    message(field, [&] {
      non_zero(1, static_cast<std::uint64_t>(nanoseconds / 1'000'000'000));
      non_zero(2, static_cast<std::uint64_t>(nanoseconds % 1'000'000'000));
    });
  }

 private:
  void varint(std::uint64_t value) {
    if (value < 0x80) return out_.push_back(static_cast<char>(value));
    char bytes[10];
    std::size_t size = 0;
    while (value >= 0x80) {
      bytes[size++] = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    bytes[size++] = static_cast<char>(value);
    out_.append(bytes, size);
  }
  void close_long(std::size_t length_at, std::size_t length) {
    char bytes[10];
    std::size_t size = 0;
    while (length >= 0x80) {
      bytes[size++] = static_cast<char>(length | 0x80);
      length >>= 7;
    }
    bytes[size++] = static_cast<char>(length);
    out_[length_at] = bytes[0];
    out_.insert(length_at + 1, bytes + 1, size - 1);
  }

  std::string& out_;
};

}  // namespace runfold::collector

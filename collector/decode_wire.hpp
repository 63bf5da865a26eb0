// Protobuf's wire format, read field by field from bytes that may be anything.
#pragma once

#include "collector/decode.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace runfold::collector::wire {

/// What went wrong first while a value was read. Messages within messages share one.
struct Trouble {
  const char* base = nullptr;
  bool met = false;
  DecodeErrc code = DecodeErrc::kMalformed;
  const char* at = nullptr;

  explicit Trouble(std::string_view value) noexcept : base(value.data()) {}
  /// False, so that callers can return it.
  bool meet(DecodeErrc errc, const char* where) noexcept {
    if (!met) {
      met = true;
      code = errc;
      at = where;
    }
    return false;
  }
  [[nodiscard]] DecodeError error() const noexcept { return {code, static_cast<std::size_t>(at - base)}; }
};

constexpr std::uint32_t varint_tag(std::uint32_t number) noexcept {
  return number << 3;
}
constexpr std::uint32_t bytes_tag(std::uint32_t number) noexcept {
  return number << 3 | 2;
}

/// More fields than this in one message are refused; the records of a batch are counted apart.
inline constexpr std::uint32_t kMaxFields = 1000;
/// Bound on names: run, connector, source, step and operation.
inline constexpr std::size_t kMaxNameBytes = 200;
/// Bound on what runs and operations are listed by beside their names.
inline constexpr std::size_t kMaxLabelBytes = 1024;

/// True when the bytes are UTF-8 as protobuf demands it: no overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] bool valid_utf8(std::string_view text) noexcept;

/// The beginning of valid UTF-8, cut at a whole character.
[[nodiscard]] std::string_view bounded(std::string_view text, std::size_t most) noexcept;

/// Walks over the fields of one message: `while (fields.next()) switch (fields.tag()) {...}`, then ok() says how it ended.
///
/// A field whose wire type is not the expected one has a tag of its own and so is skipped, as generated code does.
/// Groups are refused.
class Fields {
 public:
  Fields(std::string_view message, Trouble& trouble) noexcept
      : at_(message.data()), end_(message.data() + message.size()), start_(at_), trouble_(trouble) {}

  /// False at the end of the message and on trouble.
  [[nodiscard]] bool next() noexcept {
    if (at_ == end_ || trouble_.met) return false;
    start_ = at_;
    if (left_ == 0) return trouble_.meet(DecodeErrc::kLimit, start_);
    --left_;
    if (!read_tag()) return false;
    switch (tag_ & 7) {
      case 0:
        return read_varint(number_);
      case 1:
        return skip(8);
      case 2: {
        std::uint64_t size = 0;
        if (!read_varint(size)) return false;
        if (size > static_cast<std::size_t>(end_ - at_)) return trouble_.meet(DecodeErrc::kTruncated, start_);
        bytes_ = {at_, static_cast<std::size_t>(size)};
        at_ += size;
        return true;
      }
      case 5:
        return skip(4);
      default:
        return trouble_.meet(DecodeErrc::kMalformed, start_);
    }
  }

  [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool ok() const noexcept { return !trouble_.met; }
  /// Gives the field's place back to the limit: for repeated fields that have a bound of their own.
  void uncounted() noexcept { ++left_; }

  bool refuse(DecodeErrc code) noexcept { return trouble_.meet(code, start_); }
  [[nodiscard]] Trouble& trouble() noexcept { return trouble_; }

  /// The field as text.
  void text(std::string_view& out) noexcept {
    if (!valid_utf8(bytes_)) refuse(DecodeErrc::kValue);
    out = bytes_;
  }
  /// The field as text of bounded length.
  void label(std::string_view& out) noexcept {
    if (bytes_.size() > kMaxLabelBytes) refuse(DecodeErrc::kLimit);
    text(out);
  }
  /// The field as text of which only a bounded beginning is kept: it is copied for each of a batch's records.
  void beginning(std::string_view& out) noexcept {
    text(out);
    if (ok()) out = bounded(out, kMaxLabelBytes);
  }
  /// The field as a name of bounded length.
  void name(std::string_view& out) noexcept {
    if (bytes_.size() > kMaxNameBytes) refuse(DecodeErrc::kIdentity);
    text(out);
  }

 private:
  bool read_tag() noexcept {
    std::uint64_t tag = static_cast<std::uint8_t>(*at_);
    if (tag < 0x80) {
      ++at_;
    } else if (!read_varint(tag)) {
      return false;
    }
    if (tag > std::numeric_limits<std::uint32_t>::max() || tag < 8 || at_ - start_ > 5)
      return trouble_.meet(DecodeErrc::kMalformed, start_);
    tag_ = static_cast<std::uint32_t>(tag);
    return true;
  }

  bool read_varint(std::uint64_t& out) noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == end_) return trouble_.meet(DecodeErrc::kTruncated, start_);
      const auto byte = static_cast<std::uint8_t>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift == 63 && byte > 1) break;
        out = value;
        return true;
      }
    }
    return trouble_.meet(DecodeErrc::kMalformed, start_);
  }

  bool skip(std::ptrdiff_t size) noexcept {
    if (end_ - at_ < size) return trouble_.meet(DecodeErrc::kTruncated, start_);
    at_ += size;
    return true;
  }

  const char* at_;
  const char* end_;
  const char* start_;
  Trouble& trouble_;
  std::uint32_t left_ = kMaxFields;
  std::uint32_t tag_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

/// A google.protobuf.Timestamp or Duration while it is read. Its parts may come in pieces, so it is judged at the end.
struct Time {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  const char* at = nullptr;  ///< Where it was met; null: not at all.

  void read(Fields& fields) noexcept;
  /// Nanoseconds since 1970. Refused: before 1970, and beyond what 64 bits of nanoseconds hold (2262-04-11).
  [[nodiscard]] std::optional<TimeNs> timestamp(Trouble& trouble) const noexcept;
  /// Refused: seconds and nanos of different sign, and more than 292 years either way.
  [[nodiscard]] std::optional<DurationNs> duration(Trouble& trouble) const noexcept;
};

/// The parts that records share. They add to what is there already, as protobuf merges a message that comes in pieces.
void read_identity(Fields& fields, IdentityView& out) noexcept;
void read_trace(Fields& fields, std::optional<TraceView>& out) noexcept;
/// What can only be judged once all of it is read.
void check_identity(const IdentityView& identity, std::string_view value, Trouble& trouble) noexcept;

/// Sequence numbers beyond this are refused, so that no sum of them overflows.
inline constexpr std::uint64_t kMaxSequence = std::uint64_t{1} << 62;

}  // namespace runfold::collector::wire

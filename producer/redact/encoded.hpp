// Reads a text through the encodings that it may be written in, byte by byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace runfold::redact {

enum class Encoding : std::uint8_t {
  kJson,     ///< a JSON string's escapes, \u and \/ among them
  kPercent,  ///< a URI's, in either case of the digits
};

/// Takes the encodings off from the outermost inwards: {kJson, kPercent} reads a URI that stands in a JSON string.
class EncodedReader {
 public:
  static constexpr int kEnd = -1;  ///< the text ends, perhaps within an escape
  static constexpr int kBad = -2;  ///< this is not written so
  static constexpr std::size_t kMaxLayers = 2;

  EncodedReader(std::string_view text, std::size_t at, std::span<const Encoding> layers) noexcept : text_(text), at_(at), layers_(layers) {}

  /// The next byte, or one of the above.
  [[nodiscard]] int next() noexcept { return read(layers_.size()); }
  /// Behind what was read.
  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  struct Pending {
    std::array<std::uint8_t, 4> bytes{};
    std::uint8_t size = 0;
    std::uint8_t taken = 0;
  };
  [[nodiscard]] int read(std::size_t layer) noexcept;
  [[nodiscard]] int read_json(std::size_t layer) noexcept;
  [[nodiscard]] int read_percent(std::size_t layer) noexcept;
  /// Of so many hexadecimal digits.
  [[nodiscard]] int read_hex(std::size_t layer, int digits) noexcept;

  std::string_view text_;
  std::size_t at_;
  std::span<const Encoding> layers_;
  /// The rest of a character that one \u gave.
  std::array<Pending, kMaxLayers> pending_{};
};

}  // namespace runfold::redact

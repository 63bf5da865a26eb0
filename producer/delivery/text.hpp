// Text that may come from anywhere, made fit for the wire: valid UTF-8, of a bounded size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace runfold::delivery {

/// True when the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

/// The text with each byte that is no part of well-formed UTF-8 replaced by U+FFFD.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view bytes);

/// The longest beginning of valid UTF-8 text that has at most `limit` bytes and ends between two characters.
[[nodiscard]] std::string_view cut(std::string_view text, std::size_t limit) noexcept;

/// Text as a JSON string, quotes included, of at most `limit` bytes: cut when longer. `limit` is at least 2.
[[nodiscard]] std::string json_string(std::string_view text, std::size_t limit);

}  // namespace runfold::delivery

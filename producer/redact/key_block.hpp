// Follows a private key through output that is recorded line by line.
#pragma once

#include <cstddef>
#include <string_view>

namespace runfold::redact {

/// A line by itself does not say that it is a part of a key: the lines before it do.
class KeyBlock {
 public:
  /// Whether all of this line belongs to a private key that an earlier line began. The first line, "-----BEGIN ...", does not
  /// count: a Redactor knows it. Ends behind "-----END", or at a line that cannot stand in a key.
  [[nodiscard]] bool covers(std::string_view line);

  /// The size of what the text begins with when it begins within a private key, its last line included; 0: it does not.
  [[nodiscard]] static std::size_t end_at_beginning(std::string_view text);

 private:
  bool inside_ = false;
};

}  // namespace runfold::redact

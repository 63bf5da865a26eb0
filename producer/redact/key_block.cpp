// Follows a private key through output that is recorded line by line.
#include "producer/redact/key_block.hpp"

#include <algorithm>

namespace runfold::redact {
namespace {

constexpr std::string_view kLineBlank = " \t\r";

std::string_view trimmed(std::string_view line) noexcept {
  const std::size_t begin = std::min(line.find_first_not_of(kLineBlank), line.size());
  line.remove_prefix(begin);
  return line.substr(0, line.find_last_not_of(kLineBlank) + 1);
}

/// Base64, or a header such as "Proc-Type: 4,ENCRYPTED", or nothing.
bool may_be_in_a_key(std::string_view line) noexcept {
  for (const std::string_view header : {"Proc-Type: ", "DEK-Info: ", "Comment: ", "Version: "}) {
    if (line.starts_with(header)) return true;
  }
  return std::all_of(line.begin(), line.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
  });
}

}  // namespace

std::size_t KeyBlock::end_at_beginning(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t newline = std::min(text.find('\n', at), text.size());
    const std::string_view line = trimmed(text.substr(at, newline - at));
    if (line.starts_with("-----END ")) return line.find("PRIVATE KEY") != std::string_view::npos ? newline : 0;
    if (!may_be_in_a_key(line)) return 0;
    at = newline + 1;
  }
  return 0;
}

bool KeyBlock::covers(std::string_view line) {
  const std::size_t begin = line.rfind("-----BEGIN ");
  const bool begins = begin != std::string_view::npos && line.find("PRIVATE KEY", begin) != std::string_view::npos &&
                      line.find("-----END ", begin) == std::string_view::npos;
  if (begins || !inside_) {
    inside_ = begins;
    return false;
  }
  const std::string_view text = trimmed(line);
  const bool ends = text.starts_with("-----END ");
  inside_ = !ends && may_be_in_a_key(text);
  return ends || inside_;
}

}  // namespace runfold::redact

// Says how much of output that is still coming may be recorded by itself.
#include "producer/redact/piece.hpp"

#include <algorithm>

namespace runfold::redact {
namespace {

constexpr std::size_t kMaxWord = 128;

bool is_letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Of a name, or of what stands around one: quotes, brackets, signs, also as JSON and URIs write them.
bool is_of_a_word(char c) noexcept {
  return is_letter_or_digit(c) || std::string_view("_-.\"'\\[]%:/=?&").find(c) != std::string_view::npos;
}
bool is_of_a_first_line(char c) noexcept {
  return is_letter_or_digit(c) || c == ' ' || c == '-';
}

std::size_t last_word(std::string_view text) noexcept {
  const std::size_t least = text.size() - std::min(text.size(), kMaxWord);
  std::size_t at = text.size();
  while (at > least && (text[at - 1] == ' ' || text[at - 1] == '\t')) --at;  // a sign may stand behind blanks
  const std::size_t behind = at;
  while (at > least && is_of_a_word(text[at - 1])) --at;
  return at < behind ? at : text.size();
}

/// Where a last line begins that may become "-----BEGIN RSA PRIVATE KEY-----".
std::size_t first_line_of_a_key(std::string_view text) noexcept {
  const std::size_t at = text.rfind("-----BEGIN");
  if (at == std::string_view::npos || text.size() - at > kMaxWord) return text.size();
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_of_a_first_line) ? at : text.size();
}

}  // namespace

std::size_t piece_until(const Redactor& redactor, std::string_view text) {
  const std::size_t cut = std::min(last_word(text), first_line_of_a_key(text));
  return std::min(redactor.whole_until(text), redactor.whole_until(text.substr(0, cut)));
}

}  // namespace runfold::redact

// Finds credentials that can be told by what they look like.
#include "producer/redact/patterns.hpp"

#include <algorithm>
#include <cctype>

namespace runfold::redact {
namespace {

constexpr std::size_t kMaxUserInfo = 1024;
constexpr std::size_t kMaxScheme = 32;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_base64url(char c) noexcept {
  return is_alphanumeric(c) || c == '-' || c == '_';
}
bool is_of_a_scheme(char c) noexcept {
  return is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
}
bool is_of_a_token(char c) noexcept {
  return is_base64url(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

bool ends_url(char c) noexcept {
  switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '"':
    case '\'':
    case '<':
    case '>':
    case '`':
    case '|':
      return true;
    default:
      return false;
  }
}

template <class Is>
std::size_t run_end(std::string_view text, std::size_t at, Is is) noexcept {
  while (at < text.size() && is(text[at])) ++at;
  return at;
}

}  // namespace

std::size_t find_jwt(std::string_view text, std::size_t at, Found& found) {
  constexpr std::size_t kLeastHeader = 10;
  if (!text.substr(at).starts_with("eyJ") || (at > 0 && is_base64url(text[at - 1]))) return at + 1;
  std::size_t end = run_end(text, at, is_base64url);
  if (end == text.size()) found.open(at);
  if (end - at < kLeastHeader) return at + 1;
  std::size_t parts = 1;
  while (end < text.size() && text[end] == '.') {
    const std::size_t part = end + 1;
    end = run_end(text, part, is_base64url);
    ++parts;
    if (parts == 2 && end == part && end < text.size()) return at + 1;
  }
  if (end == text.size()) found.open(at);
  if (parts < 3) return at + 1;
  found.spans.push_back({at, end});
  return end;
}

std::size_t find_aws_key(std::string_view text, std::size_t at, Found& found) {
  constexpr std::size_t kSize = 20;
  const std::string_view rest = text.substr(at);
  if ((!rest.starts_with("AKIA") && !rest.starts_with("ASIA")) || (at > 0 && is_alphanumeric(text[at - 1]))) return at + 1;
  const std::size_t end = run_end(text, at, [](char c) { return is_digit(c) || (c >= 'A' && c <= 'Z'); });
  if (end == text.size()) found.open(at);
  if (end - at != kSize || (end < text.size() && is_alphanumeric(text[end]))) return at + 1;
  found.spans.push_back({at, end});
  return end;
}

std::size_t find_bearer(std::string_view text, std::size_t at, Found& found) {
  constexpr std::string_view kWord = "bearer";
  constexpr std::size_t kShort = 8;
  constexpr std::size_t kLong = 20;
  if (at < 3 || at + 3 > text.size() || (at > 3 && is_alphanumeric(text[at - 4]))) return at + 1;
  const std::string_view word = text.substr(at - 3, kWord.size());
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (!std::equal(word.begin(), word.end(), kWord.begin(), kWord.end(), same)) return at + 1;
  std::size_t begin = at + 3;
  for (;;) {
    if (begin < text.size() && (text[begin] == ' ' || text[begin] == '+')) {
      ++begin;
    } else if (text.substr(begin, 3) == "%20") {
      begin += 3;
    } else {
      break;
    }
  }
  if (begin == at + 3 && begin < text.size()) return at + 1;
  const std::size_t end = run_end(text, begin, is_of_a_token);
  if (end == text.size()) found.open(at - 3);
  const bool has_digit =
      std::any_of(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end), is_digit);
  if (end - begin < (has_digit ? kShort : kLong)) return at + 1;
  found.spans.push_back({begin, end});
  return end;
}

std::size_t find_key_block(std::string_view text, std::size_t at, Found& found) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kDashes = "-----";
  if (!text.substr(at).starts_with(kBegin)) return at + 1;
  const std::size_t label = at + kBegin.size();
  const std::size_t label_end = run_end(text, label, [](char c) { return c == ' ' || is_alphanumeric(c); });
  if (text.substr(label_end, kDashes.size()) != kDashes) {
    if (kDashes.starts_with(text.substr(label_end, kDashes.size()))) found.open(at);
    return at + 1;
  }
  if (text.substr(label, label_end - label).find("PRIVATE KEY") == std::string_view::npos) return at + 1;
  std::size_t end = text.find("-----END ", label_end);
  if (end != std::string_view::npos) end = text.find(kDashes, end + kBegin.size() - 2);
  if (end == std::string_view::npos) found.open(at);
  end = end == std::string_view::npos ? text.size() : end + kDashes.size();
  found.spans.push_back({at, end});
  return end;
}

std::size_t find_user_info(std::string_view text, std::size_t at, Found& found) {
  if (at == 0 || !is_alphanumeric(text[at - 1])) return at + 1;
  std::size_t begin = at + 1;
  for (int slash = 0; slash < 2; ++slash) {  // as JSON may write it, too: \/
    if (begin < text.size() && text[begin] == '\\') ++begin;
    if (begin >= text.size() || text[begin] != '/') return at + 1;
    ++begin;
  }
  const std::string_view rest = text.substr(begin, kMaxUserInfo);
  const std::size_t authority = run_end(rest, 0, [](char c) { return !ends_url(c) && c != '/' && c != '?' && c != '#' && c != '\\'; });
  const bool last = begin + rest.size() == text.size();
  // Its rest is known for what it is by the scheme alone.
  std::size_t scheme = at;
  while (scheme > 0 && at - scheme < kMaxScheme && is_of_a_scheme(text[scheme - 1])) --scheme;
  if (last && authority == rest.size()) found.open(scheme);
  std::size_t host = rest.substr(0, authority).rfind('@');
  if (host == std::string_view::npos) {
    // A slash in the password ends the authority early: then what stands behind the ':' is no port.
    const std::size_t colon = rest.substr(0, authority).find(':');
    if (colon == std::string_view::npos || colon + 1 == authority || run_end(rest, colon + 1, is_digit) >= authority) return at + 1;
    const std::size_t end = run_end(rest, authority, [](char c) { return !ends_url(c); });
    if (last && end == rest.size()) found.open(scheme);
    host = rest.substr(0, end).rfind('@');
  }
  if (host == std::string_view::npos || host == 0 || rest.substr(0, host) == kRedacted) return at + 1;
  found.spans.push_back({begin, begin + host});
  return begin + host;
}

}  // namespace runfold::redact

// Finds the value that a text gives to a name: key=value, "key": "value", Header: value.
#include "producer/redact/assignment.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace runfold::redact {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxBlanksBefore = 8;
constexpr std::size_t kMaxInBrackets = 4 * 1024;
constexpr std::size_t kMaxBracketBytes = 64 * 1024;
constexpr std::string_view kBlank = " \t";
constexpr std::string_view kSpace = " \t\r\n\v\f";

bool is_one_of(char c, std::string_view set) noexcept {
  return set.find(c) != std::string_view::npos;
}
bool is_of_a_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

bool same_word(std::string_view a, std::string_view lower) noexcept {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return std::tolower(static_cast<unsigned char>(x)) == y; });
}
template <std::size_t kCount>
bool is_word_of(std::string_view word, const std::array<std::string_view, kCount>& words) noexcept {
  return std::any_of(words.begin(), words.end(), [&](std::string_view one) { return same_word(word, one); });
}
constexpr std::array<std::string_view, 4> kNoSecrets{"true", "false", "null", "none"};
constexpr std::array<std::string_view, 6> kSchemes{"basic", "bearer", "digest", "token", "apikey", "negotiate"};

/// The name in front of an assignment.
struct Name {
  std::string_view text;
  std::size_t begin = 0;
  bool quoted = false;
  /// Backslashes in front of its closing quote.
  std::size_t escapes = 0;
};

/// Where the name in front of an assignment ends: before blanks, quotes and brackets.
std::size_t name_end(std::string_view text, std::size_t at, Name& out) noexcept {
  std::size_t end = at;
  while (end > 0 && at - end < kMaxBlanksBefore && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
  // "name", 'name', \"name\", [name], ["name"]
  if (end > 0 && text[end - 1] == ']') --end;
  if (end > 0 && (text[end - 1] == '"' || text[end - 1] == '\'')) {
    out.quoted = true;
    --end;
    while (end > 0 && text[end - 1] == '\\' && out.escapes < kMaxBlanksBefore) {
      --end;
      ++out.escapes;
    }
  }
  // user%5Bname%5D
  if (end >= 3 && text[end - 3] == '%' && text[end - 2] == '5' && (text[end - 1] == 'D' || text[end - 1] == 'd')) end -= 3;
  return end;
}

/// Behind what stands between quotes; `begin` is behind the opening one, which has so many backslashes in front.
std::size_t quoted_end(std::string_view text, std::size_t begin, char quote, std::size_t escapes) noexcept {
  std::size_t backslashes = 0;
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (text[i] == quote) {
      const bool closes = escapes == 0 ? backslashes % 2 == 0 : backslashes <= escapes;
      if (closes) return i - std::min(backslashes, escapes);
    }
    backslashes = text[i] == '\\' ? backslashes + 1 : 0;
  }
  return text.size();
}

/// Behind a JSON array or object.
std::size_t container_end(std::string_view text, std::size_t begin, std::size_t escapes) noexcept {
  std::size_t depth = 0;
  std::size_t backslashes = 0;
  bool in_string = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && (escapes == 0 ? backslashes % 2 == 0 : backslashes <= escapes)) in_string = !in_string;
    backslashes = c == '\\' ? backslashes + 1 : 0;
    if (in_string) continue;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return i + 1;
  }
  return text.size();
}

/// Whether the quote at `at` ends something, instead of standing in a value.
bool is_closing(std::string_view text, std::size_t at) noexcept {
  return at + 1 >= text.size() || is_one_of(text[at + 1], " \t\r\n,:;)]}>&\\");
}

/// Where a value ends, and whether it may go on where the text ends.
struct Value {
  std::size_t end = 0;
  bool open = false;
};

/// Behind a value without quotes.
Value word(std::string_view text, std::size_t begin, bool in_json) noexcept {
  std::size_t i = begin;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (is_one_of(c, " \t\r\n\v\f&;<")) break;
    if (in_json && is_one_of(c, ",}]")) break;
    if (is_one_of(c, "\"'`") && is_closing(text, i)) break;
    if (c != '\\') continue;
    if (i + 1 < text.size() && is_one_of(text[i + 1], "\"'")) break;
    ++i;
  }
  i = std::min(i, text.size());
  const bool open = i == text.size() || (i + 1 == text.size() && is_one_of(text[i], "\"'`"));
  while (i > begin && is_one_of(text[i - 1], ",)]}")) --i;  // "f(token=abc), then ..."
  return {i, open};
}

/// Behind the bracket on the same line that closes the one at `begin`; its own place: there is none. In a text of brackets that
/// nothing closes, each would be looked for through the rest: after so many the rest of the line is the value.
Value in_brackets(std::string_view text, std::size_t begin, Found& found) noexcept {
  if (found.bracket_bytes > kMaxBracketBytes) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    return {end, end == text.size()};
  }
  std::size_t depth = 0;
  char quote = '\0';
  std::size_t i = begin;
  for (; i < text.size() && text[i] != '\n' && i - begin < kMaxInBrackets; ++i) {
    const char c = text[i];
    if (quote != '\0') {
      if (c == '\\') ++i;
      if (c == quote) quote = '\0';
    } else if (is_one_of(c, "\"'") && is_one_of(text[i - 1], "[{(,:= ")) {  // and not an apostrophe
      quote = c;
    } else if (is_one_of(c, "[{(")) {
      ++depth;
    } else if (is_one_of(c, "]})") && --depth == 0) {
      return {i + 1, false};
    }
  }
  found.bracket_bytes += i - begin;
  return {begin, i >= text.size()};
}

/// Behind the rest of a line; `opened` by a quote ends with it.
std::size_t line_end(std::string_view text, std::size_t begin, char opened) noexcept {
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r' || (opened != '\0' && c == opened)) return i;
    if (c == '\\' && i + 1 < text.size() && is_one_of(text[i + 1], "nr")) return i;
  }
  return text.size();
}

}  // namespace

std::size_t find_assignment(std::string_view text, std::size_t at, const Names& names, Found& found) {
  const char sign = text[at];
  const std::size_t look_on = at + 1;
  if (sign == ':' && look_on < text.size() && text[look_on] == ':') return look_on + 1;  // a::b
  Name name;
  const std::size_t name_ends = name_end(text, at, name);
  if (!names.may_end(text.substr(0, name_ends))) return look_on;
  name.begin = name_ends;
  while (name.begin > 0 && name_ends - name.begin < kMaxName && is_of_a_name(text[name.begin - 1])) --name.begin;
  name.text = text.substr(name.begin, name_ends - name.begin);
  const char before = name.begin > 0 ? text[name.begin - 1] : '\0';
  const bool in_query = sign == '=' && is_one_of(before, "?&");
  const auto kind = names.kind_of(name.text, in_query);
  if (kind == Names::Kind::kNone) return look_on;
  // What stands in front of it says what it is, or where its line ends.
  const std::size_t introduced_at = in_query || (before != '\0' && is_one_of(before, "\"'")) ? name.begin - 1 : name.begin;

  std::size_t begin = at + 1;
  if (begin < text.size() && (sign == '=' ? is_one_of(text[begin], "=>") : text[begin] == '=')) ++begin;
  begin = std::min(text.find_first_not_of(name.quoted ? kSpace : kBlank, begin), text.size());
  if (begin == text.size()) {
    found.open(introduced_at);
    return look_on;
  }
  const auto take = [&](std::size_t from, std::size_t end) {
    if (end == text.size()) found.open(introduced_at);
    const std::string_view value = text.substr(from, end - from);
    const bool done_before = text.substr(from).starts_with(kRedacted) && value.size() <= kRedacted.size();
    if (value.empty() || done_before || is_word_of(value, kNoSecrets)) return look_on;
    found.spans.push_back({from, end});
    return end;
  };

  // b'...' and u"..." of Python
  std::size_t opening = begin;
  if (is_one_of(text[opening], "bBuUrR") && opening + 1 < text.size() && is_one_of(text[opening + 1], "\"'")) ++opening;
  std::size_t escapes = 0;
  while (opening < text.size() && text[opening] == '\\' && escapes < kMaxBlanksBefore) {
    ++opening;
    ++escapes;
  }
  if (opening < text.size() && is_one_of(text[opening], "\"'`")) {
    const std::size_t inside = opening + 1;
    return std::max(take(inside, quoted_end(text, inside, text[opening], escapes)), look_on);
  }
  if (name.quoted && (text[begin] == '{' || text[begin] == '[') && !text.substr(begin).starts_with(kRedacted)) {
    return take(begin, container_end(text, begin, name.escapes));
  }
  if (kind == Names::Kind::kLine && sign == ':' && !name.quoted) {
    return take(begin, line_end(text, begin, is_one_of(before, "\"'") ? before : '\0'));
  }
  Value value = word(text, begin, name.quoted);
  bool open = value.open;
  if (is_one_of(text[begin], "[{(")) {
    // auth=('user', 'pass'); a value that only begins so is a word.
    const Value within = in_brackets(text, begin, found);
    open = open || within.open;
    if (within.end > begin) value = word(text, within.end, name.quoted);
  } else if (is_word_of(text.substr(begin, value.end - begin), kSchemes)) {
    const std::size_t credentials = text.find_first_not_of(kBlank, value.end);
    open = open || credentials == std::string_view::npos;
    if (credentials != std::string_view::npos && credentials > value.end) value = word(text, credentials, name.quoted);
  }
  if (open || value.open) found.open(introduced_at);
  return take(begin, value.end);
}

}  // namespace runfold::redact

// Takes out of a failing call what differs each time, and hashes what is left.
#include "collector/fold_fingerprint.hpp"

#include <boost/uuid/name_generator_sha1.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace runfold::collector {
namespace {

constexpr std::size_t kMaxMethodBytes = 32;
/// Of a URI or a body, that are looked at.
constexpr std::size_t kMaxReadBytes = 16 * 1024;
constexpr std::size_t kMaxQuotedBytes = 128;

// Plain ASCII: what <cctype> says depends on the locale.
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_word(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c) || c == '-' || c == '_';
}
constexpr bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_word_of_letters(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_lower(c) || is_upper(c); });
}

bool is_address(std::string_view text) {
  return text.find('@') != std::string_view::npos || text.find("%40") != std::string_view::npos;
}

/// A word, or a segment of a path, in which an escape stands for no digit.
bool looks_like_id(std::string_view text) {
  constexpr std::size_t kHexDigits = 8, kDigits = 4, kLongWord = 20;
  if (text.empty()) return false;
  if (is_address(text)) return true;
  std::size_t digits = 0;
  bool lower = false, upper = false, only_hex = true, only_digits = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    only_hex = only_hex && is_hex(text[i]);
    only_digits = only_digits && is_digit(text[i]);
    if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      i += 2;
      continue;
    }
    digits += is_digit(text[i]) ? 1U : 0U;
    lower = lower || is_lower(text[i]);
    upper = upper || is_upper(text[i]);
  }
  if (only_digits || (only_hex && text.size() >= kHexDigits) || digits >= kDigits) return true;
  return is_uuid(text) || (text.size() >= kLongWord && digits > 0 && lower && upper);
}

/// At most so many bytes of the text's beginning, and no part of a character.
std::string_view beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

/// "17" and "17.pdf", "Orders(17)" as OData writes it.
std::string segment_template(std::string_view segment) {
  constexpr std::size_t kExtension = 5;
  const std::size_t open = segment.find('(');
  if (open != std::string_view::npos && segment.ends_with(')') &&
      std::any_of(segment.begin() + static_cast<std::ptrdiff_t>(open), segment.end(), is_digit))
    return std::string(segment.substr(0, open)) + "({id})";
  const std::string_view stem = segment.substr(0, segment.rfind('.'));
  const std::string_view extension = segment.substr(stem.size());
  const bool is_file = extension.size() <= kExtension && is_word_of_letters(extension.substr(std::min<std::size_t>(1, extension.size())));
  if (is_file && looks_like_id(stem) && !is_address(stem)) return "{id}" + std::string(extension);
  return looks_like_id(segment) ? "{id}" : std::string(segment);
}

std::string query_template(std::string_view query) {
  std::vector<std::string> keys;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    keys.push_back(looks_like_id(key) ? "{id}" : std::string(key));
    if (equals != std::string_view::npos) keys.back() += "={}";
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::string text;
  for (const std::string& key : keys) text.append(text.empty() ? "?" : "&").append(key);
  return text;
}

/// Reads a body from left to right and writes its shape.
class Shape {
 public:
  explicit Shape(std::string_view body) : left_(beginning(body, kMaxReadBytes)) {}

  std::string write() {
    char before = ' ';
    while (!left_.empty() && out_.size() <= kMaxShapeBytes) {
      const char c = left_.front();
      if (is_space(c)) {
        left_.remove_prefix(1);
        space_ = !out_.empty();
      } else if (c == '\\') {
        take(2);
      } else if (c == '"' || c == '\'' || c == '`') {
        quote(c, is_word(before));
      } else if (is_word(c)) {
        word();
      } else {
        take(1);
      }
      before = c;
    }
    return std::string(beginning(out_, kMaxShapeBytes));
  }

 private:
  void put(std::string_view text) {
    if (std::exchange(space_, false)) out_ += ' ';
    out_ += text;
  }
  void take(std::size_t bytes) {
    put(left_.substr(0, bytes));
    left_.remove_prefix(std::min(bytes, left_.size()));
  }

  void quote(char c, bool behind_word) {
    if (c == open_) {
      open_ = '\0';
    } else if (!behind_word) {
      if (quoted_id(c)) return;
      if (open_ == '\0') open_ = c;
    }
    take(1);
  }

  /// What is quoted is an identifier, of whatever characters, when it is one word with a digit in it.
  bool quoted_id(char c) {
    const std::string_view rest = left_.substr(1, kMaxQuotedBytes);
    const std::string_view quoted = rest.substr(0, rest.find(c));
    if (quoted.size() == rest.size()) return false;
    if (std::any_of(quoted.begin(), quoted.end(), [](char each) { return is_space(each) || each == '\\'; })) return false;
    if (!looks_like_id(quoted) && std::none_of(quoted.begin(), quoted.end(), is_digit)) return false;
    put(left_.substr(0, 1));
    out_.append(kVaries).push_back(c);
    left_.remove_prefix(quoted.size() + 2);
    return true;
  }

  void word() {
    const auto end = std::find_if_not(left_.begin(), left_.end(), is_word);
    std::string_view word = left_.substr(0, static_cast<std::size_t>(end - left_.begin()));
    left_.remove_prefix(word.size());
    if (looks_like_id(word)) return varies();
    while (!word.empty()) {
      const auto digits = std::find_if(word.begin(), word.end(), is_digit);
      const auto behind = std::find_if_not(digits, word.end(), is_digit);
      if (digits != word.begin()) put(word.substr(0, static_cast<std::size_t>(digits - word.begin())));
      if (digits != behind) varies();
      word.remove_prefix(static_cast<std::size_t>(behind - word.begin()));
    }
  }

  /// "1.5", "10.0.0.7" and "1, 2, 3" are one each.
  void varies() {
    if (out_.ends_with("{n},") || (!space_ && out_.ends_with("{n}."))) {
      out_.pop_back();
      space_ = false;
    } else {
      put(kVaries);
    }
  }

  static constexpr std::string_view kVaries = "{n}";
  std::string_view left_;
  std::string out_;
  /// White space was read, and is written before what comes.
  bool space_ = false;
  /// The quotation mark that is open; '\0': none.
  char open_ = '\0';
};

/// Names what a fingerprint is made of apart from all other uses of name-based UUIDs.
constexpr boost::uuids::uuid kFingerprintNamespace = {
    {0x0f, 0x52, 0x8b, 0x1e, 0x9c, 0x3d, 0x4f, 0x61, 0xb7, 0x45, 0x60, 0x1a, 0xe2, 0x0d, 0x93, 0x7c}};

/// The bytes of a name-based UUID that say nothing of its kind.
constexpr std::size_t kHashBytes[] = {0, 1, 2, 3, 4, 5, 10, 11};

std::string fingerprint(const ApiFailureKind& kind, const std::optional<std::uint32_t>& code) {
  std::string name;
  const auto part = [&name](std::string_view text) { name.append(std::to_string(text.size())).append(":").append(text); };
  part(kind.method);
  part(kind.uri_template);
  part(code ? std::to_string(*code) : "");
  part(kind.body);
  const boost::uuids::uuid hash = boost::uuids::name_generator_sha1(kFingerprintNamespace)(name);
  std::string text = "v1:";
  for (const std::size_t at : kHashBytes) {
    constexpr std::string_view kHex = "0123456789abcdef";
    text += kHex[hash.data[at] >> 4];
    text += kHex[hash.data[at] & 15U];
  }
  return text;
}

}  // namespace

std::string uri_template(std::string_view request_uri) {
  std::string_view left = beginning(request_uri, kMaxReadBytes);
  left = left.substr(0, left.find('#'));
  std::string_view query;
  if (const std::size_t at = left.find('?'); at != std::string_view::npos) {
    query = left.substr(at + 1);
    left = left.substr(0, at);
  }
  std::string text;
  if (const std::size_t scheme = left.find("://"); scheme != std::string_view::npos && scheme < left.find('/')) {
    text.append(left.substr(0, scheme + 3));
    left.remove_prefix(scheme + 3);
    const std::string_view authority = left.substr(0, left.find('/'));
    left.remove_prefix(authority.size());
    text.append(authority.substr(authority.rfind('@') + 1));
  }
  while (!left.empty() && text.size() <= kMaxShapeBytes) {
    const std::string_view segment = left.substr(0, left.find('/'));
    text.append(segment_template(segment));
    left.remove_prefix(segment.size());
    if (left.empty()) break;
    text += '/';
    left.remove_prefix(1);
  }
  text += query_template(query);
  return std::string(beginning(text, kMaxShapeBytes));
}

std::string body_shape(std::string_view body) {
  return Shape(body).write();
}

ApiFailureKind api_failure_kind(std::string_view method, std::string_view request_uri, const std::optional<std::uint32_t>& code,
                                std::string_view body) {
  ApiFailureKind kind;
  kind.method = beginning(method, kMaxMethodBytes);
  for (char& c : kind.method) c = is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
  kind.uri_template = uri_template(request_uri);
  kind.body = body_shape(body);
  kind.fingerprint = fingerprint(kind, code);
  return kind;
}

}  // namespace runfold::collector

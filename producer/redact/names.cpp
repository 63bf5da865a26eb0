// Which names say that their value is a secret.
#include "producer/redact/names.hpp"

#include <utility>

namespace runfold::redact {
namespace {

constexpr std::string_view kValues[] = {
    "token",  "password",   "passwords",   "passwd",     "passphrase", "passcode",   "pwd",           "secret",          "secrets",
    "apikey", "accesskey",  "secretkey",   "privatekey", "signingkey", "accountkey", "encryptionkey", "sharedkey",       "authkey",
    "auth",   "credential", "credentials", "jwt",        "sessionid",  "sessid",     "clientsecret",  "connectionstring"};
constexpr std::string_view kLines[] = {"authorization", "cookie", "cookies"};
/// Too common in other texts.
constexpr std::string_view kQuery[] = {"key", "sig", "signature", "code", "pass", "sid", "session", "xamzsignature", "xgoogsignature"};

constexpr std::int8_t kOther = -1;
constexpr std::int8_t kSeparator = -2;

/// 0 to 35 for a letter or digit.
constexpr auto kIndex = [] {
  std::array<std::int8_t, 256> out{};
  out.fill(kOther);
  for (int i = 0; i < 26; ++i)
    out[static_cast<std::size_t>('a' + i)] = out[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 10; ++i) out[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(26 + i);
  for (const char c : {'-', '_', '.'}) out[static_cast<std::size_t>(c)] = kSeparator;
  return out;
}();
constexpr int index_of(char c) noexcept {
  return kIndex[static_cast<unsigned char>(c)];
}

std::string_view without_digits_behind(std::string_view text) noexcept {
  while (!text.empty() && index_of(text.back()) >= 26) text.remove_suffix(1);
  return text;
}

std::string normal(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const int index = index_of(c);
    if (index >= 0) out.push_back(index < 26 ? static_cast<char>('a' + index) : static_cast<char>('0' + index - 26));
  }
  return out;
}

}  // namespace

Names::Names(const std::vector<std::string>& more, const std::vector<std::string>& kept) : nodes_(1) {
  for (const auto name : kValues) add(name, Kind::kValue, false);
  for (const auto name : kLines) add(name, Kind::kLine, false);
  for (const auto name : kQuery) add(name, Kind::kValue, true);
  for (const auto& name : more) add(name, Kind::kValue, false);
  for (const auto& name : kept) kept_.insert(normal(name));
}

void Names::add(std::string_view name, Kind kind, bool query_only) {
  const std::string letters = normal(name);
  if (letters.empty()) return;
  some_end_in_digits_ = some_end_in_digits_ || index_of(letters.back()) >= 26;
  std::size_t at = 0;
  for (std::size_t i = letters.size(); i-- > 0;) {
    const auto index = static_cast<std::size_t>(index_of(letters[i]));
    if (nodes_[at].next[index] == 0) {
      nodes_[at].next[index] = static_cast<std::uint16_t>(nodes_.size());
      nodes_.emplace_back();
    }
    at = nodes_[at].next[index];
  }
  // A name that was known for queries only may be given for everywhere.
  if (nodes_[at].kind != Kind::kNone && query_only) return;
  if (nodes_[at].kind != Kind::kLine) nodes_[at].kind = kind;
  nodes_[at].query_only = query_only;
}

Names::Kind Names::end_of(std::string_view name, bool in_query) const noexcept {
  std::size_t at = 0;
  for (std::size_t i = name.size(); i-- > 0;) {
    const int index = index_of(name[i]);
    if (index < 0) continue;
    at = nodes_[at].next[static_cast<std::size_t>(index)];
    if (at == 0) return Kind::kNone;
    const Node& node = nodes_[at];
    if (node.kind == Kind::kNone) continue;
    if (!node.query_only) return node.kind;
    if (in_query && i == 0) return node.kind;
  }
  return Kind::kNone;
}

bool Names::ends_in_name(std::string_view text) const noexcept {
  std::size_t at = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    const int index = index_of(text[i]);
    if (index == kSeparator) continue;
    if (index == kOther) return false;
    at = nodes_[at].next[static_cast<std::size_t>(index)];
    if (at == 0) return false;
    if (nodes_[at].kind != Kind::kNone) return true;
  }
  return false;
}

bool Names::may_end(std::string_view text) const noexcept {
  if (text.empty()) return false;
  if (index_of(text.back()) < 26) return ends_in_name(text);
  return (some_end_in_digits_ && ends_in_name(text)) || ends_in_name(without_digits_behind(text));
}

Names::Kind Names::kind_of(std::string_view name, bool in_query) const {
  Kind kind = end_of(name, in_query);
  if (kind == Kind::kNone) kind = end_of(without_digits_behind(name), in_query);
  if (kind != Kind::kNone && !kept_.empty() && kept_.contains(normal(name))) return Kind::kNone;
  return kind;
}

}  // namespace runfold::redact

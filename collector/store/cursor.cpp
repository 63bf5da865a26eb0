// Cursors: version, check, key; base64url. The check is a hash over scope and key, so neither can be exchanged unseen.
#include "collector/store/cursor.hpp"

#include <array>
#include <cstddef>

namespace runfold::collector {
namespace {

constexpr char kVersion = 1;
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// version, check, at_ns, attempt
constexpr std::size_t kFixedBytes = 1 + 8 + 8 + 4;
/// A run_id is 200 bytes at most; leave room for ids of other lists.
constexpr std::size_t kMaxCursorBytes = 2048;

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = 14695981039346656037ULL) {
  for (const char byte : bytes) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 1099511628211ULL;
  }
  return hash;
}

template <class T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff));
}

template <class T>
T take(std::string_view& in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<std::uint64_t>(static_cast<unsigned char>(in[i])) << (8 * i);
  in.remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

std::string encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char byte : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (held += 8; held >= 6; held -= 6) out.push_back(kAlphabet[(bits >> (held - 6)) & 63]);
  }
  if (held > 0) out.push_back(kAlphabet[(bits << (6 - held)) & 63]);
  return out;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char letter : text) {
    const auto value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>((bits >> held) & 0xff));
    }
  }
  // One cursor has one spelling: no bits may be left over but zeros, and never a whole letter of them.
  if (held >= 6 || (bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return out;
}

std::string key_bytes(const CursorKey& key) {
  std::string bytes;
  put(bytes, key.at_ns);
  put(bytes, key.attempt);
  bytes += key.id;
  return bytes;
}

std::uint64_t check(const CursorScope& scope, std::string_view key) {
  return fnv1a(key, fnv1a(scope.text()));
}

}  // namespace

void CursorScope::add(std::string_view text) {
  // Length first, so that no two sequences of filters read alike.
  text_ += std::to_string(text.size());
  text_ += ':';
  text_ += text;
}

std::string make_cursor(const CursorScope& scope, const CursorKey& key) {
  const auto body = key_bytes(key);
  std::string bytes(1, kVersion);
  put(bytes, check(scope, body));
  return encode(bytes + body);
}

StoreResult<CursorKey> read_cursor(const CursorScope& scope, std::string_view cursor) {
  const StoreError wrong{StoreErrc::kInvalid,
                         "the cursor is not one that this list gave for these filters; take next_cursor as it is, with the same filters, "
                         "or leave it out to start again"};
  if (cursor.size() > kMaxCursorBytes) return wrong;
  const auto bytes = decode(cursor);
  if (!bytes || bytes->size() < kFixedBytes) return wrong;
  std::string_view rest = *bytes;
  if (take<char>(rest) != kVersion) return wrong;
  if (take<std::uint64_t>(rest) != check(scope, rest)) return wrong;
  CursorKey key;
  key.at_ns = take<TimeNs>(rest);
  key.attempt = take<std::uint32_t>(rest);
  key.id = rest;
  return key;
}

}  // namespace runfold::collector

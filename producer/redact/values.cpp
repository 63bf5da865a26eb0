// The registered secrets, and where they stand in a text.
#include "producer/redact/values.hpp"

#include "producer/redact/encoded.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cctype>
#include <optional>
#include <span>

namespace runfold::redact {
namespace {

using enum Encoding;
constexpr std::array<Encoding, 2> kJsonTwice{kJson, kJson};
constexpr std::array<Encoding, 2> kPercentTwice{kPercent, kPercent};
constexpr std::array<Encoding, 2> kUriInJson{kJson, kPercent};
/// As it stands first, then what may be written in a text with escapes.
constexpr std::array<std::span<const Encoding>, 6> kWritten{
    std::span<const Encoding>{}, std::span(kJsonTwice).first(1), std::span(kPercentTwice).first(1), kJsonTwice, kPercentTwice, kUriInJson};

constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

std::string_view without_space_around(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

bool says_something(std::string_view line) noexcept {
  return std::any_of(line.begin(), line.end(), [](char c) { return (c & 0x80) != 0 || std::isalnum(static_cast<unsigned char>(c)) != 0; });
}

bool is_utf8(std::string_view text) {
  boost::json::error_code error;  // its parser refuses what is not
  boost::json::parse(boost::json::serialize(boost::json::value(boost::json::string(text))), error);
  return !error;
}

std::optional<Error> what_is_wrong(std::string_view secret) {
  if (secret.empty()) return Error{Errc::kEmpty, "is empty; there is nothing to replace"};
  if (secret.size() < Values::kMinBytes) {
    return Error{Errc::kTooShort, "is " + std::to_string(secret.size()) + " bytes long and would be found everywhere; it needs at least " +
                                      std::to_string(Values::kMinBytes)};
  }
  if (secret.size() > Values::kMaxBytes) {
    return Error{Errc::kTooLong, "is " + std::to_string(secret.size()) + " bytes long; at most " + std::to_string(Values::kMaxBytes) +
                                     " are looked for, so name the part that is secret"};
  }
  if (!is_utf8(secret)) return Error{Errc::kNotText, "is not UTF-8; give it in the form in which it is written, for example base64"};
  if (kRedacted.find(secret) != std::string_view::npos) {
    return Error{Errc::kInTheReplacement,
                 std::string("is a part of \"").append(kRedacted).append("\", which replaces secrets; choose another one")};
  }
  return std::nullopt;
}

/// What the text has for the secret's byte. A form writes a space as '+'.
bool same(int got, char wanted, std::span<const Encoding> layers) noexcept {
  if (got == static_cast<unsigned char>(wanted)) return true;
  return wanted == ' ' && got == '+' && !layers.empty() && layers.back() == kPercent;
}

}  // namespace

Result<> Values::add(std::string_view secret) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string_view> lines;
  std::string_view rest = without_space_around(secret);
  const bool several = rest.find('\n') != std::string_view::npos;
  for (std::size_t number = 1;; ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = without_space_around(rest.substr(0, end));
    if (!several || says_something(line)) {
      if (auto wrong = what_is_wrong(line)) {
        if (several) wrong->message = "has a line (" + std::to_string(number) + ") that " + wrong->message;
        return *std::move(wrong);
      }
      lines.push_back(line);
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (nodes_.size() + lines.size() > kMaxSecrets) {
    return Error{Errc::kTooMany, "is one too many; at most " + std::to_string(kMaxSecrets) + " are looked for"};
  }
  for (const auto line : lines) insert(line);
  return {};
}

void Values::allow_pair(unsigned char first, unsigned char second) noexcept {
  const std::size_t pair = static_cast<std::size_t>(first) << 8 | second;
  pairs_[pair / 64].fetch_or(std::uint64_t{1} << (pair % 64), std::memory_order_relaxed);
}

void Values::add_to_few(Pair pair) noexcept {
  const std::size_t count = few_count_.load(std::memory_order_relaxed);
  if (count > kFewPairs) return;
  const auto end = few_.begin() + static_cast<std::ptrdiff_t>(count);
  if (std::any_of(few_.begin(), end, [&](Pair known) { return known.first == pair.first && known.second == pair.second; })) return;
  if (count < kFewPairs) few_[count] = pair;
  few_count_.store(count + 1, std::memory_order_release);
}

void Values::insert(std::string_view secret) {
  const auto first = static_cast<unsigned char>(secret[0]);
  auto& head = heads_[first];
  for (const Node* node = head.load(std::memory_order_relaxed); node != nullptr; node = node->next) {
    if (node->secret == secret) return;
  }
  for (const char second : {secret[1], '%', '\\', secret[1] == ' ' ? '+' : secret[1]})
    allow_pair(first, static_cast<unsigned char>(second));
  add_to_few({secret[0], secret[1]});
  if (secret[1] == ' ') add_to_few({secret[0], '+'});
  nodes_.push_back(std::make_unique<const Node>(Node{std::string(secret), head.load(std::memory_order_relaxed)}));
  head.store(nodes_.back().get(), std::memory_order_release);
  count_.store(nodes_.size(), std::memory_order_release);
}

void Values::find(std::string_view text, Found& found) const {
  if (empty()) return;
  const auto has = [&](char c) { return text.find(c) != std::string_view::npos; };
  const bool escapes = has('%') || has('\\') || has('+');
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto first = static_cast<unsigned char>(text[at]);
    const bool escape = first == '%' || first == '\\';
    const bool last = at + 1 == text.size();
    if (!escape && !last && !may_begin(first, static_cast<unsigned char>(text[at + 1]))) continue;
    find_at(text, at, escapes, found);
  }
}

std::size_t Values::end_at_beginning(std::string_view text) const {
  std::size_t longest = 0;
  for (const auto& head : heads_) {
    for (const Node* node = head.load(std::memory_order_acquire); node != nullptr; node = node->next) {
      const std::string_view secret = node->secret;
      for (std::size_t from = 1; from < secret.size(); ++from) {
        for (const auto layers : kWritten) {
          EncodedReader reader(text, 0, layers);
          std::size_t i = from;
          while (i < secret.size() && same(reader.next(), secret[i], layers)) ++i;
          if (i == secret.size()) longest = std::max(longest, reader.at());
        }
      }
    }
  }
  return longest;
}

void Values::find_at(std::string_view text, std::size_t at, bool escapes, Found& found) const {
  std::size_t longest = at;
  for (const auto layers : kWritten) {
    if (!layers.empty() && !escapes) break;
    EncodedReader begun(text, at, layers);
    const int first = begun.next();
    if (first == EncodedReader::kEnd) found.open(at);
    if (first < 0) continue;
    for (const Node* node = heads_[static_cast<std::size_t>(first)].load(std::memory_order_acquire); node != nullptr; node = node->next) {
      EncodedReader reader = begun;
      const std::string_view secret = node->secret;
      std::size_t i = 1;
      int got = 0;
      while (i < secret.size() && same(got = reader.next(), secret[i], layers)) ++i;
      if (i == secret.size()) {
        longest = std::max(longest, reader.at());
      } else if (got == EncodedReader::kEnd) {
        found.open(at);
      }
    }
  }
  if (longest > at) found.spans.push_back({at, longest});
}

}  // namespace runfold::redact

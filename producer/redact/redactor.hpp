// Redactor: replaces secrets in what is recorded.
#pragma once

#include "producer/redact/error.hpp"
#include "producer/redact/finder.hpp"
#include "producer/redact/found.hpp"
#include "producer/redact/names.hpp"
#include "producer/redact/values.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::redact {

struct Rules {
  /// Names whose values are secrets, besides those known anyway: "pin" is also the end of "card_pin" and "cardPin".
  std::vector<std::string> keys = {};
  /// Names whose values are not, though they look as if they were: "csrf_token". The whole name counts.
  std::vector<std::string> kept_keys = {};
};

/// Replaces by "[redacted]", wherever a text holds them,
/// - registered secrets (Values),
/// - values of names that say so (Names, find_assignment()),
/// - what looks like a credential: JSON Web Tokens, bearer tokens, AWS access key ids, user info of URLs, private key blocks.
///
/// Thread: any. No lock is taken to look for something, and nothing is allocated where nothing is found.
class Redactor {
 public:
  explicit Redactor(const Rules& rules = {});

  /// Registers a secret, for what is recorded from now on. Blanks around it do not count. One of several lines is registered
  /// line by line, for output is recorded so; lines without a letter or digit do not count.
  /// Errors: kEmpty, kTooShort, kTooLong, kNotText, kInTheReplacement, kTooMany; then nothing of it is registered.
  /// The message begins with a verb: "is empty; ...".
  [[nodiscard]] Result<> add(std::string_view secret) { return values_.add(secret); }

  /// The text without its secrets. Absent: it has none.
  [[nodiscard]] std::optional<std::string> replaced(std::string_view text) const;
  /// The same for one JSON value in text form, which stays one.
  [[nodiscard]] std::optional<std::string> replaced_in_json(std::string_view json) const;
  /// Whether it has any.
  [[nodiscard]] bool finds_in(std::string_view text) const;
  /// Whether the texts are ASCII and certainly have none. A "no" says nothing: it is for the many texts with nothing in them.
  template <class... Texts>
  [[nodiscard]] bool is_plain(const Texts&... texts) const noexcept {
    const auto registered = values_.few_pairs();
    return registered && (redact::is_plain(texts, *registered) && ...);
  }
  /// Whether a registered one stands in it.
  [[nodiscard]] bool holds_registered(std::string_view text) const;

  /// How much of a text that goes on elsewhere can be recorded by itself: up to where something begins that its end may cut
  /// in two. That is at most kMaxHeldBack before its end, unless it is the beginning of a registered secret.
  [[nodiscard]] std::size_t whole_until(std::string_view text) const;
  static constexpr std::size_t kMaxHeldBack = 16 * 1024;
  /// The other way round: how much of a text that began elsewhere may be the end of a registered secret, or of a private key.
  [[nodiscard]] std::size_t cut_off(std::string_view text) const;

 private:
  [[nodiscard]] Found find(std::string_view text) const;

  /// Never null; of those without rules all have the same.
  std::shared_ptr<const Names> names_;
  Values values_;
};

/// A URL as it may be shown to people: see Redactor, with nothing registered.
[[nodiscard]] std::string without_credentials(std::string_view url);

}  // namespace runfold::redact

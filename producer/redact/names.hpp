// Which names say that their value is a secret.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::redact {

/// Names are compared without regard to case, to '-', '_' and '.', and to digits at their end. "token" is also the end of
/// "accessToken" and "X-Auth-Token", but not of "token_count" nor "tokens".
///
/// Thread: any, once it is made.
class Names {
 public:
  /// Besides the names known anyway: names whose ends are secrets' too, and whole names that are not.
  Names(const std::vector<std::string>& more, const std::vector<std::string>& kept);

  enum class Kind : std::uint8_t {
    kNone,
    kValue,  ///< the value is a secret
    kLine,   ///< and as a header's name, all the rest of the line: Authorization, Cookie
  };
  /// Whether a text may end in a secret's name: nearly always seen from its last letter or two.
  [[nodiscard]] bool may_end(std::string_view text) const noexcept;
  /// `in_query`: it is the whole name of a parameter in a URI, where further ones count ("key", "sig", "code").
  [[nodiscard]] Kind kind_of(std::string_view name, bool in_query) const;

 private:
  struct Node {
    /// By letter and digit; 0: none.
    std::array<std::uint16_t, 36> next{};
    Kind kind = Kind::kNone;
    bool query_only = false;
  };
  void add(std::string_view name, Kind kind, bool query_only);
  [[nodiscard]] bool ends_in_name(std::string_view text) const noexcept;
  [[nodiscard]] Kind end_of(std::string_view name, bool in_query) const noexcept;

  /// Names backwards: most that are not secrets' differ in the last letter or two.
  std::vector<Node> nodes_;
  bool some_end_in_digits_ = false;
  std::set<std::string, std::less<>> kept_;
};

}  // namespace runfold::redact

// Cursors of lists: where a page ended, bound to the list and the filters it was made for.
#pragma once

#include "collector/rows.hpp"
#include "collector/store/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// The sort key of the last row of a page. `attempt` is 0 for lists that have none.
struct CursorKey {
  TimeNs at_ns = 0;
  std::uint32_t attempt = 0;
  std::string id;
};

/// Gathers what a cursor is bound to: the list's name, then every filter, set or not.
class CursorScope {
 public:
  explicit CursorScope(std::string_view list) { add(list); }
  void add(std::string_view text);
  template <class T>
  void add_number(const std::optional<T>& number) {
    add(number ? std::to_string(*number) : std::string(1, '-'));
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// A cursor as text that needs no escaping in a URL.
[[nodiscard]] std::string make_cursor(const CursorScope& scope, const CursorKey& key);

/// Errors: kInvalid when make_cursor() did not make it, or made it for another list or other filters.
[[nodiscard]] StoreResult<CursorKey> read_cursor(const CursorScope& scope, std::string_view cursor);

}  // namespace runfold::collector

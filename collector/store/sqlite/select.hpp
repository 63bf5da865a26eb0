// SELECT statements made of the filters that are set, their values bound in the order of their text.
#pragma once

#include "collector/store/sqlite/connection.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace runfold::collector::sqlite {

/// Gathers a statement's text and the values of its parameters. Text values are views: they must outlive the statement.
///
/// The same filters set give the same text, so that its prepared statement is found again.
class Select {
 public:
  using Value = std::variant<std::int64_t, std::string_view>;

  explicit Select(std::string text) : text_(std::move(text)) {}

  Select& where(std::string_view condition, std::initializer_list<Value> values = {}) {
    text_ += conditions_++ == 0 ? " WHERE " : " AND ";
    return add(condition, values);
  }
  /// Text that is not a condition: an order, a limit.
  Select& add(std::string_view text, std::initializer_list<Value> values = {}) {
    text_ += text;
    values_.insert(values_.end(), values);
    return *this;
  }
  Select& where_text(std::string_view column_is, std::string_view value) {
    return value.empty() ? *this : where(column_is, {Value(value)});
  }
  template <class T>
  Select& where_number(std::string_view column_is, const std::optional<T>& value) {
    return value ? where(column_is, {Value(static_cast<std::int64_t>(*value))}) : *this;
  }

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

  /// Prepares the statement and binds the values.
  [[nodiscard]] StoreResult<Statement*> prepare(Connection& connection) const {
    const auto statement = connection.prepare(text_);
    if (!statement) return statement.error();
    (*statement)->bind_all();
    for (const auto& value : values_) {
      std::visit([&statement](const auto& v) { (*statement)->bind(v); }, value);
    }
    return *statement;
  }

 private:
  std::string text_;
  std::vector<Value> values_;
  int conditions_ = 0;
};

}  // namespace runfold::collector::sqlite

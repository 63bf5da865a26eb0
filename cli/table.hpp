// Tables for people: aligned columns, colour where it helps, nothing that a terminal would obey.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::cli {

enum class Tone { kPlain, kDim, kGood, kBad, kWarn, kStrong };

/// The text in its tone, when colour is on.
[[nodiscard]] std::string toned(std::string_view text, Tone tone, bool colour);

/// Text from elsewhere made harmless: control characters come out as \xNN, except tabs (and newlines, when kept).
[[nodiscard]] std::string printable(std::string_view text, bool keep_newlines = false);

/// How many columns UTF-8 text takes, one for each character.
[[nodiscard]] std::size_t width(std::string_view text) noexcept;

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
};

/// Rows under headings. Columns are as wide as their widest cell; the last is not padded.
class Table {
 public:
  struct Column {
    std::string heading;
    bool right = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  void print(std::ostream& out, bool colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace runfold::cli

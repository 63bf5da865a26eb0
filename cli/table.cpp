// Tables for people: aligned columns, colour where it helps, nothing that a terminal would obey.
#include "cli/table.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace runfold::cli {

std::string toned(std::string_view text, Tone tone, bool colour) {
  if (!colour || tone == Tone::kPlain || text.empty()) return std::string(text);
  const char* code = "0";
  switch (tone) {
    case Tone::kDim:
      code = "2";
      break;
    case Tone::kGood:
      code = "32";
      break;
    case Tone::kBad:
      code = "31";
      break;
    case Tone::kWarn:
      code = "33";
      break;
    case Tone::kStrong:
      code = "1";
      break;
    case Tone::kPlain:
      break;
  }
  return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

std::string printable(std::string_view text, bool keep_newlines) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F: some terminals obey these as well.
    const bool c1 = byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    const bool control = (byte < 0x20 && byte != '\t' && !(keep_newlines && byte == '\n')) || byte == 0x7F;
    if (!control && !c1) {
      out.push_back(text[i]);
      continue;
    }
    const unsigned char shown = c1 ? static_cast<unsigned char>(text[++i]) : byte;
    out.append("\\x");
    out.push_back(kHex[shown >> 4]);
    out.push_back(kHex[shown & 15]);
  }
  return out;
}

std::size_t width(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void Table::add(std::vector<Cell> row) {
  assert(row.size() == columns_.size());
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, bool colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = width(columns_[i].heading);
    for (const auto& row : rows_) widest = std::max(widest, width(row[i].text));
    widths.push_back(widest);
  }
  const auto print_cell = [&](std::size_t i, const std::string& text, Tone tone) {
    const std::string padding(widths[i] - width(text), ' ');
    const bool last = i + 1 == columns_.size();
    if (columns_[i].right) out << padding;
    out << toned(text, tone, colour);
    if (!columns_[i].right && !last) out << padding;
    out << (last ? "\n" : "  ");
  };
  for (std::size_t i = 0; i < columns_.size(); ++i) print_cell(i, columns_[i].heading, Tone::kStrong);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) print_cell(i, row[i].text, row[i].tone);
  }
}

}  // namespace runfold::cli

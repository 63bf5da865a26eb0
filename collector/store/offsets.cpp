// Writes and reads offset bounds as text, which a person who looks into the database can read too.
#include "collector/store/offsets.hpp"

#include <charconv>

namespace runfold::collector {

std::string offsets_text(const std::vector<OffsetBounds>& bounds) {
  std::string text;
  for (const OffsetBounds& one : bounds) {
    if (!text.empty()) text += ',';
    text += std::to_string(one.partition) + ':' + std::to_string(one.first) + '-' + std::to_string(one.last);
  }
  return text;
}

std::optional<std::vector<OffsetBounds>> parse_offsets(std::string_view text) {
  std::vector<OffsetBounds> bounds;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](auto& out) {
    const auto [behind, error] = std::from_chars(at, end, out);
    at = behind;
    return error == std::errc();
  };
  const auto passes = [&](char c) { return at != end && *at++ == c; };
  while (at != end) {
    if (!bounds.empty() && !passes(',')) return std::nullopt;
    OffsetBounds& one = bounds.emplace_back();
    if (!number(one.partition) || !passes(':') || !number(one.first) || !passes('-') || !number(one.last)) return std::nullopt;
  }
  return bounds;
}

}  // namespace runfold::collector

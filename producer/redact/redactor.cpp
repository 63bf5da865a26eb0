// Finds what is to be replaced, puts overlapping parts together, and writes the text anew.
#include "producer/redact/redactor.hpp"

#include "producer/redact/finder.hpp"
#include "producer/redact/key_block.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace runfold::redact {
namespace {

/// "token: token: token: ..." is not followed for ever.
constexpr int kMaxPasses = 32;

/// Sorts the spans and joins those that overlap or touch.
void merge(std::vector<Span>& spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::size_t last = 0;
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].begin <= spans[last].end) {
      spans[last].end = std::max(spans[last].end, spans[i].end);
    } else {
      spans[++last] = spans[i];
    }
  }
  spans.resize(last + 1);
}

bool is_json(std::string_view text) {
  boost::json::error_code error;
  boost::json::parse(text, error);
  return !error;
}

/// Whether the text up to `at` ends within a JSON string; goes on from where it was.
class JsonPlace {
 public:
  explicit JsonPlace(std::string_view text) : text_(text) {}
  bool in_string(std::size_t at) noexcept {
    for (; at_ < at; ++at_) {
      if (text_[at_] == '\\' && in_string_) {
        ++at_;
      } else if (text_[at_] == '"') {
        in_string_ = !in_string_;
      }
    }
    return in_string_;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  bool in_string_ = false;
};

/// Outside of strings, a whole number or word is replaced by a string.
std::string write_json(std::string_view text, std::vector<Span> spans) {
  const auto is_of_a_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' || c == '.';
  };
  std::string out;
  JsonPlace place(text);
  std::size_t written = 0;
  for (auto [begin, end] : spans) {
    begin = std::max(begin, written);
    if (end <= begin) continue;
    const bool in_string = place.in_string(begin);
    if (!in_string) {
      while (begin > written && is_of_a_word(text[begin - 1])) --begin;
      while (end < text.size() && is_of_a_word(text[end])) ++end;
    }
    out.append(text.substr(written, begin - written));
    if (!in_string) out.push_back('"');
    out.append(kRedacted);
    if (!in_string) out.push_back('"');
    written = end;
  }
  out.append(text.substr(written));
  return out;
}

std::shared_ptr<const Names> names_by(const Rules& rules) {
  if (!rules.keys.empty() || !rules.kept_keys.empty()) return std::make_shared<const Names>(rules.keys, rules.kept_keys);
  static const auto known = std::make_shared<const Names>(rules.keys, rules.kept_keys);
  return known;
}

}  // namespace

Redactor::Redactor(const Rules& rules) : names_(names_by(rules)) {}

Found Redactor::find(std::string_view text) const {
  Found found;
  if (text.empty()) return found;
  find_by_names_and_patterns(text, *names_, found);
  if (!values_.empty()) values_.find(text, found);
  return found;
}

std::optional<std::string> Redactor::replaced(std::string_view text) const {
  Found found = find(text);
  if (found.spans.empty()) return std::nullopt;
  merge(found.spans);
  std::string out;
  std::size_t written = 0;
  for (const auto [begin, end] : found.spans) {
    out.append(text.substr(written, begin - written)).append(kRedacted);
    written = end;
  }
  out.append(text.substr(written));
  return out;
}

std::optional<std::string> Redactor::replaced_in_json(std::string_view json) const {
  Found found = find(json);
  if (found.spans.empty()) return std::nullopt;
  merge(found.spans);
  std::string out = write_json(json, std::move(found.spans));
  // A secret that reached over the borders of a string took them with it.
  if (!is_json(out)) out = std::string("\"").append(kRedacted).append("\"");
  return out;
}

bool Redactor::finds_in(std::string_view text) const {
  return !find(text).spans.empty();
}

bool Redactor::holds_registered(std::string_view text) const {
  Found found;
  values_.find(text, found);
  return !found.spans.empty();
}

std::size_t Redactor::whole_until(std::string_view text) const {
  const std::size_t least = text.size() - std::min(text.size(), kMaxHeldBack);
  Found by_value;
  values_.find(text, by_value);
  if (!by_value.spans.empty()) merge(by_value.spans);
  std::size_t cut = std::min(by_value.open_at, text.size());
  // What is left may end within a secret that is whole in all of the text.
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    Found by_looks;
    find_by_names_and_patterns(text, *names_, by_looks);
    if (by_looks.open_at < cut && by_looks.open_at >= least) cut = by_looks.open_at;
    for (const auto [begin, end] : by_value.spans) {
      if (begin < cut && cut < end) cut = begin;
    }
    if (cut == text.size()) break;
    text = text.substr(0, cut);
  }
  return cut;
}

std::size_t Redactor::cut_off(std::string_view text) const {
  return std::max(values_.end_at_beginning(text), KeyBlock::end_at_beginning(text));
}

std::string without_credentials(std::string_view url) {
  static const Redactor redactor;
  return redactor.replaced(url).value_or(std::string(url));
}

}  // namespace runfold::redact

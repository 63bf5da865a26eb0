// Reads the level that a line of output states: the forms that are made of words in an order.
#include "producer/agent/line_form.hpp"

#include "producer/agent/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace runfold::agent {
namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}
bool is_letter(char c) noexcept {
  return is_upper(c) || (c >= 'a' && c <= 'z');
}

/// The value of a text that is digits only.
unsigned number_of(std::string_view digits) noexcept {
  unsigned value = 0;
  for (const char c : digits) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

/// Whether `text` begins with a shape in which d stands for a digit, a for a letter, and all else for itself.
bool has_shape(std::string_view text, std::string_view shape) noexcept {
  if (text.size() < shape.size()) return false;
  return std::equal(shape.begin(), shape.end(), text.begin(), [](char wanted, char c) {
    return wanted == 'd' ? is_digit(c) : wanted == 'a' ? is_letter(c) : wanted == c;
  });
}

bool take(std::string_view& rest, std::string_view beginning) noexcept {
  if (!rest.starts_with(beginning)) return false;
  rest.remove_prefix(beginning.size());
  return true;
}

bool take_shape(std::string_view& rest, std::string_view shape) noexcept {
  if (!has_shape(rest, shape)) return false;
  rest.remove_prefix(shape.size());
  return true;
}

/// Takes a date and time, or a time, as loggers begin their lines with: "2026-05-16 14:32:11,123", "2026-05-16T14:32:11.5+02:00",
/// "14:32:11.123", each also in brackets.
bool take_time(std::string_view& line) noexcept {
  std::string_view rest = line;
  const bool bracket = take(rest, "[");
  for (const std::string_view date : {"dddd-dd-dd", "dddd/dd/dd", "dd-aaa-dddd"}) {
    if (!take_shape(rest, date)) continue;
    if (!take(rest, " ") && !take(rest, "T")) return false;
    break;
  }
  if (!take_shape(rest, "dd:dd:dd")) return false;
  if (has_shape(rest, ".d") || has_shape(rest, ",d")) {
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(kDigits), rest.size()));
  }
  for (const std::string_view zone : {"Z", " UTC", "+dd:dd", "-dd:dd", "+dddd", "-dddd", " +dddd", " -dddd"}) {
    if (take_shape(rest, zone)) break;
  }
  if (bracket) take(rest, "]");
  if (rest.empty() || is_digit(rest.front()) || is_letter(rest.front())) return false;
  line = rest;
  return true;
}

/// What stands between a level and its message.
std::string_view without_separators(std::string_view text) noexcept {
  for (;;) {
    const std::size_t at = text.find_first_not_of(" \t:|]");
    text.remove_prefix(std::min(at, text.size()));
    if (!text.starts_with("- ")) return text;
    text.remove_prefix(2);
  }
}

StatedLine stated(v1::Severity severity, std::string_view message) {
  StatedLine line;
  line.severity = severity;
  line.message = std::string(message);
  return line;
}

/// The inside of a bracketed group at the beginning of `rest`, or the word there; taken from it.
std::string_view take_word(std::string_view& rest, bool& bracketed) noexcept {
  const std::size_t kind = rest.empty() ? std::string_view::npos : std::string_view("[({").find(rest.front());
  bracketed = kind != std::string_view::npos;
  const std::size_t end = bracketed ? rest.find("])}"[kind]) : rest.find_first_of(" \t");
  if (bracketed && end == std::string_view::npos) {
    bracketed = false;
    return {};
  }
  std::string_view word = rest.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
  rest.remove_prefix(std::min(end == std::string_view::npos ? rest.size() : end + (bracketed ? 1 : 0), rest.size()));
  while (word.starts_with(' ')) word.remove_prefix(1);
  while (word.ends_with(' ')) word.remove_suffix(1);
  return word;
}

/// A time, then the level as one of the next few words: in capitals, in brackets, or with a colon.
std::optional<StatedLine> parse_timed_line(std::string_view line) {
  constexpr int kWords = 5;
  if (!take_time(line)) return std::nullopt;
  for (int i = 0; i < kWords && !line.empty(); ++i) {
    line = without_separators(line);
    bool bracketed = false;
    std::string_view word = take_word(line, bracketed);
    const bool colon = word.ends_with(':');
    if (colon) word.remove_suffix(1);
    const bool marked = bracketed || colon || std::all_of(word.begin(), word.end(), is_upper);
    const auto severity = marked ? parse_level_name(word) : std::nullopt;
    if (severity) return stated(*severity, without_separators(line));
  }
  return std::nullopt;
}

/// "<3>message", where what is above 7 is a facility of syslog's.
std::optional<StatedLine> parse_syslog_line(std::string_view line) {
  const std::size_t end = line.find('>');
  if (!line.starts_with('<') || end == std::string_view::npos || end < 2 || end > 4) return std::nullopt;
  const std::string_view priority = line.substr(1, end - 1);
  if (!std::all_of(priority.begin(), priority.end(), is_digit) || number_of(priority) > 191) return std::nullopt;
  return stated(static_cast<v1::Severity>(number_of(priority) % 8 + 1), line.substr(end + 1));
}

/// "E0516 14:32:11.123456 1234 upload.cc:12] message" (glog, klog).
std::optional<StatedLine> parse_glog_line(std::string_view line) {
  if (!has_shape(line, "adddd dd:dd:dd.d")) return std::nullopt;
  constexpr std::string_view kLetters = "IWEF";
  constexpr std::array kSeverities{v1::SEVERITY_INFO, v1::SEVERITY_WARNING, v1::SEVERITY_ERROR, v1::SEVERITY_CRITICAL};
  const std::size_t which = kLetters.find(line.front());
  const std::size_t end = line.find("] ");
  if (which == std::string_view::npos || end == std::string_view::npos) return std::nullopt;
  return stated(kSeverities[which], line.substr(end + 2));
}

/// "ERROR:name:message", "ERROR message", "[error] message", "error: message", "PHP Warning:  message".
std::optional<StatedLine> parse_leading_level(std::string_view line) {
  take(line, "PHP ");
  if (line.starts_with('[')) {
    bool bracketed = false;
    const auto severity = parse_level_name(take_word(line, bracketed));
    if (!severity || !bracketed || !line.starts_with(' ')) return std::nullopt;
    return stated(*severity, without_separators(line));
  }
  const auto end = static_cast<std::size_t>(std::find_if_not(line.begin(), line.end(), is_letter) - line.begin());
  const std::string_view word = line.substr(0, end);
  const std::string_view rest = line.substr(end);
  const auto severity = parse_level_name(word);
  if (!severity || rest.empty()) return std::nullopt;
  const bool capitals = std::all_of(word.begin(), word.end(), is_upper);
  if (capitals && rest.starts_with(':') && rest.size() > 1 && rest[1] != ' ') {
    const std::size_t colon = rest.find(':', 1);
    const std::string_view name = rest.substr(1, colon - 1);
    if (colon == std::string_view::npos || name.find(' ') != std::string_view::npos) return std::nullopt;
    return stated(*severity, rest.substr(colon + 1));
  }
  if (rest.starts_with(": ") || (capitals && rest.starts_with(' '))) return stated(*severity, without_separators(rest));
  return std::nullopt;
}

}  // namespace

std::optional<v1::Severity> parse_level_name(std::string_view word) noexcept {
  if (word.size() < 3) return std::nullopt;
  if (word == "SEVERE") return v1::SEVERITY_ERROR;
  return parse_severity(word);
}

std::optional<FixedLine> parse_fixed_line(std::string_view line) {
  using namespace std::chrono;
  if (!has_shape(line, "dddd-dd-dd dd:dd:dd UTC [")) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) { return number_of(line.substr(at, size)); };
  const year_month_day date{year(static_cast<int>(number(0, 4))), month(number(5, 2)), day(number(8, 2))};
  const unsigned hour = number(11, 2);
  const unsigned minute = number(14, 2);
  const unsigned second = number(17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;

  std::string_view rest = line.substr(std::string_view("dddd-dd-dd dd:dd:dd UTC [").size());
  const std::size_t bracket = rest.find(']');
  if (bracket == std::string_view::npos) return std::nullopt;
  const std::string_view level = rest.substr(0, bracket);
  const auto severity = level.size() > 1 ? parse_severity(level) : std::nullopt;
  if (!severity) return std::nullopt;
  rest.remove_prefix(bracket + 1);
  if (!rest.empty() && rest.front() != ' ') return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  return FixedLine{sys_days(date) + hours(hour) + minutes(minute) + seconds(second), *severity, rest};
}

std::optional<StatedLine> parse_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (const auto fixed = parse_fixed_line(line)) {
    StatedLine found = stated(fixed->severity, fixed->message);
    found.at = fixed->at;
    return found;
  }
  for (const auto parse : {parse_json_line, parse_syslog_line, parse_timed_line, parse_glog_line, parse_leading_level, parse_logfmt_line}) {
    if (auto found = parse(line)) return found;
  }
  return std::nullopt;
}

}  // namespace runfold::agent

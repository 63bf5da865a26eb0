// Durations and times as people write and read them on a command line.
#include "cli/duration.hpp"

#include "cli/table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>
#include <utility>

namespace runfold::cli {
namespace {

constexpr double kMostMs = 10 * 365 * 86'400'000.0;

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  if (text.empty()) return std::nullopt;
  double total_ms = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !(number >= 0)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
    const std::string_view unit = text.substr(0, static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_digit) - text.begin()));
    text.remove_prefix(unit.size());
    const bool bare_seconds = unit.empty() && total_ms == 0 && text.empty();
    const auto found =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) { return known.first == (bare_seconds ? "s" : unit); });
    if (found == kUnits.end()) return std::nullopt;
    total_ms += number * found->second;
  }
  // Far from where a deadline would overflow. Written so that it refuses what is no number too.
  if (!(total_ms <= kMostMs)) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(total_ms));
}

std::string format_duration(std::int64_t ms) {
  char text[48];
  const std::int64_t seconds = ms / 1000;
  if (ms < 1000) {
    std::snprintf(text, sizeof text, "%lld ms", static_cast<long long>(ms));
  } else if (seconds < 60) {
    std::snprintf(text, sizeof text, "%lld.%lld s", static_cast<long long>(seconds), static_cast<long long>(ms % 1000 / 100));
  } else if (seconds < 3600) {
    std::snprintf(text, sizeof text, "%lldm %02llds", static_cast<long long>(seconds / 60), static_cast<long long>(seconds % 60));
  } else if (seconds < 86'400) {
    std::snprintf(text, sizeof text, "%lldh %02lldm", static_cast<long long>(seconds / 3600), static_cast<long long>(seconds / 60 % 60));
  } else {
    std::snprintf(text, sizeof text, "%lldd %02lldh", static_cast<long long>(seconds / 86'400),
                  static_cast<long long>(seconds / 3600 % 24));
  }
  return text;
}

std::string format_time(std::string_view rfc3339, bool milliseconds) {
  std::string text(rfc3339.substr(0, milliseconds ? 23 : 19));
  if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
  while (!text.empty() && text.back() == 'Z') text.pop_back();
  return text;
}

std::optional<std::string> parse_time(std::string_view text, std::chrono::system_clock::time_point now) {
  const auto matches = [&](std::string_view shape) {
    return text.size() >= shape.size() &&
           std::equal(shape.begin(), shape.end(), text.begin(), [](char s, char c) { return s == 'd' ? c >= '0' && c <= '9' : s == c; });
  };
  if (matches("dddd-dd-ddTdd:dd:dd")) return std::string(text);
  if (text.size() == 10 && matches("dddd-dd-dd")) return std::string(text) + "T00:00:00Z";
  const auto ago = parse_duration(text);
  if (!ago) return std::nullopt;
  const std::time_t at = std::chrono::system_clock::to_time_t(now - *ago);
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  char formatted[32];
  std::strftime(formatted, sizeof formatted, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return formatted;
}

std::optional<std::int64_t> parse_time_ms(std::string_view text, std::chrono::system_clock::time_point now) {
  const auto rfc3339 = parse_time(text, now);
  if (!rfc3339) return std::nullopt;
  std::string_view rest = *rfc3339;
  // The shape is known up to the seconds.
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(rest.data() + at, rest.data() + at + digits, value);
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)), std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  std::int64_t ms = std::chrono::sys_days(day).time_since_epoch().count() * std::int64_t{86'400'000} + hour * 3'600'000LL +
                    minute * 60'000LL + second * 1000LL;
  rest.remove_prefix(19);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    if (rest.empty() || rest[0] < '0' || rest[0] > '9') return std::nullopt;
    for (int unit = 100; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; unit /= 10) {
      ms += unit * (rest[0] - '0');
      rest.remove_prefix(1);
    }
  }
  if (rest == "Z" || rest == "z") return ms;
  const auto digit = [&](std::size_t at) { return rest[at] >= '0' && rest[at] <= '9'; };
  const bool zone =
      rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && digit(1) && digit(2) && rest[3] == ':' && digit(4) && digit(5);
  if (!zone) return std::nullopt;
  const std::int64_t behind = number(1, 2) * 3'600'000LL + number(4, 2) * 60'000LL;
  return rest[0] == '+' ? ms - behind : ms + behind;
}

Outcome<std::chrono::milliseconds> duration_of(const char* flag, const std::string& value) {
  const auto duration = parse_duration(value);
  if (duration) return *duration;
  return Failure{kUsage, std::string(flag) + " \"" + printable(value) +
                             "\" is not a duration of at most ten years; write for example 90s, 30m or 1h30m"};
}

}  // namespace runfold::cli

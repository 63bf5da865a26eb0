// Reads Retry-After.
#include "sinks/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace runfold::sinks {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A year of seconds is more than anyone may mean.
constexpr std::int64_t kMostSeconds = 31'536'000;

std::optional<int> digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that is still to be sent.
std::optional<std::chrono::sys_seconds> read_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' ||
      text[22] != ':' || text.substr(25) != " GMT") {
    return std::nullopt;
  }
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto day = digits(text.substr(5, 2));
  const auto year = digits(text.substr(12, 4));
  const auto hour = digits(text.substr(17, 2));
  const auto minute = digits(text.substr(20, 2));
  const auto second = digits(text.substr(23, 2));
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second);
}

}  // namespace

std::optional<milliseconds> read_retry_after(std::string_view text, std::chrono::system_clock::time_point now) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (is_digits(text)) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    static_cast<void>(end);
    if (error != std::errc()) count = kMostSeconds;
    return milliseconds(seconds(std::min(count, kMostSeconds)));
  }
  const auto date = read_date(text);
  if (!date) return std::nullopt;
  // In seconds: the nanoseconds to a far date do not fit.
  const seconds wait = *date - std::chrono::floor<seconds>(now);
  return milliseconds(std::clamp(wait, seconds(0), seconds(kMostSeconds)));
}

}  // namespace runfold::sinks

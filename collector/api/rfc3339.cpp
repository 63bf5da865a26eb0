// Times as people and JSON write them: RFC 3339.
#include "collector/api/rfc3339.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>

namespace runfold::collector {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct Parts {
  int year, hour, minute, second, millisecond;
  unsigned month, day;
};

Parts parts(TimeNs at) {
  using namespace std::chrono;
  const sys_time<nanoseconds> time{nanoseconds{at}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<milliseconds>(time - day)};
  return {static_cast<int>(date.year()),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day())};
}

/// Takes `digits` decimal digits off the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t digits) noexcept {
  if (text.size() < digits) {
    return std::nullopt;
  }
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) noexcept {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string rfc3339(TimeNs at) {
  const Parts p = parts(at);
  char text[40];
  const int size = std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", p.year, p.month, p.day, p.hour, p.minute,
                                 p.second, p.millisecond);
  return {text, static_cast<std::size_t>(size)};
}

std::string line_time(TimeNs at) {
  const Parts p = parts(at);
  char text[40];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d UTC", p.year, p.month, p.day, p.hour, p.minute, p.second);
  return {text, static_cast<std::size_t>(size)};
}

std::optional<TimeNs> parse_rfc3339(std::string_view text) noexcept {
  const auto year = take_number(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_number(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;

  std::int64_t fraction = 0;
  if (take(text, ".")) {
    std::int64_t unit = kSecond / 10;
    std::size_t digits = 0;
    while (const auto digit = take_number(text, 1)) {
      if (++digits > 9) return std::nullopt;
      fraction += *digit * unit;
      unit /= 10;
    }
    if (digits == 0) return std::nullopt;
  }

  std::int64_t offset_s = 0;
  if (!take(text, "Zz")) {
    const bool west = !text.empty() && text.front() == '-';
    if (!take(text, "+-")) return std::nullopt;
    const auto hours = take_number(text, 2);
    if (!hours || !take(text, ":")) return std::nullopt;
    const auto minutes = take_number(text, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    offset_s = (*hours * 60 + *minutes) * 60 * (west ? -1 : 1);
  }
  if (!text.empty()) return std::nullopt;

  using namespace std::chrono;
  const year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                            std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1969 || *year > 2261) return std::nullopt;
  const std::int64_t seconds = sys_days{date}.time_since_epoch().count() * std::int64_t{86'400} + *hour * 3'600 + *minute * 60 + *second;
  const TimeNs at = (seconds - offset_s) * kSecond + fraction;
  if (at < 0) return std::nullopt;
  return at;
}

}  // namespace runfold::collector

// Reads the level that a line of output states: the forms with named fields, JSON and logfmt.
#include "producer/agent/line_form.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace runfold::agent {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 8> kLevelNames{"level",     "severity", "lvl",    "levelname",
                                                      "log.level", "loglevel", "@level", "log_level"};
constexpr std::array<std::string_view, 5> kMessageNames{"message", "msg", "@message", "event", "text"};

/// Numbers as pino and bunyan have them (10 trace to 60 fatal), or syslog's 0 to 7.
std::optional<v1::Severity> severity_of_number(std::int64_t level) noexcept {
  if (level >= 0 && level <= 7) return static_cast<v1::Severity>(level + 1);
  if (level < 10 || level > 100) return std::nullopt;
  if (level < 30) return v1::SEVERITY_DEBUG;
  if (level < 40) return v1::SEVERITY_INFO;
  if (level < 50) return v1::SEVERITY_WARNING;
  return level < 60 ? v1::SEVERITY_ERROR : v1::SEVERITY_CRITICAL;
}

std::optional<v1::Severity> severity_of(const json::value& level) noexcept {
  if (const json::string* text = level.if_string()) return parse_level_name(std::string_view(text->data(), text->size()));
  if (const std::int64_t* number = level.if_int64()) return severity_of_number(*number);
  return std::nullopt;
}

/// Makes a line of its fields: the first that names a level, the first that names a message, and the rest as detail.
std::optional<StatedLine> line_of(json::object fields, std::string_view whole) {
  StatedLine line;
  for (const std::string_view name : kLevelNames) {
    const auto field = fields.find(name);
    if (field == fields.end()) continue;
    const auto severity = severity_of(field->value());
    if (!severity) return std::nullopt;
    line.severity = *severity;
    fields.stable_erase(field);
    break;
  }
  if (line.severity == v1::SEVERITY_UNSPECIFIED) return std::nullopt;
  line.message = std::string(whole);
  for (const std::string_view name : kMessageNames) {
    const auto field = fields.find(name);
    if (field == fields.end() || !field->value().is_string()) continue;
    const json::string& text = field->value().get_string();
    line.message.assign(text.data(), text.size());
    fields.stable_erase(field);
    break;
  }
  if (!fields.empty()) line.detail_json = json::serialize(fields);
  return line;
}

/// A value of logfmt, plain or in quotes, taken from `rest`. Absent when its quotes do not end.
std::optional<std::string> take_value(std::string_view& rest) {
  std::string value;
  if (!rest.starts_with('"')) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    value = std::string(rest.substr(0, end));
    rest.remove_prefix(end);
    return value;
  }
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) {
      ++i;
      value.push_back(rest[i] == 'n' ? '\n' : rest[i] == 't' ? '\t' : rest[i]);
    } else {
      value.push_back(rest[i]);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<StatedLine> parse_json_line(std::string_view line) {
  if (!line.starts_with('{') || !line.ends_with('}')) return std::nullopt;
  json::error_code error;
  json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error || !value.is_object()) return std::nullopt;
  return line_of(std::move(value.get_object()), line);
}

std::optional<StatedLine> parse_logfmt_line(std::string_view line) {
  // Most lines are none: found out before anything is allocated.
  if (line.find("level=") == std::string_view::npos && line.find("lvl=") == std::string_view::npos &&
      line.find("severity=") == std::string_view::npos) {
    return std::nullopt;
  }
  json::object fields;
  std::string_view rest = line;
  while (!rest.empty()) {
    if (rest.front() == ' ') {
      rest.remove_prefix(1);
      continue;
    }
    const std::size_t equals = rest.find_first_of("= \"");
    if (equals == std::string_view::npos || equals == 0 || rest[equals] != '=') return std::nullopt;
    const std::string_view name = rest.substr(0, equals);
    rest.remove_prefix(equals + 1);
    auto value = take_value(rest);
    if (!value || (!rest.empty() && rest.front() != ' ')) return std::nullopt;
    fields[json::string_view(name.data(), name.size())] = std::move(*value);
  }
  return line_of(std::move(fields), line);
}

}  // namespace runfold::agent

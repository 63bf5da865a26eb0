// Reads a request's query parameters, and says what is wrong with the first bad one.
#include "collector/api/parameters.hpp"

#include "collector/api/rfc3339.hpp"

#include <charconv>

namespace runfold::collector {

namespace {
constexpr std::size_t kMostBytes = 1024;
constexpr std::size_t kMostShown = 100;
}  // namespace

std::string Parameters::text(std::string_view name) {
  const std::string* given = nullptr;
  for (const auto& [key, value] : request_.query) {
    if (key != name) {
      continue;
    }
    if (given != nullptr) {
      note(name, "parameter " + std::string(name) + " is given more than once; give it once");
      return {};
    }
    given = &value;
  }
  if (given == nullptr) {
    return {};
  }
  if (given->empty()) {
    note(name, "parameter " + std::string(name) + " is empty; give it a value or leave it out");
    return {};
  }
  if (given->size() > kMostBytes) {
    note(name, "parameter " + std::string(name) + " is " + std::to_string(given->size()) + " bytes long; at most " +
                   std::to_string(kMostBytes) + " are allowed");
    return {};
  }
  return *given;
}

std::string Parameters::alias(std::initializer_list<std::string_view> names) {
  std::string_view first;
  std::string value;
  for (const auto name : names) {
    std::string given = text(name);
    if (given.empty()) {
      continue;
    }
    if (!value.empty() && value != given) {
      note(name,
           "parameters " + std::string(first) + " and " + std::string(name) + " are two names for the same thing, but differ; give one");
      return {};
    }
    first = name;
    value = std::move(given);
  }
  return value;
}

std::optional<std::uint32_t> Parameters::number(std::string_view name, std::uint32_t least, std::uint32_t most) {
  const std::string given = text(name);
  if (given.empty()) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error != std::errc{} || end != given.data() + given.size() || value < least || value > most) {
    refuse(name, given, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
  }
  return value;
}

std::size_t Parameters::limit(std::size_t otherwise) {
  return number("limit", 1, 1000).value_or(otherwise);
}

std::optional<TimeNs> Parameters::time(std::string_view name) {
  return word(
      name, [](std::string_view given) { return parse_rfc3339(given); }, "an RFC 3339 time such as 2026-05-16T14:32:11Z");
}

void Parameters::refuse(std::string_view name, std::string_view given, std::string_view allowed) {
  std::string shown(given.substr(0, kMostShown));
  if (given.size() > kMostShown) {
    shown += "...";
  }
  note(name, "parameter " + std::string(name) + " is \"" + shown + "\"; allowed is " + std::string(allowed));
}

void Parameters::note(std::string_view name, std::string detail) {
  if (!problem_) {
    problem_ = http::Problem{400, "Bad parameter", std::move(detail), {{"parameter", std::string(name)}}};
  }
}

}  // namespace runfold::collector

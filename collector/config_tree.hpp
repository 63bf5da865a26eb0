// A configuration file as a tree of values that know their lines, with ${...} filled in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Gives an environment variable's value; absent: it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

struct ConfigEntry;

/// One value of the file.
struct ConfigValue {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  /// From 1.
  int line = 1;
  std::string scalar;
  std::vector<ConfigValue> list;
  /// In the file's order; each key once.
  std::vector<ConfigEntry> map;
};

struct ConfigEntry {
  std::string key;
  /// Of the key.
  int line = 1;
  ConfigValue value;
};

/// What is wrong with a configuration, one sentence each, in the form "FILE:LINE: KEY: what; what to do".
using ConfigProblems = std::vector<std::string>;

/// Reads YAML. ${VAR}, ${VAR:-default} and ${VAR:?message} in scalars are replaced by what the environment says; "$$" is "$".
/// What is replaced is text, never YAML. `file` is for messages. What cannot be read is noted and left null.
[[nodiscard]] ConfigValue parse_config(const std::string& text, const std::string& file, const Environment& environment,
                                       ConfigProblems& problems);

/// Replaces ${...} in one text. On error gives the sentence that says why in `problem`.
[[nodiscard]] std::string interpolate(std::string_view text, const Environment& environment, std::string& problem);

}  // namespace runfold::collector

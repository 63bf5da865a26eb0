// Reads the keys of one part of a configuration, and says what is wrong with each by file, line and key.
#pragma once

#include "collector/config_tree.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::collector {

/// Typed access to a map of the file.
///
/// A getter that meets a bad value notes the problem and gives the default. When all keys that are known have been asked
/// for, finish() notes the others. A copy reads the same map, and counts as asked for only what it was asked itself.
class ConfigSection {
 public:
  /// Where all sections of a configuration note what is wrong.
  struct File {
    std::string name;
    ConfigProblems problems;
  };

  /// `value` must be a map, or null for one without keys; anything else is noted. `path`: the keys that lead here.
  ConfigSection(std::shared_ptr<File> file, ConfigValue value, std::string path);

  [[nodiscard]] std::optional<std::string> text(std::string_view key);
  /// As text(), or what stands in the file that KEY_file names (relative to the configuration's folder), without the line
  /// end behind it.
  [[nodiscard]] std::optional<std::string> secret(std::string_view key);
  [[nodiscard]] bool flag(std::string_view key, bool otherwise);
  [[nodiscard]] std::int64_t number(std::string_view key, std::int64_t otherwise, std::int64_t least, std::int64_t most);
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view key, std::chrono::milliseconds otherwise,
                                                   std::chrono::milliseconds least, std::chrono::milliseconds most);
  /// Unit: bytes.
  [[nodiscard]] std::uint64_t size(std::string_view key, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most);
  /// As duration() and size(); "none" and "0" are absent, which is no bound at all.
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration_or_none(std::string_view key,
                                                                          std::optional<std::chrono::milliseconds> otherwise,
                                                                          std::chrono::milliseconds least, std::chrono::milliseconds most);
  [[nodiscard]] std::optional<std::uint64_t> size_or_none(std::string_view key, std::optional<std::uint64_t> otherwise, std::uint64_t least,
                                                          std::uint64_t most);
  /// A list of texts; one text alone is a list of it. Absent: the key is not given.
  [[nodiscard]] std::optional<std::vector<std::string>> words(std::string_view key);
  [[nodiscard]] ConfigSection section(std::string_view key);
  /// This map's keys, where any name may be one.
  [[nodiscard]] std::vector<std::string> names() const;
  /// A list of maps. Absent: the key is not given.
  [[nodiscard]] std::optional<std::vector<ConfigSection>> sections(std::string_view key);

  /// Hands every key of this map to `take` with its value as text, a list joined with commas. Of KEY_file the name is KEY,
  /// and the value what secret() would read.
  void each(const std::function<void(const std::string& key, const std::string& name, const std::string& value)>& take);

  [[nodiscard]] bool has(std::string_view key) const noexcept;
  /// "runfold.yaml:7: topics.events", for messages about a key's value.
  [[nodiscard]] std::string origin(std::string_view key) const;
  /// Notes that something is wrong with a key's value.
  void problem(std::string_view key, const std::string& what);
  /// Notes the keys that nobody asked for, each with the nearest known one.
  void finish();

 private:
  const ConfigEntry* find(std::string_view key) const noexcept;
  const ConfigEntry* ask(std::string_view key);
  std::optional<std::string> scalar(const ConfigEntry& entry);
  std::optional<std::string> file_content(const ConfigEntry& entry);
  [[nodiscard]] std::string full(std::string_view key) const;

  std::shared_ptr<File> file_;
  ConfigValue value_;
  std::string path_;
  std::vector<std::string> known_;
};

/// The candidate that `unknown` was probably meant to be; "" when none is near.
[[nodiscard]] std::string nearest(std::string_view unknown, const std::vector<std::string>& known);

/// The words with the separator between them.
[[nodiscard]] std::string joined(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace runfold::collector

// Reads the keys of one part of a configuration, and says what is wrong with each by file, line and key.
#include "collector/config_section.hpp"

#include "collector/config_units.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

namespace runfold::collector {

namespace {

constexpr std::size_t kMostSecretBytes = 64 * 1024;
constexpr std::string_view kFileEnding = "_file";

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) {
    text += text.empty() ? "" : separator;
    text += word;
  }
  return text;
}

std::string nearest(std::string_view unknown, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, unknown.size() / 3) + 1;
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(unknown, name);
    if (distance < best_distance && distance < name.size()) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

ConfigSection::ConfigSection(std::shared_ptr<File> file, ConfigValue value, std::string path)
    : file_(std::move(file)), value_(std::move(value)), path_(std::move(path)) {
  if (value_.kind != ConfigValue::Kind::kMap && value_.kind != ConfigValue::Kind::kNull) {
    file_->problems.push_back(file_->name + ":" + std::to_string(value_.line) + ": " + (path_.empty() ? "" : path_ + ": ") +
                              "must hold keys and values, one \"key: value\" a line");
  }
}

const ConfigEntry* ConfigSection::find(std::string_view key) const noexcept {
  const auto found = std::find_if(value_.map.begin(), value_.map.end(), [key](const ConfigEntry& entry) { return entry.key == key; });
  return found == value_.map.end() ? nullptr : &*found;
}

const ConfigEntry* ConfigSection::ask(std::string_view key) {
  known_.emplace_back(key);
  return find(key);
}

bool ConfigSection::has(std::string_view key) const noexcept {
  return find(key) != nullptr;
}

std::string ConfigSection::full(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

std::string ConfigSection::origin(std::string_view key) const {
  const ConfigEntry* entry = find(key);
  return file_->name + ":" + std::to_string(entry != nullptr ? entry->line : value_.line) + ": " + full(key);
}

void ConfigSection::problem(std::string_view key, const std::string& what) {
  file_->problems.push_back(origin(key) + ": " + what);
}

std::optional<std::string> ConfigSection::scalar(const ConfigEntry& entry) {
  if (entry.value.kind == ConfigValue::Kind::kScalar && !entry.value.scalar.empty()) {
    return entry.value.scalar;
  }
  const std::string start = origin(entry.key) + ":";
  const bool noted =
      std::any_of(file_->problems.begin(), file_->problems.end(), [&](const std::string& p) { return p.starts_with(start); });
  if (!noted) {
    problem(entry.key, entry.value.kind == ConfigValue::Kind::kList || entry.value.kind == ConfigValue::Kind::kMap
                           ? "must be one value, not a list or keys"
                           : "has no value; give one or remove the key");
  }
  return std::nullopt;
}

std::optional<std::string> ConfigSection::file_content(const ConfigEntry& entry) {
  const auto named = scalar(entry);
  if (!named) {
    return std::nullopt;
  }
  const auto path = std::filesystem::path(file_->name).parent_path() / *named;
  std::ifstream stream(path, std::ios::binary);
  std::string content(kMostSecretBytes + 1, '\0');
  if (stream) {
    stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  }
  if (stream.bad() || (stream.fail() && !stream.eof())) {
    problem(entry.key, "cannot read " + path.string() + ": " + std::strerror(errno));
    return std::nullopt;
  }
  content.resize(static_cast<std::size_t>(stream.gcount()));
  if (content.size() > kMostSecretBytes) {
    problem(entry.key, path.string() + " is larger than 64KiB; that is no secret");
    return std::nullopt;
  }
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) {
    content.pop_back();
  }
  if (content.empty()) {
    problem(entry.key, path.string() + " is empty");
    return std::nullopt;
  }
  return content;
}

std::optional<std::string> ConfigSection::text(std::string_view key) {
  const ConfigEntry* entry = ask(key);
  return entry == nullptr ? std::nullopt : scalar(*entry);
}

std::optional<std::string> ConfigSection::secret(std::string_view key) {
  const ConfigEntry* given = ask(key);
  const ConfigEntry* file = ask(std::string(key) + std::string(kFileEnding));
  if (given != nullptr && file != nullptr) {
    problem(file->key, "given beside " + std::string(key) + "; keep one");
    return std::nullopt;
  }
  return given != nullptr ? scalar(*given) : file != nullptr ? file_content(*file) : std::nullopt;
}

bool ConfigSection::flag(std::string_view key, bool otherwise) {
  const auto given = text(key);
  if (given && *given != "true" && *given != "false") {
    problem(key, "is \"" + *given + "\"; allowed is true or false");
    return otherwise;
  }
  return given ? *given == "true" : otherwise;
}

std::int64_t ConfigSection::number(std::string_view key, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
  const auto given = text(key);
  if (!given) {
    return otherwise;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), value);
  if (error != std::errc{} || end != given->data() + given->size() || value < least || value > most) {
    problem(key, "is \"" + *given + "\"; allowed is a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return otherwise;
  }
  return value;
}

std::chrono::milliseconds ConfigSection::duration(std::string_view key, std::chrono::milliseconds otherwise,
                                                  std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const auto given = text(key);
  if (!given) {
    return otherwise;
  }
  const auto value = parse_duration(*given);
  if (!value || *value < least || *value > most) {
    problem(key,
            "is \"" + *given + "\"; allowed is a duration from " + to_text(least) + " to " + to_text(most) + " (units ms, s, m, h, d)");
    return otherwise;
  }
  return *value;
}

std::uint64_t ConfigSection::size(std::string_view key, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most) {
  const auto given = text(key);
  if (!given) {
    return otherwise;
  }
  const auto value = parse_size(*given);
  if (!value || *value < least || *value > most) {
    problem(key,
            "is \"" + *given + "\"; allowed is a size from " + size_text(least) + " to " + size_text(most) + " (bytes, KiB, MiB, GiB)");
    return otherwise;
  }
  return *value;
}

namespace {

constexpr std::string_view kOrNone = "; none for no bound";

bool is_none(const std::string& text) {
  return text == "none" || text == "0";
}

}  // namespace

std::optional<std::chrono::milliseconds> ConfigSection::duration_or_none(std::string_view key,
                                                                         std::optional<std::chrono::milliseconds> otherwise,
                                                                         std::chrono::milliseconds least, std::chrono::milliseconds most) {
  const auto given = text(key);
  if (!given) return otherwise;
  if (is_none(*given)) return std::nullopt;
  const auto value = parse_duration(*given);
  if (!value || *value < least || *value > most) {
    problem(key, "is \"" + *given + "\"; allowed is a duration from " + to_text(least) + " to " + to_text(most) +
                     " (units ms, s, m, h, d)" + std::string(kOrNone));
    return otherwise;
  }
  return value;
}

std::optional<std::uint64_t> ConfigSection::size_or_none(std::string_view key, std::optional<std::uint64_t> otherwise, std::uint64_t least,
                                                         std::uint64_t most) {
  const auto given = text(key);
  if (!given) return otherwise;
  if (is_none(*given)) return std::nullopt;
  const auto value = parse_size(*given);
  if (!value || *value < least || *value > most) {
    problem(key, "is \"" + *given + "\"; allowed is a size from " + size_text(least) + " to " + size_text(most) +
                     " (bytes, KiB, MiB, GiB)" + std::string(kOrNone));
    return otherwise;
  }
  return value;
}

std::optional<std::vector<std::string>> ConfigSection::words(std::string_view key) {
  const ConfigEntry* entry = ask(key);
  if (entry == nullptr) {
    return std::nullopt;
  }
  std::vector<std::string> made;
  if (entry->value.kind != ConfigValue::Kind::kList) {
    if (auto one = scalar(*entry)) {
      made.push_back(std::move(*one));
    }
    return made;
  }
  for (const ConfigValue& item : entry->value.list) {
    if (item.kind == ConfigValue::Kind::kScalar && !item.scalar.empty()) {
      made.push_back(item.scalar);
    } else {
      problem(key, "must be a list of single values");
    }
  }
  return made;
}

ConfigSection ConfigSection::section(std::string_view key) {
  const ConfigEntry* entry = ask(key);
  return {file_, entry != nullptr ? entry->value : ConfigValue{.line = value_.line, .scalar = {}, .list = {}, .map = {}}, full(key)};
}

std::vector<std::string> ConfigSection::names() const {
  std::vector<std::string> found;
  for (const ConfigEntry& entry : value_.map) found.push_back(entry.key);
  return found;
}

std::optional<std::vector<ConfigSection>> ConfigSection::sections(std::string_view key) {
  const ConfigEntry* entry = ask(key);
  if (entry == nullptr) {
    return std::nullopt;
  }
  std::vector<ConfigSection> made;
  if (entry->value.kind != ConfigValue::Kind::kList) {
    problem(key, "must be a list, one \"- \" an item; write [] for none");
    return made;
  }
  for (const ConfigValue& item : entry->value.list) {
    made.push_back({file_, item, full(key) + "[" + std::to_string(made.size()) + "]"});
  }
  return made;
}

void ConfigSection::each(const std::function<void(const std::string&, const std::string&, const std::string&)>& take) {
  for (const ConfigEntry& entry : value_.map) {
    known_.push_back(entry.key);
    if (entry.key.ends_with(kFileEnding)) {
      if (const auto value = file_content(entry)) {
        take(entry.key, entry.key.substr(0, entry.key.size() - kFileEnding.size()), *value);
      }
    } else if (entry.value.kind == ConfigValue::Kind::kList) {
      take(entry.key, entry.key, joined(words(entry.key).value_or(std::vector<std::string>{}), ","));
    } else if (const auto value = scalar(entry)) {
      take(entry.key, entry.key, *value);
    }
  }
}

void ConfigSection::finish() {
  for (const ConfigEntry& entry : value_.map) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) {
      continue;
    }
    const std::string near = nearest(entry.key, known_);
    problem(entry.key, near.empty() ? "unknown key; known here are " + joined(known_) : "unknown key; did you mean " + near + "?");
  }
}

}  // namespace runfold::collector

// A configuration file as a tree of values that know their lines, with ${...} filled in.
#include "collector/config_tree.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace runfold::collector {

namespace {

// Far above what a configuration needs; an alias that holds itself would otherwise never end.
constexpr int kMostDepth = 16;
constexpr std::size_t kMostValues = 10'000;

bool is_name(char c, bool first) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

class TreeMaker {
 public:
  TreeMaker(const std::string& file, const Environment& environment, ConfigProblems& problems)
      : file_(file), environment_(environment), problems_(problems) {}

  ConfigValue value(const YAML::Node& node, const std::string& path, int depth) {
    ConfigValue made;
    made.line = node.Mark().line + 1;
    if (++values_ > kMostValues || depth > kMostDepth) {
      note(made.line, path, "too much is nested here; a configuration has at most 16 levels and 10000 values");
      return made;
    }
    if (node.IsScalar()) {
      made.kind = ConfigValue::Kind::kScalar;
      std::string problem;
      made.scalar = interpolate(node.Scalar(), environment_, problem);
      if (!problem.empty()) {
        note(made.line, path, problem);
        made.kind = ConfigValue::Kind::kNull;
      }
    } else if (node.IsSequence()) {
      made.kind = ConfigValue::Kind::kList;
      for (const auto& item : node) {
        made.list.push_back(value(item, path + "[" + std::to_string(made.list.size()) + "]", depth + 1));
      }
    } else if (node.IsMap()) {
      made.kind = ConfigValue::Kind::kMap;
      for (const auto& entry : node) {
        add_entry(made, entry.first, entry.second, path, depth);
      }
    }
    return made;
  }

 private:
  void add_entry(ConfigValue& to, const YAML::Node& key, const YAML::Node& of, const std::string& path, int depth) {
    const int line = key.Mark().line + 1;
    if (!key.IsScalar()) {
      note(line, path, "a key must be plain text");
      return;
    }
    const std::string name = key.Scalar();
    const std::string full = path.empty() ? name : path + "." + name;
    const auto twice = std::find_if(to.map.begin(), to.map.end(), [&](const ConfigEntry& entry) { return entry.key == name; });
    if (twice != to.map.end()) {
      note(line, full, "given twice, first on line " + std::to_string(twice->line) + "; keep one");
      return;
    }
    to.map.push_back({name, line, value(of, full, depth + 1)});
  }

  void note(int line, const std::string& path, const std::string& what) {
    problems_.push_back(file_ + ":" + std::to_string(line) + ": " + (path.empty() ? "" : path + ": ") + what);
  }

  const std::string& file_;
  const Environment& environment_;
  ConfigProblems& problems_;
  std::size_t values_ = 0;
};

}  // namespace

ConfigValue parse_config(const std::string& text, const std::string& file, const Environment& environment, ConfigProblems& problems) {
  try {
    const auto documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      problems.push_back(file + ":" + std::to_string(documents[1].Mark().line + 1) + ": holds more than one YAML document; keep one");
    }
    return documents.empty() ? ConfigValue{} : TreeMaker(file, environment, problems).value(documents[0], "", 0);
  } catch (const YAML::Exception& error) {
    problems.push_back(file + ":" + std::to_string(error.mark.line + 1) + ": is not valid YAML: " + error.msg);
    return {};
  }
}

std::string interpolate(std::string_view text, const Environment& environment, std::string& problem) {
  std::string made;
  while (!text.empty()) {
    const std::size_t dollar = std::min(text.find('$'), text.size());
    made += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.starts_with("$$")) {
      made += '$';
      text.remove_prefix(2);
      continue;
    }
    if (!text.starts_with("${")) {
      made += text.substr(0, 1);
      text.remove_prefix(std::min<std::size_t>(1, text.size()));
      continue;
    }
    const std::size_t brace = text.find('}');
    if (brace == std::string_view::npos) {
      problem = "\"${\" has no \"}\"; write $$ for a dollar sign";
      return {};
    }
    const std::string_view inside = text.substr(2, brace - 2);
    text.remove_prefix(brace + 1);

    std::size_t end = 0;
    while (end < inside.size() && is_name(inside[end], end == 0)) {
      ++end;
    }
    const std::string name(inside.substr(0, end));
    const std::string_view rest = inside.substr(end);
    const bool has_default = rest.starts_with(":-"), has_message = rest.starts_with(":?");
    if (name.empty() || (!rest.empty() && !has_default && !has_message)) {
      problem = "\"${" + std::string(inside) + "}\" is not ${VAR}, ${VAR:-default} or ${VAR:?message}; write $$ for a dollar sign";
      return {};
    }
    const auto set = environment(name);
    if (set && (!set->empty() || rest.empty())) {
      made += *set;
    } else if (has_default) {
      made += rest.substr(2);
    } else if (has_message) {
      problem = name + " is not set: " + std::string(rest.substr(2));
      return {};
    } else {
      problem = name + " is not set; set it, or write ${" + name + ":-default}";
      return {};
    }
  }
  return made;
}

}  // namespace runfold::collector

// runfold completion: prints a completion script for a shell, made from the commands themselves.
#include "cli/command.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

namespace runfold::cli {
namespace {

constexpr const char* kCompletionFooter = R"(
Examples:
  source <(runfold completion bash)                                   in ~/.bashrc
  runfold completion zsh > "${fpath[1]}/_runfold"
  runfold completion fish > ~/.config/fish/completions/runfold.fish)";

/// One command: "" for runfold itself, "emit" or "emit started" below it.
struct Entry {
  std::string path;
  std::string help;
  std::vector<std::string> commands;
  std::vector<std::string> flags;
};

void collect(const CLI::App& app, const std::string& path, std::vector<Entry>& entries) {
  Entry entry{path, app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) entry.flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) entry.flags.push_back("-" + name);
  }
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : below) entry.commands.push_back(command->get_name());
  entries.push_back(std::move(entry));
  for (const CLI::App* command : below) collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), entries);
}

std::string on_one_line(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// Commands have words in common only at their beginning, so the path is the words that are no flags, as far as they are known.
std::string words_by_path(const std::vector<Entry>& entries) {
  std::string cases;
  for (const Entry& entry : entries) {
    std::vector<std::string> words = entry.commands;
    words.insert(words.end(), entry.flags.begin(), entry.flags.end());
    cases += "    \"" + entry.path + "\") words=\"" + on_one_line(words) + "\" ;;\n";
  }
  return cases;
}

std::string paths(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) {
    if (!entry.path.empty()) text += (text.empty() ? "" : "|") + ("\"" + entry.path + "\"");
  }
  return text;
}

std::string bash_script(const std::vector<Entry>& entries) {
  return R"(# bash completion for runfold
_runfold() {
  local current="${COMP_WORDS[COMP_CWORD]}" path="" words="" word next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [[ "$word" == "--" ]]; then
      COMPREPLY=($(compgen -c -- "$current") $(compgen -f -- "$current"))
      return
    fi
    next="${path:+$path }$word"
    case "$next" in
    )" + paths(entries) +
         R"() path="$next" ;;
    esac
  done
  case "$path" in
)" + words_by_path(entries) +
         R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _runfold runfold
)";
}

std::string zsh_script(const std::vector<Entry>& entries) {
  return R"(#compdef runfold
# zsh completion for runfold
_runfold() {
  local path_="" words_="" next word
  for word in "${(@)words[2,CURRENT-1]}"; do
    if [[ "$word" == "--" ]]; then
      _normal
      return
    fi
    next="${path_:+$path_ }$word"
    case "$next" in
    )" + paths(entries) +
         R"() path_="$next" ;;
    esac
  done
  local words=""
  case "$path_" in
)" + words_by_path(entries) +
         R"(  esac
  compadd -- ${=words}
}
compdef _runfold runfold
)";
}

std::string fish_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return quoted + "'";
}

std::string fish_script(const std::vector<Entry>& entries) {
  std::string script = "# fish completion for runfold\ncomplete -c runfold -f\n";
  for (const Entry& entry : entries) {
    const std::size_t space = entry.path.rfind(' ');
    const std::string above = space == std::string::npos ? std::string() : entry.path.substr(0, space);
    const std::string name = entry.path.substr(space == std::string::npos ? 0 : space + 1);
    if (!entry.path.empty()) {
      const std::string condition = above.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + above;
      script += "complete -c runfold -n " + fish_quoted(condition) + " -a " + name + " -d " + fish_quoted(entry.help) + "\n";
    }
    for (const std::string& flag : entry.flags) {
      const std::string condition = entry.path.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + name;
      const bool is_long = flag.starts_with("--");
      script += "complete -c runfold -n " + fish_quoted(condition) + (is_long ? " -l " + flag.substr(2) : " -o " + flag.substr(1)) + "\n";
    }
  }
  return script;
}

}  // namespace

void add_completion(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<std::string>();
  command->footer(kCompletionFooter);
  command->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([&app, shell, &invocation] {
    invocation.action = [&app, shell, &invocation] {
      std::vector<Entry> entries;
      collect(app, "", entries);
      invocation.streams.out << (*shell == "bash" ? bash_script(entries) : *shell == "zsh" ? zsh_script(entries) : fish_script(entries));
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace runfold::cli

// Says what is wrong with a command line, and what may have been meant.
#include "cli/usage.hpp"

#include "cli/table.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace runfold::cli {
namespace {

/// How many letters must be put in, taken out, changed or swapped with their neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1, i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, std::move(row));
  }
  return last.back();
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto meant = nearest(word, candidates);
  return meant ? "; did you mean \"" + *meant + "\"?" : "";
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::string joined(std::vector<std::string>::const_iterator begin, std::vector<std::string>::const_iterator end) {
  std::string text;
  for (; begin != end; ++begin) text += " " + printable(*begin);
  return text;
}

}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  // A third of the letters may be wrong.
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t differs = distance(word, candidate);
    if (differs >= least) continue;
    least = differs;
    best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::optional<Failure> unknown_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  const CLI::App* at = &app;
  std::string path = "runfold";
  for (const std::string& argument : arguments) {
    if (argument.empty() || argument.front() == '-') return std::nullopt;
    const auto found = at->get_subcommands([&](const CLI::App* command) { return command->get_name() == argument; });
    if (found.empty()) {
      const auto commands = commands_of(*at);
      if (commands.empty()) return std::nullopt;
      const std::string meant = did_you_mean(argument, commands);
      const std::string where = at == &app ? "" : " in \"" + path + "\"";
      return Failure{kUsage, "no command \"" + printable(argument) + "\"" + where +
                                 (meant.empty() ? "; '" + path + " --help' lists those there are" : meant)};
    }
    at = found.front();
    path += " " + argument;
  }
  return std::nullopt;
}

Failure usage_failure(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments, bool has_mark) {
  const CLI::App* at = &app;
  std::string path = "runfold";
  for (auto parsed = at->get_subcommands(); !parsed.empty(); parsed = at->get_subcommands()) {
    at = parsed.front();
    path += " " + at->get_name();
  }
  const std::string help = "; see '" + path + " --help'";
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    const std::vector<std::string> extras = app.remaining(true);
    const std::string extra = extras.empty() ? std::string() : extras.front();
    const bool is_option = extra.starts_with('-');
    if (path == "runfold exec" && !has_mark) {
      const auto begin = std::find(arguments.begin(), arguments.end(), extra);
      if (!is_option) {
        return {kUsage,
                "the command stands behind --: runfold" + joined(arguments.begin(), begin) + " --" + joined(begin, arguments.end())};
      }
      const std::string meant = did_you_mean(extra, options_of(*at));
      return {kUsage,
              "exec has no option \"" + printable(extra) + "\"" +
                  (meant.empty() ? "; if it is the command's, write -- before the command: runfold exec [OPTIONS] -- COMMAND" : meant)};
    }
    const std::string meant = is_option ? did_you_mean(extra, options_of(*at)) : "";
    return {kUsage,
            path + (is_option ? " has no option \"" : " takes no argument \"") + printable(extra) + "\"" + (meant.empty() ? help : meant)};
  }
  const auto commands = commands_of(*at);
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && !commands.empty() &&
      at->get_require_subcommand_min() > 0) {
    std::string names;
    for (const std::string& name : commands) names += (names.empty() ? "" : ", ") + name;
    return {kUsage, path + " needs a command: " + names + help};
  }
  return {kUsage, path + ": " + printable(error.what()) + help};
}

}  // namespace runfold::cli

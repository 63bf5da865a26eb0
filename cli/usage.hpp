// Says what is wrong with a command line, and what may have been meant.
#pragma once

#include "cli/command.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class ParseError;
}

namespace runfold::cli {

/// The candidate that most resembles `word`; absent when none does.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Set when the arguments (the program's name apart) name a command that there is not.
[[nodiscard]] std::optional<Failure> unknown_command(const CLI::App& app, const std::vector<std::string>& arguments);

/// What the parser refused, in our words. `arguments` end before exec's "--"; `has_mark` tells whether there was one.
[[nodiscard]] Failure usage_failure(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments,
                                    bool has_mark);

}  // namespace runfold::cli

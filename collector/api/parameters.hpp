// Reads a request's query parameters, and says what is wrong with the first bad one.
#pragma once

#include "collector/rows.hpp"
#include "transport/http/message.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::collector {

/// Typed access to query parameters.
///
/// A getter that meets a bad value notes the problem and gives the default: read all first, then ask problem().
/// The request must live as long as this does.
class Parameters {
 public:
  explicit Parameters(const http::Request& request) : request_(request) {}

  /// Empty when absent. Given but empty, longer than 1 KiB, or given twice is a problem.
  [[nodiscard]] std::string text(std::string_view name);
  /// The value of whichever of these names for the same thing is given. Different values are a problem.
  [[nodiscard]] std::string alias(std::initializer_list<std::string_view> names);
  [[nodiscard]] std::optional<std::uint32_t> number(std::string_view name, std::uint32_t least, std::uint32_t most);
  [[nodiscard]] std::size_t limit(std::size_t otherwise);
  [[nodiscard]] std::optional<TimeNs> time(std::string_view name);

  /// Reads a word with `read` (text to optional); `allowed` ends the sentence "allowed is ...".
  template <class Read>
  [[nodiscard]] auto word(std::string_view name, Read read, const std::string& allowed) -> decltype(read(std::string_view{})) {
    const std::string given = text(name);
    if (given.empty()) {
      return std::nullopt;
    }
    auto value = read(std::string_view(given));
    if (!value) {
      refuse(name, given, allowed);
    }
    return value;
  }

  /// Notes that a value is not allowed.
  void refuse(std::string_view name, std::string_view given, std::string_view allowed);

  /// The first problem, if any.
  [[nodiscard]] const std::optional<http::Problem>& problem() const noexcept { return problem_; }

 private:
  void note(std::string_view name, std::string detail);

  const http::Request& request_;
  std::optional<http::Problem> problem_;
};

}  // namespace runfold::collector

// Reading the environment.
#include "producer/sdk/environment.hpp"

#include <charconv>
#include <cstdlib>

namespace runfold {

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

std::optional<std::uint32_t> environment_attempt() {
  const auto text = environment("RUNFOLD_ATTEMPT");
  if (!text) return std::nullopt;
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc{} || end != text->data() + text->size() || out == 0) return std::nullopt;
  return out;
}

}  // namespace runfold

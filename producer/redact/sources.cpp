// Registers secrets from where programs keep them: environment variables and files.
#include "producer/redact/sources.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

namespace runfold::redact {
namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;

}  // namespace

Result<> add_environment(Redactor& redactor, const std::string& name) {
  const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
  if (value == nullptr) {
    return Error{Errc::kNotSet,
                 "the environment variable \"" + name + "\" is not set, so the secret in it cannot be replaced; set it, or leave it out"};
  }
  const auto added = redactor.add(value);
  if (!added) return Error{added.error().code, "the secret in the environment variable " + name + " " + added.error().message};
  return {};
}

Result<> add_file(Redactor& redactor, const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFileBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  // A directory opens, and cannot be read.
  if (!file.is_open() || file.bad() || (file.fail() && !file.eof())) {
    const std::string why = errno != 0 ? std::generic_category().message(errno) : "it is not a file";
    return Error{Errc::kUnreadable, "the file of secrets " + path + " cannot be read: " + why + "; it holds one secret a line"};
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes)
    return Error{Errc::kTooLong, "the file of secrets " + path + " is larger than 1 MiB; it holds one secret a line"};
  const auto added = redactor.add(text);
  if (!added) return Error{added.error().code, "the file of secrets " + path + " " + added.error().message};
  return {};
}

}  // namespace runfold::redact

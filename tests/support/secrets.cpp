// Remembers a program's secrets, and finds them.
#include "tests/support/secrets.hpp"

#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <random>
#include <stdexcept>
#include <utility>

namespace runfold::test {
namespace {

/// Shorter ones stand in a topic by chance.
constexpr std::size_t kMinSecretBytes = 8;

struct Remembered {
  std::mutex mutex;
  std::vector<Secret> secrets;
};

Remembered& remembered() {
  static Remembered all;
  return all;
}

}  // namespace

std::string new_secret(const std::string& name) {
  constexpr std::string_view kCharacters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device random;
  std::string bytes = "Zq";
  while (bytes.size() < 26) bytes += kCharacters[random() % kCharacters.size()];
  remember_secret(name, bytes);
  return bytes;
}

void remember_secret(const std::string& name, const std::string& bytes) {
  if (bytes.size() < kMinSecretBytes) throw std::invalid_argument("no secret, it is too short: " + name);
  const std::scoped_lock lock(remembered().mutex);
  remembered().secrets.push_back({name, bytes});
}

std::vector<Secret> remembered_secrets() {
  const std::scoped_lock lock(remembered().mutex);
  return remembered().secrets;
}

SecretFinder::SecretFinder(std::vector<Secret> secrets) : secrets_(std::move(secrets)) {}

std::set<std::string> SecretFinder::names_in(std::string_view bytes) const {
  std::set<std::string> names;
  // The C library's search: a loop of our own takes a microsecond for each byte under the thread sanitizer.
  for (const auto& [name, secret] : secrets_) {
    if (secret.size() > bytes.size()) continue;
    if (::memmem(bytes.data(), bytes.size(), secret.data(), secret.size()) != nullptr) names.insert(name);
  }
  return names;
}

std::set<std::string> SecretFinder::names_in_files(const std::filesystem::path& folder) const {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    names.merge(names_in(std::string(std::istreambuf_iterator<char>(file), {})));
  }
  return names;
}

}  // namespace runfold::test

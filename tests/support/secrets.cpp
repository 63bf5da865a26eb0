// Remembers a program's secrets, and finds them.
#include "tests/support/secrets.hpp"

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

std::size_t beginning(std::string_view bytes) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8 | static_cast<unsigned char>(bytes[1]);
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

SecretFinder::SecretFinder(std::vector<Secret> secrets) : secrets_(std::move(secrets)), by_beginning_(1U << 16) {
  for (std::size_t i = 0; i < secrets_.size(); ++i) by_beginning_[beginning(secrets_[i].bytes)].push_back(i);
}

std::set<std::string> SecretFinder::names_in(std::string_view bytes) const {
  std::set<std::string> names;
  for (std::size_t at = 0; at + 1 < bytes.size(); ++at) {
    for (const std::size_t i : by_beginning_[beginning(bytes.substr(at))]) {
      if (bytes.substr(at).starts_with(secrets_[i].bytes)) names.insert(secrets_[i].name);
    }
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

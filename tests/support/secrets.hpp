// The secrets that the tests of a program use, for whoever looks afterwards whether one of them got anywhere.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::test {

/// Bytes that must not be recorded, and a name that may be printed.
struct Secret {
  std::string name;
  std::string bytes;
};

/// Makes a secret that no other test has, and remembers it. It has letters and digits alone, so that it looks the same in every
/// encoding: a test that wants other characters puts them beside it. Thread: any.
[[nodiscard]] std::string new_secret(const std::string& name);
/// Remembers one that was not made here: a token, say, that the program under test made. Throws when it is shorter than 8 bytes. Thread:
/// any.
void remember_secret(const std::string& name, const std::string& bytes);
/// All that have been remembered so far. Thread: any.
[[nodiscard]] std::vector<Secret> remembered_secrets();

/// Looks for remembered secrets.
class SecretFinder {
 public:
  explicit SecretFinder(std::vector<Secret> secrets);
  /// The names of those that stand in `bytes`.
  [[nodiscard]] std::set<std::string> names_in(std::string_view bytes) const;
  /// The same of all files in a folder and those below it.
  [[nodiscard]] std::set<std::string> names_in_files(const std::filesystem::path& folder) const;

 private:
  std::vector<Secret> secrets_;
};

}  // namespace runfold::test

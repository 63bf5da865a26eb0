// A connector in C++: keeps a catalogue of this machine's packages, one line each.
//
//     dpkg-catalogue FILE [STATUS]     FILE: the catalogue; STATUS: dpkg's database, /var/lib/dpkg/status unless given
//
// Packages are entities, dependencies are relationships. Where Runfold's Kafka is and what the run is called comes from the
// environment (RUNFOLD_BOOTSTRAP_SERVERS, RUNFOLD_CONNECTOR, ...); without it the same work is done and printed. A line a step
// goes to stdout. Exit code 1: the run failed; 78: the environment can never work.
#include "producer/sdk/run_connector.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using runfold::ConnectorStep;
using runfold::Context;
using runfold::StepOutcome;

struct Package {
  std::string version;
  /// Each as it stands: "libc6 (>= 2.36)", or "awk | gawk".
  std::set<std::string> dependencies;
  bool operator==(const Package&) const = default;
};
using Packages = std::map<std::string, Package>;

std::system_error cannot(const std::string& what, const std::filesystem::path& path) {
  return {errno, std::generic_category(), "cannot " + what + " " + path.string()};
}

/// The parts between commas, without the spaces around them.
std::set<std::string> list_of(std::string_view text, char between = ',') {
  std::set<std::string> out;
  while (!text.empty()) {
    auto part = text.substr(0, text.find(between));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    part = part.substr(0, part.find_last_not_of(' ') + 1);
    if (!part.empty()) out.emplace(part);
  }
  return out;
}

/// What was made, changed and removed between two catalogues.
runfold::v1::SyncStats difference(const Packages& before, const Packages& after) {
  std::uint64_t created = 0, updated = 0, deleted = 0, linked = 0, unlinked = 0;
  for (const auto& [name, package] : after) {
    const auto was = before.find(name);
    created += was == before.end() ? 1 : 0;
    updated += was != before.end() && was->second != package ? 1 : 0;
    for (const auto& link : package.dependencies) linked += was == before.end() || !was->second.dependencies.contains(link) ? 1 : 0;
  }
  for (const auto& [name, package] : before) {
    const auto is = after.find(name);
    deleted += is == after.end() ? 1 : 0;
    for (const auto& link : package.dependencies) unlinked += is == after.end() || !is->second.dependencies.contains(link) ? 1 : 0;
  }
  runfold::v1::SyncStats stats;
  stats.set_entities_created(created);
  stats.set_entities_updated(updated);
  stats.set_entities_deleted(deleted);
  stats.set_relationships_created(linked);
  stats.set_relationships_deleted(unlinked);
  return stats;
}

class Catalogue final : public runfold::Connector {
 public:
  Catalogue(std::filesystem::path file, std::filesystem::path status) : file_(std::move(file)), status_(std::move(status)) {}

  std::vector<ConnectorStep> steps() override {
    return {{.step_id = "read", .body = [this](runfold::Step& step) { return read(step); }, .required = true},
            {.step_id = "check", .body = [this](runfold::Step&) { return check(); }},
            {.step_id = "commit", .body = [this](runfold::Step&) { return commit(); }, .required = true}};
  }

 private:
  StepOutcome read(runfold::Step& step) {
    std::ifstream in(status_);
    if (!in) throw cannot("read", status_);
    std::map<std::string, std::string> fields;
    std::size_t skipped = 0;
    const auto end_of_paragraph = [&] {
      if (!fields.empty() && !take(std::exchange(fields, {}))) ++skipped;
    };
    for (std::string line; std::getline(in, line);) {
      if (line.empty()) {
        end_of_paragraph();
      } else if (const auto colon = line.find(": "); line.front() != ' ' && colon != std::string::npos) {
        fields[line.substr(0, colon)] = line.substr(colon + 2);
      }
    }
    end_of_paragraph();
    std::uint64_t links = 0;
    for (const auto& [name, package] : packages_) links += package.dependencies.size();
    step.logger().info("Read " + std::to_string(packages_.size()) + " packages, " + std::to_string(skipped) + " skipped",
                       {.detail = {{"packages", packages_.size()}, {"dependencies", links}, {"skipped", skipped}}});
    return {.entities = packages_.size(), .relationships = links};
  }

  /// False: it cannot be catalogued. What this logs is the step's, whose context it is called in.
  bool take(std::map<std::string, std::string> fields) {
    if (fields.contains("Status") && !fields["Status"].ends_with(" installed")) return true;
    if (!fields.contains("Package") || !fields.contains("Version")) {
      Context::current().logger().warn("Skipping a package without name or version", {.detail = {{"package", fields["Package"]}}});
      return false;
    }
    packages_[fields["Package"]] = {.version = fields["Version"], .dependencies = list_of(fields["Depends"])};
    for (const auto& name : list_of(fields["Provides"])) provided_.insert(name.substr(0, name.find(' ')));
    return true;
  }

  /// A dependency that nothing meets is worth a look, but no reason to keep the catalogue as it was.
  StepOutcome check() {
    std::uint64_t unmet = 0;
    std::string first;
    for (const auto& [name, package] : packages_) {
      for (const auto& dependency : package.dependencies) {
        if (is_met(dependency) || ++unmet > 1) continue;
        first = name + " needs " + dependency;
      }
    }
    if (unmet > 0) throw std::runtime_error(std::to_string(unmet) + " unmet dependencies, the first: " + first);
    return {};
  }

  /// `dependency` has alternatives: "awk | gawk (>= 5)".
  [[nodiscard]] bool is_met(std::string_view dependency) const {
    for (const auto& alternative : list_of(dependency, '|')) {
      const std::string name = alternative.substr(0, alternative.find_first_of(" :("));
      if (packages_.contains(name) || provided_.contains(name)) return true;
    }
    return false;
  }

  StepOutcome commit() {
    const auto stats = difference(load(), packages_);
    auto next = file_;
    next += ".new";
    try {
      std::ofstream out(next, std::ios::trunc);
      if (!out) throw cannot("write", next);
      for (const auto& [name, package] : packages_) {
        out << name << '\t' << package.version << '\t';
        for (const char* comma = ""; const auto& link : package.dependencies) out << std::exchange(comma, ",") << link;
        out << '\n';
      }
      out.close();
      if (!out) throw cannot("write", next);
      std::filesystem::rename(next, file_);
    } catch (...) {
      std::throw_with_nested(std::runtime_error("the catalogue stays as it was"));
    }
    return {.committed = stats};
  }

  /// The catalogue as it stands; empty when there is none yet.
  [[nodiscard]] Packages load() const {
    Packages out;
    std::ifstream in(file_);
    if (!in && std::filesystem::exists(file_)) throw cannot("read", file_);
    std::string name, version, links;
    while (std::getline(in, name, '\t') && std::getline(in, version, '\t') && std::getline(in, links)) {
      out[name] = {.version = version, .dependencies = list_of(links)};
    }
    return out;
  }

  const std::filesystem::path file_;
  const std::filesystem::path status_;
  Packages packages_;
  std::set<std::string> provided_;
};

// A line for each step that ended: the local subscriber, with or without Kafka.
void print(const runfold::v1::SyncEvent& event) {
  if (event.has_step_completed()) {
    std::cout << event.step_completed().step_id() << ": done";
    if (event.step_completed().has_entities()) std::cout << ", " << event.step_completed().entities() << " entities";
    std::cout << '\n';
  } else if (event.has_step_failed()) {
    std::cout << event.step_failed().step_id() << ": " << event.step_failed().error() << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: dpkg-catalogue FILE [STATUS]\n";
    return 2;
  }
  Catalogue connector(argv[1], argc == 3 ? argv[2] : "/var/lib/dpkg/status");
  const auto outcome = runfold::run_connector(connector, "this-machine", {}, print);
  if (!outcome) {
    std::cerr << outcome.error().message << '\n';
    return 78;
  }
  return outcome->result == runfold::v1::RUN_RESULT_SUCCESS ? 0 : 1;
}

// What must stand in the store, worked out from what reached the log: plainly, from the messages, with none of the fold's code.
#pragma once

#include "runfold/v1/run.pb.h"
#include "tests/simulation/log.hpp"
#include "tests/simulation/store.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace runfold::simulation {

/// What the logs topic says of a run.
struct ExpectedLogs {
  std::string connector;
  std::string version;
  std::string site;
  std::array<std::uint64_t, 8> counts{};
  std::uint64_t received = 0;
  /// Sorted.
  std::vector<std::string> messages;
  /// What was asked for, to what came of it and when.
  std::map<std::string, std::pair<std::optional<std::uint32_t>, std::int64_t>> api_failures;
};

/// Failing calls of one connector to one kind of thing with one code.
struct ExpectedGroup {
  std::uint64_t count = 0;
  std::int64_t last_ns = 0;
  /// Of the first of them: when, and the connector's version.
  std::pair<std::int64_t, std::string> first;
  std::set<std::string> sites;
  /// By partition.
  std::map<std::int32_t, std::pair<std::int64_t, std::int64_t>> offsets;
};

struct ExpectedOperation {
  std::int32_t partition = -1;
  std::int64_t updated_at_ns = 0;
  std::string status;
  bool removed = false;
};

struct Expected {
  std::map<collector::RunKey, v1::Run> runs;
  /// Where lists sort it.
  std::map<collector::RunKey, std::int64_t> sort_at_ns;
  std::map<collector::RunKey, ExpectedLogs> logs;
  /// By connector, URI template and code.
  std::map<std::tuple<std::string, std::string, std::optional<std::uint32_t>>, ExpectedGroup> groups;
  std::map<std::string, ExpectedOperation> operations;
};

[[nodiscard]] Expected expect(const Logs& logs);

/// Throws Failure that names the key, the field, and both values.
void compare(const Expected& expected, const Contents& contents, const Witness& witness);

}  // namespace runfold::simulation

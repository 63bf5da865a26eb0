// Compares everything that a store holds with the oracle.
#pragma once

#include "collector/store/store.hpp"
#include "tests/broker/collector/oracle.hpp"

#include <filesystem>
#include <string>

namespace runfold::collector::test {

/// Fails the running test wherever they differ. The collector must not run: the store's offsets are read as its owner.
void expect_equal(const Oracle& oracle, const std::filesystem::path& store_path);

/// The last record of every partition is in the store, and with it all that stood before.
[[nodiscard]] bool all_folded(Query& query, std::int32_t partitions = kPartitions);

/// How many events the store's runs have taken in so far.
[[nodiscard]] std::uint64_t events_folded(Query& query);

}  // namespace runfold::collector::test

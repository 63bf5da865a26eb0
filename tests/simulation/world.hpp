// One seed: connectors, Kafka, a store and collectors, and the actions that chance makes of them.
#pragma once

#include "tests/simulation/collectors.hpp"
#include "tests/simulation/connectors.hpp"
#include "tests/simulation/oracle.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace runfold::simulation {

/// What the collectors of a seed write to: maps, the real SQLite store, or the one or the other as the seed has it.
enum class Stores { kBoth, kSqlite };

class World {
 public:
  World(std::uint64_t seed, Stores stores, const Trace& trace);

  /// How many actions the seed has.
  [[nodiscard]] std::size_t actions() const noexcept { return actions_; }
  /// Takes the first `actions` of them, heals everything, lets all of it settle, and compares. Throws Failure. Call it once.
  void run(std::size_t actions);

 private:
  void act();
  void trouble();
  void mend();
  /// Seconds pass; runs that live show it.
  void let_pass(std::int64_t seconds, bool runs_live);
  void settle();
  void until_all_is_committed();
  void check() const;
  [[nodiscard]] Fate random_fate();
  /// A job of its writer, with this fate, or of its reader.
  void run_job(Collector& collector, Fate fate);
  /// Absent when there is none that is fit.
  template <class Fit>
  [[nodiscard]] Collector* any(Fit&& fit);

  Random random_;
  const Trace& trace_;
  Manners manners_;
  collector::LivenessLimits limits_;
  bool log_times_are_true_ = true;
  ModelKafka kafka_;
  Connectors connectors_;
  std::unique_ptr<Storage> storage_;
  Witness witness_;
  bool store_is_up_ = true;
  /// What the collectors' clocks are wrong by.
  std::int64_t wall_skew_ns_ = 0;
  std::vector<std::unique_ptr<Collector>> collectors_;
  std::size_t actions_ = 0;
  /// Chance of trouble an action. Unit: 1 in 1,000.
  std::size_t roughness_ = 0;
};

}  // namespace runfold::simulation

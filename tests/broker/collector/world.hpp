// A workload, the collector that folds it, and the faults that befall the two on the way.
#pragma once

#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/workload.hpp"
#include "tests/support/restartable_broker.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace runfold::collector::test {

/// One thing that goes wrong.
struct Fault {
  enum class Kind {
    kKill,       ///< SIGKILL of the collector at a random point; it is started again at once.
    kFailpoint,  ///< It kills itself where `where` says, at a random one of the next few passings.
    kRebalance,  ///< Another member joins the group and leaves it again.
    kStop,       ///< SIGSTOP beyond the session timeout, during which others take the partitions, in Kafka and in the store; then SIGCONT.
    kTakeover,   ///< Stopped for a moment, during which another collector claims its partitions in the store.
    kBrokerCrash,  ///< SIGKILL of Kafka; it is started again with the same data.
    kRecreation,   ///< Once all of it is folded, the topic of events is deleted and made anew. For a World that goes on with data loss.
    kGrowth,       ///< The topics of events and logs get twice the partitions, 16 at most: runs go on in others than they began in.
  };
  Kind kind = Kind::kKill;
  std::string where{};
};

/// Sends a workload and breaks things while it is folded, each fault at its share of the way; then compares all with the oracle.
///
/// Thread: one. Everything is drawn from the seed, but where in the collector's work a fault falls the machine decides.
class World {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::size_t runs = 200;
    std::size_t events = 20'000;
    bool continue_on_data_loss = false;
    Mischief mischief{.repeats_percent = 5, .reordered_percent = 20, .reorder_within = 64, .late_per_mille = 5, .poison_per_mille = 1};
  };

  World(const Options& options, runfold::test::RestartableBroker& broker);

  /// Fails the running test wherever the store, or the dead letters, differ from the oracle afterwards.
  void run(const std::vector<Fault>& faults);

  /// What befell it, for a person: "17 kills, 3 at after-commit".
  [[nodiscard]] std::string summary() const;
  [[nodiscard]] int befell(const std::string& what) const { return befell_.contains(what) ? befell_.at(what) : 0; }

 private:
  void befall(const Fault& fault);
  void kill_and_start();
  void die_at(const std::string& where);
  void rebalance();
  void stop_and_continue();
  void take_over();
  void crash_broker();
  void recreate();
  void grow();
  void expect_dead_letters(const Oracle& oracle);
  /// The collector has taken in so many events; starts it again should it have been fenced. False: not in time.
  [[nodiscard]] bool folded(std::uint64_t at_least);
  void send(std::size_t records);
  void start(const std::string& failpoint = {});

  runfold::test::RestartableBroker& broker_;
  CollectorUnderTest collector_;
  bool continue_on_data_loss_;
  Workload workload_;
  std::mt19937_64 random_;
  std::unique_ptr<Query> query_;
  bool more_ = true;
  std::int32_t partitions_ = kPartitions;
  std::map<std::string, int> befell_;
};

}  // namespace runfold::collector::test

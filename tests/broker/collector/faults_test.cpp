// Whatever fails, and however often, the store equals the oracle and all that cannot be read is in the dead letters.
#include "tests/broker/collector/world.hpp"
#include "tests/support/sanitized.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

namespace runfold::collector::test {
namespace {

using Kind = Fault::Kind;

// Under a sanitizer the same faults, fewer times: what it looks for shows at the first.
constexpr int kKills = runfold::test::kSanitized ? 10 : 50;
constexpr int kDeaths = runfold::test::kSanitized ? 2 : 10;

const std::vector<std::string>& failpoints() {
  static const std::vector<std::string> kNames{"before-commit", "after-commit", "after-dead-letters", "in-revoke"};
  return kNames;
}

/// One Kafka for all that breaks it: those tests leave it running as they found it.
class Faults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker_ = std::make_unique<runfold::test::RestartableBroker>();
    const char* before = std::getenv("RUNFOLD_TEST_BOOTSTRAP");
    before_ = before == nullptr ? "" : before;
    ::setenv("RUNFOLD_TEST_BOOTSTRAP", broker_->address().c_str(), 1);
  }
  static void TearDownTestSuite() {
    ::setenv("RUNFOLD_TEST_BOOTSTRAP", before_.c_str(), 1);
    broker_.reset();
  }

  static std::unique_ptr<runfold::test::RestartableBroker> broker_;
  static std::string before_;
};
std::unique_ptr<runfold::test::RestartableBroker> Faults::broker_;
std::string Faults::before_;

TEST_F(Faults, KillsAtRandomPointsLoseNothingAndCountNothingTwice) {
  World world({.seed = 50, .runs = 300, .events = std::size_t{kKills} * 1'200}, *broker_);
  world.run(std::vector<Fault>(kKills));
  std::cout << world.summary() << "\n";
  EXPECT_EQ(world.befell("kills"), kKills);
}

TEST_F(Faults, DyingAtEachPlaceOfACommitOrARevokeLosesNothingAndCountsNothingTwice) {
  World::Options options{.seed = 51, .runs = 300, .events = std::size_t{kDeaths} * 12'000};
  options.mischief.poison_per_mille = 20;
  World world(options, *broker_);
  std::vector<Fault> faults;
  for (int times = 0; times < kDeaths; ++times) {
    for (const std::string& where : failpoints()) faults.push_back({Kind::kFailpoint, where});
  }
  world.run(faults);
  std::cout << world.summary() << "\n";
  for (const std::string& where : failpoints()) EXPECT_EQ(world.befell("deaths " + where), kDeaths) << where;
}

TEST_F(Faults, ACollectorStoppedBeyondItsSessionWritesNothingThatAnotherHasTakenOver) {
  World world({.seed = 52, .runs = 100, .events = 20'000}, *broker_);
  world.run({{Kind::kStop}, {Kind::kTakeover}, {Kind::kKill}, {Kind::kStop}, {Kind::kTakeover}});
  std::cout << world.summary() << "\n";
  EXPECT_GE(world.befell("takeovers refused"), 2);
  EXPECT_GE(world.befell("fenced stops"), 1);
}

TEST_F(Faults, AKafkaThatIsKilledAndComesBackCostsNothing) {
  World world({.seed = 53, .runs = 100, .events = 20'000}, *broker_);
  world.run({{Kind::kBrokerCrash}, {Kind::kRebalance}, {Kind::kBrokerCrash}});
  std::cout << world.summary() << "\n";
}

TEST_F(Faults, PartitionsAddedWhileItIsKilledAndItsGroupMovesCostNothing) {
  World world({.seed = 54, .runs = 100, .events = 20'000}, *broker_);
  world.run({{Kind::kGrowth}, {Kind::kKill}, {Kind::kRebalance}, {Kind::kGrowth}, {Kind::kKill}, {Kind::kRebalance}, {Kind::kKill}});
  std::cout << world.summary() << "\n";
  EXPECT_EQ(world.befell("growths"), 2);
  EXPECT_GT(world.befell("runs moved"), 0);
}

TEST_F(Faults, ATopicThatIsMadeAnewOnceItWasReadCostsNothingWithOnDataLossContinue) {
  World world({.seed = 55, .runs = 100, .events = 20'000, .continue_on_data_loss = true}, *broker_);
  world.run({{Kind::kKill}, {Kind::kRecreation}, {Kind::kKill}, {Kind::kRecreation}, {Kind::kKill}});
  std::cout << world.summary() << "\n";
  EXPECT_EQ(world.befell("recreations"), 2);
}

/// tests/chaos/run says how many; a bare run of the tests makes none.
TEST_F(Faults, AsManyRoundsAsAskedForEndEqualToTheOracle) {
  const char* asked = std::getenv("RUNFOLD_CHAOS_ROUNDS");
  if (asked == nullptr) GTEST_SKIP() << "asked for by tests/chaos/run";
  const char* seed_text = std::getenv("RUNFOLD_CHAOS_SEED");
  const std::uint64_t first = seed_text == nullptr ? 1 : std::strtoull(seed_text, nullptr, 10);
  for (std::uint64_t round = 0; round < std::strtoull(asked, nullptr, 10); ++round) {
    std::mt19937_64 random(first + round);
    std::vector<Fault> faults(20 + random() % 20);
    const bool continues = random() % 3 == 0;
    for (Fault& fault : faults) {
      const auto drawn = random() % 100;
      if (drawn < 60) {
        if (continues && drawn < 3) fault.kind = Kind::kRecreation;
        continue;  // A kill.
      }
      fault.kind = drawn < 85   ? Kind::kFailpoint
                   : drawn < 94 ? Kind::kRebalance
                   : drawn < 96 ? Kind::kStop
                   : drawn < 97 ? Kind::kTakeover
                   : drawn < 98 ? Kind::kGrowth
                                : Kind::kBrokerCrash;
      if (fault.kind == Kind::kFailpoint) fault.where = failpoints()[random() % failpoints().size()];
    }
    World world({.seed = first + round, .runs = 200, .events = 60'000, .continue_on_data_loss = continues}, *broker_);
    world.run(faults);
    std::cout << "round " << round + 1 << " of " << asked << ", seed " << first + round << ": " << world.summary() << ": "
              << (HasFailure() ? "DIFFERENT" : "equal") << std::endl;
    ASSERT_FALSE(HasFailure()) << "again with: tests/chaos/run --rounds 1 --seed " << first + round;
  }
}

}  // namespace
}  // namespace runfold::collector::test

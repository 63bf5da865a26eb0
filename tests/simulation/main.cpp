// Runs seeds of the simulation: `simulation --seeds 10000`, `simulation --seed 17 --trace`.
#include "tests/simulation/time.hpp"
#include "tests/simulation/world.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <optional>
#include <string>

namespace runfold::simulation {
namespace {

/// What is wrong after the first `actions` of a seed; absent: nothing.
std::optional<std::string> failure(std::uint64_t seed, Stores stores, std::optional<std::size_t> actions, bool trace_on = false) {
  const Trace trace(trace_on);
  try {
    World world(seed, stores, trace);
    world.run(actions.value_or(world.actions()));
    return std::nullopt;
  } catch (const Failure& found) {
    return found.what();
  }
}

std::size_t actions_of(std::uint64_t seed) {
  const Trace silent(false);
  return World(seed, Stores::kBoth, silent).actions();
}

/// The fewest actions after which something is wrong. Not what is wrong after more need show after fewer, so each is tried.
std::size_t shortest(std::uint64_t seed, Stores stores) {
  const std::size_t all = actions_of(seed);
  for (std::size_t actions = 0; actions < all; ++actions) {
    if (failure(seed, stores, actions)) return actions;
  }
  return all;
}

int report(std::uint64_t seed, Stores stores, const std::string& what, bool shrink) {
  std::printf("seed %llu of %zu actions fails: %s\n", static_cast<unsigned long long>(seed), actions_of(seed), what.c_str());
  if (shrink) {
    const std::size_t actions = shortest(seed, stores);
    const std::string then = failure(seed, stores, actions).value_or(what);
    std::printf("the shortest prefix that fails has %zu actions: %s\n", actions, then.c_str());
    std::printf("see it with: simulation --seed %llu --actions %zu --trace\n", static_cast<unsigned long long>(seed), actions);
  }
  return 1;
}

}  // namespace
}  // namespace runfold::simulation

int main(int argc, char** argv) {
  using namespace runfold::simulation;
  CLI::App app("The collector against a model of everything around it: each seed is one history, compared with an oracle at its end.");
  std::uint64_t seeds = 10'000;
  std::uint64_t first = 1;
  std::optional<std::uint64_t> seed;
  std::optional<std::size_t> actions;
  bool trace = false;
  bool shrink = false;
  bool sqlite = false;
  app.add_option("--seeds", seeds, "how many seeds to run")->capture_default_str();
  app.add_option("--first", first, "the first of them")->capture_default_str();
  app.add_option("--seed", seed, "run this one only");
  app.add_option("--actions", actions, "of that seed, only so many actions");
  app.add_flag("--trace", trace, "tell everything that happens");
  app.add_flag("--shrink", shrink, "when a seed fails, look for the shortest prefix of its actions that does");
  app.add_flag("--sqlite", sqlite, "every seed writes to the SQLite store, not one in 32");
  CLI11_PARSE(app, argc, argv);
  const Stores stores = sqlite ? Stores::kSqlite : Stores::kBoth;

  if (seed) {
    if (const auto what = failure(*seed, stores, actions, trace)) return report(*seed, stores, *what, shrink);
    std::printf("seed %llu is right\n", static_cast<unsigned long long>(*seed));
    return 0;
  }
  for (std::uint64_t i = first; i < first + seeds; ++i) {
    if (const auto what = failure(i, stores, std::nullopt, trace)) return report(i, stores, *what, shrink);
  }
  std::printf("%llu seeds are right, in %.1f s\n", static_cast<unsigned long long>(seeds), cpu_seconds());
  return 0;
}

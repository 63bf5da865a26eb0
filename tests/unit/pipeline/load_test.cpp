// Loading rows: large ones come a few at a time, the most urgent first, and all of them come in the end.
#include "collector/pipeline_load.hpp"

#include "tests/support/folding.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace runfold::collector {
namespace {

using runfold::test::Folding;
using runfold::test::Telling;
using runfold::test::wait_until;

TEST(Loader, LargeRowsComeAFewAtATimeTheMostUrgentFirstAndAllOfThemInTheEnd) {
  constexpr std::size_t kRuns = 50;
  Folding before;
  const std::string error(4'000, 'e');
  Telling telling("run");
  for (int step = 0; step < 400; ++step) before.send(telling.step_failed(10, "step " + std::to_string(step), error));
  before.commit();
  ASSERT_GT(before.runs.at({"run", 1}).snapshot.size(), 1'500'000U);

  test::MemoryStore store;
  Loader::Wanted wanted;
  for (std::size_t i = kRuns; i > 0; --i) {
    Batch batch;
    batch.runs.push_back(before.runs.at({"run", 1}));
    batch.runs[0].key.run_id = "run " + std::to_string(i);
    v1::Run snapshot;
    ASSERT_TRUE(snapshot.ParseFromString(batch.runs[0].snapshot));
    snapshot.set_run_id(batch.runs[0].key.run_id);
    batch.runs[0].snapshot = snapshot.SerializeAsString();
    ASSERT_TRUE(store.commit(batch));
    wanted.runs.push_back(batch.runs[0].key);
    wanted.runs.push_back(batch.runs[0].key);
    wanted.logs.push_back(batch.runs[0].key);
  }

  JobThread<RunReader> jobs(std::make_unique<test::MemoryRunReader>(store), [] {});
  Loader loader(jobs);
  Fold fold;
  const auto known = [&] {
    return static_cast<std::size_t>(std::ranges::count_if(wanted.logs, [&](const RunKey& key) {
      return fold.knows_run({key.run_id, key.attempt});
    }));
  };
  const auto load = [&](Loader::Wanted keys) {
    loader.begin(std::move(keys), fold);
    std::optional<Loader::Outcome> outcome;
    ASSERT_TRUE(wait_until([&] { return (outcome = loader.advance(Loader::Clock::now(), fold)).has_value(); }));
    ASSERT_FALSE(outcome->error) << outcome->error->message;
  };
  load(wanted);
  EXPECT_LT(known(), kRuns);
  EXPECT_TRUE(fold.knows_run({wanted.runs.front().run_id, 1}));
  EXPECT_FALSE(fold.knows_run({wanted.runs.back().run_id, 1}));
  for (const RunKey& key : wanted.logs) EXPECT_TRUE(fold.knows_run_logs({key.run_id, key.attempt}));

  Loader::Wanted left;
  for (const RunKey& key : wanted.logs) {
    if (!fold.knows_run({key.run_id, key.attempt})) left.runs.push_back(key);
  }
  load(left);
  EXPECT_EQ(known(), kRuns);
}

TEST(Loader, LogsWhoseRunIsLetGoWhileTheyAreReadAreReadAgain) {
  Folding before;
  Telling telling("run");
  before.send(telling.started(10));
  before.commit();
  test::MemoryStore store;
  Batch running;
  running.runs.push_back(before.runs.at({"run", 1}));
  ASSERT_TRUE(store.commit(running));

  JobThread<RunReader> jobs(std::make_unique<test::MemoryRunReader>(store), [] {});
  Loader loader(jobs);
  Fold fold;
  ASSERT_TRUE(fold.supply_run({"run", 1}, running.runs[0]));
  loader.begin({.runs = {}, .logs = {{"run", 1}}}, fold);
  ASSERT_TRUE(wait_until([&] { return store.loads().size() == 2; })) << "its logs and its row";
  // Meanwhile the run, which is in memory, is called lost, committed and let go. Its logs must find it so, to call it back.
  Batch lost = running;
  lost.runs[0].result = v1::RUN_RESULT_LOST;
  ASSERT_TRUE(store.commit(lost));
  for (int i = 0; i < 2; ++i) fold.evict(0, 0);  // What was just supplied outlasts one.
  ASSERT_FALSE(fold.knows_run({"run", 1}));
  const auto loaded = [&] {
    std::optional<Loader::Outcome> outcome;
    return wait_until([&] { return (outcome = loader.advance(Loader::Clock::now(), fold)).has_value(); }) && !outcome->error;
  };
  ASSERT_TRUE(loaded());
  EXPECT_FALSE(fold.knows_run_logs({"run", 1})) << "they are to be wanted again";

  loader.begin({.runs = {}, .logs = {{"run", 1}}}, fold);
  ASSERT_TRUE(loaded());
  EXPECT_TRUE(fold.knows_run_logs({"run", 1}));
  EXPECT_TRUE(fold.knows_run({"run", 1}));
}

}  // namespace
}  // namespace runfold::collector

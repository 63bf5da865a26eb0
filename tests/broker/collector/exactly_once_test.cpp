// The promise that everything hangs on: a collector that is killed again and again loses nothing and counts nothing twice.
#include "tests/broker/collector/collector_under_test.hpp"
#include "tests/broker/collector/compare.hpp"
#include "tests/broker/collector/workload.hpp"
#include "tests/support/http_get.hpp"
#include "tests/support/wait_until.hpp"

#include <gtest/gtest.h>

namespace runfold::collector::test {
namespace {

using runfold::test::wait_until;

TEST(ExactlyOnce, ACollectorKilledInTheMiddleOfFiftyThousandEventsEqualsTheOracle) {
  constexpr std::size_t kEvents = 50'000;
  CollectorUnderTest collector("kill");
  Workload workload(broker_properties(), collector.topics(), 20260516, 300, kEvents);
  collector.start();
  std::unique_ptr<Query> query;
  ASSERT_TRUE(wait_until([&] { return (query = collector.query()) != nullptr || !collector.running(); }));
  ASSERT_NE(query, nullptr) << collector.said();

  // What is sent stays ahead of what is committed, so that each kill tears a batch apart.
  int kills = 0;
  std::uint64_t folded = 0;
  const auto folded_at_least = [&](std::uint64_t wanted) {
    return wait_until([&] { return (folded = events_folded(*query)) >= wanted || !collector.running(); });
  };
  bool more = true;
  while (more) {
    more = workload.send(4'000);
    const std::uint64_t wanted = workload.events_sent() > 3'000 ? workload.events_sent() - 3'000 : 1;
    ASSERT_TRUE(folded_at_least(wanted)) << folded << " of " << wanted << "; " << collector.said();
    ASSERT_TRUE(collector.running()) << collector.said();
    if (more && folded >= static_cast<std::uint64_t>(kills + 1) * kEvents / 8) {
      more = workload.send(2'000);
      collector.kill();
      ++kills;
      collector.start();
    }
  }
  EXPECT_GE(kills, 5);
  const Oracle oracle = workload.finish();
  ASSERT_TRUE(wait_until([&] { return all_folded(*query) || !collector.running(); })) << collector.said();
  const std::string url = collector.url();
  EXPECT_TRUE(wait_until([&] {
    const auto answer = runfold::test::http_get(url + "/readyz");
    return answer && answer->status == 200;
  })) << collector.said();
  query.reset();
  EXPECT_EQ(collector.terminate(), 0) << collector.said();
  expect_equal(oracle, collector.store_path());
}

}  // namespace
}  // namespace runfold::collector::test

// Queries on threads of their own.
#include "tests/unit/api/api_fixture.hpp"

#include <boost/asio/detached.hpp>

#include <atomic>
#include <future>
#include <stdexcept>

namespace runfold::collector::test {
namespace {

namespace asio = boost::asio;

class QueryPoolTest : public testing::Test {
 protected:
  QueryPool::Open open() {
    return [this]() -> StoreResult<std::unique_ptr<Query>> {
      ++opened_;
      if (fail_opening_) return StoreError{StoreErrc::kUnavailable, "away"};
      return std::unique_ptr<Query>(std::make_unique<FakeQuery>(store_));
    };
  }

  /// Starts `work` on the pool; its outcome's message, or its value, is added to answers_ when the context runs.
  template <class Work>
  void start(QueryPool& pool, Work work) {
    auto task = [this, &pool, work]() -> asio::awaitable<void> {
      auto result = co_await pool.run(work);
      answers_.push_back(result ? std::to_string(*result) : result.error().message);
    };
    asio::co_spawn(context_, task, asio::detached);
  }

  FakeStore store_;
  std::atomic<int> opened_ = 0;
  std::atomic<bool> fail_opening_ = false;
  std::vector<std::string> answers_;
  asio::io_context context_;
};

TEST_F(QueryPoolTest, AQueryRunsOffTheEventLoopAndCompletesOnIt) {
  QueryPool pool(open(), 1, 4);
  std::thread::id ran;
  start(pool, [&ran](Query&) -> StoreResult<int> {
    ran = std::this_thread::get_id();
    return 7;
  });
  context_.run();
  EXPECT_EQ(answers_, std::vector<std::string>{"7"});
  EXPECT_NE(ran, std::this_thread::get_id());
}

TEST_F(QueryPoolTest, AThreadKeepsItsQueryOpen) {
  QueryPool pool(open(), 1, 4);
  for (int i = 0; i < 3; ++i) {
    start(pool, [](Query&) -> StoreResult<int> { return 1; });
  }
  context_.run();
  EXPECT_EQ(answers_.size(), 3U);
  EXPECT_EQ(opened_, 1);
}

TEST_F(QueryPoolTest, AStoreThatCannotBeOpenedIsTriedAgainNextTime) {
  fail_opening_ = true;
  QueryPool pool(open(), 1, 4);
  start(pool, [](Query&) -> StoreResult<int> { return 1; });
  context_.run();
  EXPECT_EQ(answers_, std::vector<std::string>{"away"});
  fail_opening_ = false;
  context_.restart();
  start(pool, [](Query&) -> StoreResult<int> { return 1; });
  context_.run();
  EXPECT_EQ(answers_.back(), "1");
}

TEST_F(QueryPoolTest, MoreQueriesThanMayWaitAreRefusedAtOnce) {
  QueryPool pool(open(), 1, 1);
  std::promise<void> running, go;
  start(pool, [&, gate = go.get_future().share()](Query&) -> StoreResult<int> {
    running.set_value();
    gate.wait();
    return 1;
  });
  // The first is with the thread before the others come.
  context_.run_one();
  running.get_future().wait();
  start(pool, [](Query&) -> StoreResult<int> { return 2; });
  start(pool, [](Query&) -> StoreResult<int> { return 3; });
  while (answers_.empty()) {
    context_.run_one();
  }
  EXPECT_EQ(answers_, std::vector<std::string>{"1 queries wait for the store already; ask again in a moment"});
  go.set_value();
  context_.run();
  EXPECT_EQ(answers_.size(), 3U);
}

TEST_F(QueryPoolTest, StoppingAnswersWhoWaits) {
  QueryPool pool(open(), 1, 4);
  std::promise<void> running, go;
  start(pool, [&, gate = go.get_future().share()](Query&) -> StoreResult<int> {
    running.set_value();
    gate.wait();
    return 1;
  });
  start(pool, [](Query&) -> StoreResult<int> { return 2; });
  context_.poll();
  running.get_future().wait();
  auto stopping = std::async(std::launch::async, [&pool] { pool.stop(); });
  go.set_value();
  stopping.wait();
  start(pool, [](Query&) -> StoreResult<int> { return 3; });
  context_.run();
  EXPECT_EQ(answers_.size(), 3U);
  EXPECT_EQ(answers_.back(), "the collector is stopping; ask again when it is back");
}

TEST_F(QueryPoolTest, AnExceptionIsAnErrorOfThatQueryAlone) {
  QueryPool pool(open(), 1, 4);
  start(pool, [](Query&) -> StoreResult<int> { throw std::runtime_error("odd"); });
  start(pool, [](Query&) -> StoreResult<int> { return 2; });
  context_.run();
  EXPECT_EQ(answers_, (std::vector<std::string>{"a query failed: odd", "2"}));
}

}  // namespace
}  // namespace runfold::collector::test

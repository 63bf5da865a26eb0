// Runs blocking store queries on threads of their own, off the event loop.
#pragma once

#include "collector/store/store.hpp"

#include <boost/asio/awaitable.hpp>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace runfold::collector {

/// A few threads with one Query each.
///
/// A thread opens its Query when first needed, and again after one could not be opened.
/// Thread: any.
class QueryPool {
 public:
  using Open = std::function<StoreResult<std::unique_ptr<Query>>()>;

  /// `waiting` bounds the queries that wait for a thread.
  QueryPool(Open open, std::size_t threads, std::size_t waiting);
  /// As stop().
  ~QueryPool();
  QueryPool(const QueryPool&) = delete;
  QueryPool& operator=(const QueryPool&) = delete;

  /// Runs `work(query)`, which gives a StoreResult, on a thread of the pool; completes on the caller's executor.
  /// `work` must own what it uses.
  /// Errors: the work's own; kUnavailable when the store cannot be opened or the pool is stopped; kBusy when too many wait.
  /// Cancel: not supported; a query under way is waited for.
  template <class Work>
  [[nodiscard]] boost::asio::awaitable<std::invoke_result_t<Work&, Query&>> run(Work work) {
    using Outcome = std::invoke_result_t<Work&, Query&>;
    auto outcome = std::make_shared<std::optional<Outcome>>();
    Job job = [outcome, task = std::move(work)](StoreResult<Query*> query) mutable {
      if (query) {
        outcome->emplace(task(**query));
      } else {
        outcome->emplace(query.error());
      }
    };
    co_await enqueue(std::move(job));
    co_return std::move(**outcome);
  }

  /// Lets queries under way end, and answers those that wait with an error.
  void stop();

 private:
  using Job = std::function<void(StoreResult<Query*>)>;
  struct Waiting {
    Job job;
    /// Resumes the coroutine that waits, on its own executor.
    std::function<void()> resume;
  };

  /// Completes when the job has run.
  boost::asio::awaitable<void> enqueue(Job job);
  void add(Waiting waiting);
  void work();

  const Open open_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> queue_;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace runfold::collector

// Runs blocking store queries on threads of their own, off the event loop.
#include "collector/api/query_pool.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <string>

namespace runfold::collector {

namespace asio = boost::asio;

QueryPool::QueryPool(Open open, std::size_t threads, std::size_t waiting) : open_(std::move(open)), limit_(waiting) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

QueryPool::~QueryPool() {
  stop();
}

void QueryPool::stop() {
  std::deque<Waiting> unanswered;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    unanswered.swap(queue_);
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) {
      thread.join();
    }
  }
  for (auto& waiting : unanswered) {
    waiting.job(StoreError{StoreErrc::kUnavailable, "the collector is stopping; ask again when it is back"});
    waiting.resume();
  }
}

asio::awaitable<void> QueryPool::enqueue(Job job) {
  auto initiate = [this, &job](auto handler) {
    using Handler = decltype(handler);
    // The guard keeps the event loop running while the answer is on its way from another thread.
    auto executor = asio::get_associated_executor(handler);
    auto guard = std::make_shared<asio::executor_work_guard<decltype(executor)>>(executor);
    auto shared = std::make_shared<Handler>(std::move(handler));
    add({std::move(job), [executor, guard, shared] {
           asio::post(executor, [shared] { std::move (*shared)(); });
           guard->reset();
         }});
  };
  co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(initiate, asio::use_awaitable);
}

void QueryPool::add(Waiting waiting) {
  std::optional<StoreError> refused;
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) {
      refused = StoreError{StoreErrc::kUnavailable, "the collector is stopping; ask again when it is back"};
    } else if (queue_.size() >= limit_) {
      refused = StoreError{StoreErrc::kBusy, std::to_string(limit_) + " queries wait for the store already; ask again in a moment"};
    } else {
      queue_.push_back(std::move(waiting));
    }
  }
  if (refused) {
    waiting.job(*refused);
    waiting.resume();
  } else {
    wake_.notify_one();
  }
}

void QueryPool::work() {
  std::unique_ptr<Query> query;
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (queue_.empty()) {
      return;
    }
    Waiting next = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();

    try {
      if (!query) {
        if (auto opened = open_()) {
          query = std::move(*opened);
        } else {
          next.job(opened.error());
          next.resume();
          continue;
        }
      }
      next.job(query.get());
    } catch (const std::exception& thrown) {
      // A failure that no one foresaw belongs to this request alone; the connection may be in any state, so open a new one.
      query.reset();
      next.job(StoreError{StoreErrc::kCorrupt, std::string("a query failed: ") + thrown.what()});
    }
    next.resume();
  }
}

}  // namespace runfold::collector

// Holds coroutines up until a test lets them go on.
#pragma once

#include <gtest/gtest.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <thread>

namespace runfold::test {

/// Waits until the test lets it go on.
struct Gate {
  std::atomic<bool> open = false;
  std::atomic<int> waiting = 0;
  boost::asio::awaitable<void> pass() {
    ++waiting;
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    while (!open) {
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    --waiting;
  }
  void wait_for(int count) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (waiting < count && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    ASSERT_EQ(waiting, count);
  }
};

}  // namespace runfold::test

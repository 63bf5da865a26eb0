// How other threads end the pipeline's sleep.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>

namespace runfold::collector {

/// Ends the pipeline's sleep, from any thread. Outlives the pipeline in handlers that come late.
class Waker : public std::enable_shared_from_this<Waker> {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Waker(boost::asio::io_context& context) : timer_(context) {}

  /// The sleep under way ends, or the next one ends at once. Thread: any.
  void wake();
  /// Sleeps until then, or until woken. Thread: the pipeline's.
  [[nodiscard]] boost::asio::awaitable<void> rest_until(Clock::time_point then);

 private:
  boost::asio::steady_timer timer_;
  bool woken_ = false;
};

}  // namespace runfold::collector

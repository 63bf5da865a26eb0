// Wakes an Asio coroutine when a librdkafka queue has something.
#pragma once

#include "transport/kafka/handle.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>

namespace runfold::kafka {

/// Joins one queue to one executor through an eventfd.
///
/// Why no wake-up is lost. librdkafka writes to the eventfd when an element enters an empty queue, at most once between
/// two polls of the queue. So the order is: clear the eventfd, then poll until empty, then wait. wait() clears it as its
/// last act and polls nothing after, so:
///  - an element that enters after the last poll finds the queue empty and unsignalled: it writes, and the next wait()
///    finds the descriptor readable;
///  - an element that enters between the clearing and the polls is found by the polls; its write, if it made one, only
///    makes the next wait() return at once for nothing;
///  - a caller that stops before the queue is empty would get no write for what is left: wait() looks at the queue's
///    length first, and does not sleep on a queue that has something.
///
/// Thread: one; wake() from any.
class Waker {
 public:
  /// Errors: throws boost::system::system_error when no eventfd can be had.
  Waker(const boost::asio::any_io_executor& executor, rd_kafka_queue_t* queue);
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  /// Completes when the queue has something, wake() was called, or after `at_most`. Cancel: supported.
  [[nodiscard]] boost::asio::awaitable<void> wait(std::chrono::milliseconds at_most);

  /// Lets the wait() of now or the next one complete.
  void wake() noexcept;

 private:
  void clear() noexcept;

  rd_kafka_queue_t* queue_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
};

}  // namespace runfold::kafka

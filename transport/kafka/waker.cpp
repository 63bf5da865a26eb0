// Wakes an Asio coroutine when a librdkafka queue has something.
#include "transport/kafka/waker.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

namespace runfold::kafka {
namespace asio = boost::asio;

namespace {

int make_eventfd() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw boost::system::system_error(errno, boost::system::system_category(), "cannot make an eventfd");
  return fd;
}

}  // namespace

Waker::Waker(const asio::any_io_executor& executor, rd_kafka_queue_t* queue)
    : queue_(queue), descriptor_(executor, make_eventfd()), timer_(executor) {
  constexpr std::uint64_t kOne = 1;
  rd_kafka_queue_io_event_enable(queue_, descriptor_.native_handle(), &kOne, sizeof kOne);
}

Waker::~Waker() {
  rd_kafka_queue_io_event_enable(queue_, -1, nullptr, 0);
}

asio::awaitable<void> Waker::wait(std::chrono::milliseconds at_most) {
  if (rd_kafka_queue_length(queue_) == 0) {
    using namespace asio::experimental::awaitable_operators;
    constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
    timer_.expires_after(at_most);
    co_await (descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, kAsTuple) || timer_.async_wait(kAsTuple));
  } else {
    // Nothing to wait for; still let the executor's other work have its turn.
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
  }
  clear();
}

void Waker::wake() noexcept {
  const std::uint64_t one = 1;
  // A full counter (EAGAIN) is already a wake-up.
  [[maybe_unused]] const ssize_t written = ::write(descriptor_.native_handle(), &one, sizeof one);
}

void Waker::clear() noexcept {
  std::uint64_t count = 0;
  // EAGAIN: it was the timer or the queue's length that ended the wait.
  [[maybe_unused]] const ssize_t got = ::read(descriptor_.native_handle(), &count, sizeof count);
}

}  // namespace runfold::kafka

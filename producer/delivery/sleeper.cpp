// The eventfd behind the sleeper.
#include "producer/delivery/sleeper.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

namespace runfold::delivery {

Sleeper::Sleeper() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "make an eventfd for the delivery thread");
}

Sleeper::~Sleeper() {
  ::close(fd_);
}

void Sleeper::ring_bell() noexcept {
  // EAGAIN means that the counter is at its end: then the bell is ringing already.
  [[maybe_unused]] const int result = ::eventfd_write(fd_, 1);
  assert(result == 0 || errno == EAGAIN);
}

void Sleeper::wait_for_bell(Clock::time_point until) noexcept {
  const auto left = until - Clock::now();
  if (left > Clock::duration::zero()) {
    pollfd bell{.fd = fd_, .events = POLLIN, .revents = 0};
    // A day at most: time_point::max() does not fit a timespec, and a thread that wakes once a day costs nothing.
    const auto bounded = std::min<std::chrono::nanoseconds>(left, std::chrono::hours(24));
    const timespec timeout{.tv_sec = bounded.count() / 1'000'000'000, .tv_nsec = bounded.count() % 1'000'000'000};
    // Interrupted, timed out or woken: the caller looks at its work in any case.
    static_cast<void>(::ppoll(&bell, 1, &timeout, nullptr));
  }
  eventfd_t count = 0;
  static_cast<void>(::eventfd_read(fd_, &count));  // EAGAIN: nobody rang
}

}  // namespace runfold::delivery

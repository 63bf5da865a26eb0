// A timer that is cut short from any thread.
#include "collector/pipeline_waker.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace runfold::collector {

void Waker::wake() {
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] {
    self->woken_ = true;
    self->timer_.cancel();
  });
}

boost::asio::awaitable<void> Waker::rest_until(Clock::time_point then) {
  if (!woken_) {
    timer_.expires_at(then);
    boost::system::error_code cut_short;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, cut_short);
    co_await timer_.async_wait(token);
  }
  woken_ = false;
}

}  // namespace runfold::collector

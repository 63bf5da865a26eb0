// One deadline for what a connection or request does now; when it passes, what is under way is cut short.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace runfold::http {

/// Calls `on_passed` once when the time set last passes. Setting it again or clearing it withdraws the former one,
/// even one whose timer has fired already but has not been delivered.
///
/// Thread: the executor's.
class Deadline {
 public:
  Deadline(const boost::asio::any_io_executor& executor, std::function<void()> on_passed)
      : state_(std::make_shared<State>(executor, std::move(on_passed))) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    state_->on_passed = nullptr;
    clear();
  }

  void set(std::chrono::milliseconds from_now) {
    clear();
    state_->timer.expires_after(from_now);
    state_->timer.async_wait([state = state_, turn = state_->turn](const boost::system::error_code&) {
      if (turn != state->turn) return;  // withdrawn
      state->passed = true;
      if (state->on_passed) state->on_passed();
    });
  }

  void clear() {
    ++state_->turn;
    state_->passed = false;
    state_->timer.cancel();
  }

  [[nodiscard]] bool passed() const noexcept { return state_->passed; }

 private:
  struct State {
    State(const boost::asio::any_io_executor& executor, std::function<void()> call) : timer(executor), on_passed(std::move(call)) {}
    boost::asio::steady_timer timer;
    std::function<void()> on_passed;
    std::uint64_t turn = 0;
    bool passed = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace runfold::http

// One deadline for what a connection or request does now; when it passes, what is under way is cut short.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace runfold::http {

/// How long the last words to a client that is being sent away may take, and how long its unread bytes are drained so
/// that they do not reset the connection before it has read them.
inline constexpr std::chrono::milliseconds kLastWords{1'000};
inline constexpr std::chrono::milliseconds kLinger{2'000};

/// Calls `on_passed` once when the time set last passes. Setting it again or clearing it withdraws the former one,
/// even one whose timer has fired already but has not been delivered. Setting it later, or clearing it, leaves the timer alone: for each
/// read and write that costs a look at the clock.
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
    ++state_->turn;
    state_->timer.cancel();
  }

  void set(std::chrono::milliseconds from_now) {
    state_->due = Clock::now() + from_now;
    state_->passed = false;
    if (state_->due < state_->fires_at) arm(state_);
  }

  void clear() {
    state_->due = kNever;
    state_->passed = false;
  }

  [[nodiscard]] bool passed() const noexcept { return state_->passed; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::time_point kNever = Clock::time_point::max();

  struct State {
    State(const boost::asio::any_io_executor& executor, std::function<void()> call) : timer(executor), on_passed(std::move(call)) {}
    boost::asio::steady_timer timer;
    std::function<void()> on_passed;
    Clock::time_point due = kNever;
    /// When the timer looks again whether it is due.
    Clock::time_point fires_at = kNever;
    std::uint64_t turn = 0;
    bool passed = false;
  };

  static void arm(const std::shared_ptr<State>& state) {
    state->fires_at = state->due;
    state->timer.expires_at(state->due);
    state->timer.async_wait([state, turn = ++state->turn](const boost::system::error_code&) {
      if (turn != state->turn) return;  // armed anew
      state->fires_at = kNever;
      if (state->due == kNever) return;
      if (Clock::now() < state->due) return arm(state);
      state->due = kNever;
      state->passed = true;
      if (state->on_passed) state->on_passed();
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace runfold::http

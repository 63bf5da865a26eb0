// Watches over the child: passes signals on, keeps its time limit, and waits for its end and that of its output.
#pragma once

#include "producer/agent/capture.hpp"
#include "producer/agent/child.hpp"
#include "producer/agent/descendants.hpp"
#include "producer/agent/error.hpp"
#include "producer/agent/sink.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/signalfd.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace runfold::agent {

/// Whether a signal is one by which people and supervisors want a program gone.
[[nodiscard]] bool asks_to_end(int signal) noexcept;

struct SupervisionOptions {
  /// See ExecOptions for all of these.
  std::optional<std::chrono::milliseconds> timeout;
  std::chrono::milliseconds kill_grace{10'000};
  std::chrono::milliseconds output_grace{1'000};
  int stdout_fd = 1;
  int stderr_fd = 2;
  std::size_t stdout_bytes = 16 * 1024 * 1024;
  /// See CaptureOptions.
  std::shared_ptr<const redact::Redactor> redactor = {};
};

/// Thread: the event loop's. The captures' threads reach it only by posting to the loop.
class Supervision {
 public:
  /// `io` and `child` outlive it.
  Supervision(boost::asio::io_context& io, Child& child, SupervisionOptions options);
  /// Ends captures that are still at work; the child must be gone then.
  ~Supervision();
  Supervision(const Supervision&) = delete;
  Supervision& operator=(const Supervision&) = delete;

  /// Takes over the child's output and the signals that are passed on.
  [[nodiscard]] Result<void> start(const RunSink& sink);

  /// Completes when the child has ended and its output is passed on; or when a reader of ours blocks that and somebody
  /// wants us gone, see abandoned().
  [[nodiscard]] boost::asio::awaitable<void> watch();

  /// Stops listening for signals and for the child's end.
  void stop();

  /// After stop(): where the signals that are passed on keep coming in. Owned by this.
  [[nodiscard]] int signal_fd() { return signals_.is_open() ? signals_.native_handle() : -1; }

  /// After watch().
  [[nodiscard]] const ExitStatus& end() const { return *end_; }
  [[nodiscard]] std::chrono::steady_clock::time_point ended_at() const noexcept { return ended_at_; }
  [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
  /// Somebody wanted us gone after the child's end.
  [[nodiscard]] bool told_to_leave() const noexcept { return told_to_leave_; }
  /// Output that the child had written could not be passed on: a capture's thread still blocks in a write.
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_ && !all_captures_ended(); }
  /// Leaves the captures to the end of the process, which must come without destroying this: when abandoned().
  void leave_captures() {
    for (const auto& one : captures_) one->leave();
  }

 private:
  Result<void> capture(Descriptor from, v1::LogStream stream, int to, const RunSink& sink);
  [[nodiscard]] bool all_captures_ended() const noexcept;
  boost::asio::awaitable<bool> until(std::function<bool()> condition, std::optional<std::chrono::steady_clock::time_point> deadline);
  boost::asio::awaitable<void> await_exit();
  boost::asio::awaitable<void> keep_time_limit();
  boost::asio::awaitable<void> forward_signals();
  void on_signal(const signalfd_siginfo& info);
  void take_changes();

  boost::asio::io_context& io_;
  Child& child_;
  SupervisionOptions options_;
  boost::asio::steady_timer changed_;
  boost::asio::posix::stream_descriptor signals_;
  boost::asio::posix::stream_descriptor pidfd_;
  std::vector<std::unique_ptr<Capture>> captures_;
  /// With a time limit: only so can what the child started be found when the child itself is gone.
  std::optional<Adoption> adoption_;
  /// Ends of others than the child's come to us.
  bool reaps_others_ = false;
  std::optional<ExitStatus> end_;
  std::chrono::steady_clock::time_point ended_at_;
  bool timed_out_ = false;
  bool asked_to_end_ = false;
  bool abandoned_ = false;
  bool told_to_leave_ = false;
};

}  // namespace runfold::agent

// Watches over the child: passes signals on, keeps its time limit, and waits for its end and that of its output.
#include "producer/agent/supervision.hpp"

#include <boost/asio.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace runfold::agent {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

/// Of a stdout that is recorded in part, the last bytes are; they are held in memory until it ends.
constexpr std::size_t kMostTail = 256 * 1024;

/// Signals that mean the same to every program: they are for all that the command started, as on a terminal. The others are
/// between their sender and the command, and would end whatever else does not expect them.
bool is_for_all(int signal) noexcept {
  return asks_to_end(signal) || signal == SIGTSTP || signal == SIGCONT;
}

}  // namespace

bool asks_to_end(int signal) noexcept {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

Supervision::Supervision(asio::io_context& io, Child& child, SupervisionOptions options)
    : io_(io), child_(child), options_(options), changed_(io), signals_(io), pidfd_(io) {}

Supervision::~Supervision() {
  for (const auto& one : captures_) one->drain_and_end();
}

Result<void> Supervision::start(const RunSink& sink) {
  if (options_.timeout) adoption_.emplace();
  reaps_others_ = adoption_ || ::getpid() == 1;
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : forwarded_signals()) sigaddset(&watched, signal);
  sigaddset(&watched, SIGCHLD);
  Descriptor signals(::signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals) return system_error("cannot receive signals (signalfd)", errno);
  Descriptor pidfd(::fcntl(child_.pidfd(), F_DUPFD_CLOEXEC, 0));
  if (!pidfd) return system_error("cannot watch the command's process", errno);
  boost::system::error_code error;
  signals_.assign(signals.get(), error);
  if (error) return system_error("cannot receive signals", error.value());
  static_cast<void>(signals.release());
  pidfd_.assign(pidfd.get(), error);
  if (error) return system_error("cannot watch the command's process", error.value());
  static_cast<void>(pidfd.release());
  if (auto started = capture(child_.take_stdout(), v1::LOG_STREAM_STDOUT, options_.stdout_fd, sink); !started) return started;
  return capture(child_.take_stderr(), v1::LOG_STREAM_STDERR, options_.stderr_fd, sink);
}

asio::awaitable<void> Supervision::watch() {
  asio::co_spawn(io_, forward_signals(), asio::detached);
  asio::co_spawn(io_, await_exit(), asio::detached);

  const auto has_ended = [this] { return end_.has_value(); };
  const auto outputs_ended = [this] { return abandoned_ || all_captures_ended(); };
  if (options_.timeout) co_await keep_time_limit();
  co_await until(has_ended, std::nullopt);
  if (co_await until(outputs_ended, steady_clock::now() + options_.output_grace)) co_return;
  for (const auto& one : captures_) one->drain_and_end();
  // Who asked the command to end would not wait for a reader of ours either.
  if (asked_to_end_ || timed_out_) {
    if (!co_await until(outputs_ended, steady_clock::now() + options_.output_grace)) abandoned_ = true;
  }
  co_await until(outputs_ended, std::nullopt);
}

asio::awaitable<void> Supervision::keep_time_limit() {
  const auto has_ended = [this] { return end_.has_value(); };
  if (co_await until(has_ended, steady_clock::now() + *options_.timeout)) co_return;
  timed_out_ = true;
  child_.send_to_all(SIGTERM);
  child_.send_to_all(SIGCONT);
  // A wrapper that ends at once does not cut short the grace of what it wraps.
  const auto all_ended = [this] { return end_.has_value() && !child_.anything_left(); };
  if (co_await until(all_ended, steady_clock::now() + options_.kill_grace)) co_return;
  child_.send_to_all(SIGKILL);
  co_await until(all_ended, steady_clock::now() + options_.output_grace);
}

void Supervision::stop() {
  boost::system::error_code ignored;  // there is nothing to cancel when there was nothing to wait for
  signals_.cancel(ignored);
  pidfd_.cancel(ignored);
}

Result<void> Supervision::capture(Descriptor from, v1::LogStream stream, int to, const RunSink& sink) {
  if (!from) return {};
  CaptureOptions capture_options;
  capture_options.stream = stream;
  capture_options.to = to;
  capture_options.redactor = options_.redactor;
  // Of stderr every line is looked at: an error must be recorded however much stands around it.
  if (stream == v1::LOG_STREAM_STDOUT) {
    capture_options.limits = {.head_bytes = options_.stdout_bytes, .tail_bytes = std::min(options_.stdout_bytes / 4, kMostTail)};
  }
  auto capture = Capture::start(
      std::move(from), std::move(capture_options), [sink](const v1::LogRecord& record) { sink.log(record); },
      [this] { asio::post(io_, [this] { changed_.cancel(); }); });
  if (!capture) return capture.error();
  captures_.push_back(std::move(*capture));
  return {};
}

bool Supervision::all_captures_ended() const noexcept {
  return std::all_of(captures_.begin(), captures_.end(), [](const auto& one) { return one->ended(); });
}

/// Waits for a condition that some other task here makes true and announces by changed_.cancel(). False: the deadline
/// came first.
asio::awaitable<bool> Supervision::until(std::function<bool()> condition, std::optional<steady_clock::time_point> deadline) {
  while (!condition()) {
    if (deadline && steady_clock::now() >= *deadline) co_return false;
    changed_.expires_at(deadline.value_or(steady_clock::time_point::max()));
    boost::system::error_code ignored;  // cancelled means changed
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return true;
}

asio::awaitable<void> Supervision::await_exit() {
  boost::system::error_code error;
  co_await pidfd_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
  if (!error) take_changes();
}

asio::awaitable<void> Supervision::forward_signals() {
  for (;;) {
    boost::system::error_code error;
    co_await signals_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    signalfd_siginfo info{};
    while (::read(signals_.native_handle(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) on_signal(info);
  }
}

void Supervision::on_signal(const signalfd_siginfo& info) {
  const int signal = static_cast<int>(info.ssi_signo);
  if (signal == SIGCHLD) {
    take_changes();
    return;
  }
  asked_to_end_ = asked_to_end_ || asks_to_end(signal);
  if (end_) {
    told_to_leave_ = told_to_leave_ || asks_to_end(signal);
    abandoned_ = abandoned_ || told_to_leave_;
    changed_.cancel();
    return;
  }
  // What the terminal sends goes to the whole foreground group: the child has it already.
  const bool from_terminal = info.ssi_code == SI_KERNEL;
  if (child_.own_group() && is_for_all(signal)) {
    child_.send_to_all(signal);
  } else if (child_.own_group() || !from_terminal) {
    child_.send(signal);
  }
}

void Supervision::take_changes() {
  while (const auto change = child_.poll_change()) {
    if (change->ended) {
      end_ = change->ended;
      ended_at_ = steady_clock::now();
      changed_.cancel();
    }
    const bool by_job_control = change->stopped_by == SIGTSTP || change->stopped_by == SIGTTIN || change->stopped_by == SIGTTOU;
    // The shell must see its job stop: that is us. Its "fg" continues the group, and so both.
    if (by_job_control && !child_.own_group()) ::raise(SIGSTOP);
  }
  if (!reaps_others_) return;
  child_.reap_others();
  changed_.cancel();
}

}  // namespace runfold::agent

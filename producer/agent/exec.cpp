// Puts the agent together: child, capture, intake, proxy and run, from fork to the last acknowledgement.
#include "producer/agent/exec.hpp"

#include "producer/agent/capture.hpp"
#include "producer/agent/child.hpp"
#include "producer/agent/end.hpp"
#include "producer/agent/intake.hpp"
#include "producer/agent/proxy.hpp"
#include "producer/sdk/logger.hpp"
#include "producer/sdk/trouble.hpp"

#include <boost/asio.hpp>

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace runfold::agent {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

void warn(std::string_view message) {
  const std::string line = format_line(std::chrono::system_clock::now(), v1::SEVERITY_WARNING, message) + "\n";
  std::fputs(line.c_str(), stderr);
}

/// Gives the thread its signal mask back.
class SavedSignalMask {
 public:
  SavedSignalMask() { ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  ~SavedSignalMask() { ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }
  SavedSignalMask(const SavedSignalMask&) = delete;
  SavedSignalMask& operator=(const SavedSignalMask&) = delete;

 private:
  sigset_t mask_;
};

/// Watches over the child from its start to the end of its output.
///
/// Thread: the one that calls watch(). The captures' threads reach it only by posting.
class Supervision {
 public:
  Supervision(asio::io_context& io, Child& child, const ExecOptions& options)
      : io_(io), child_(child), options_(options), changed_(io), signals_(io), pidfd_(io, ::dup(child.pidfd())) {}

  Result<void> start(const RunSink& sink) {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int signal : forwarded_signals()) sigaddset(&watched, signal);
    sigaddset(&watched, SIGCHLD);
    const int fd = ::signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) return system_error("cannot receive signals (signalfd)", errno);
    signals_.assign(fd);
    if (auto started = capture(child_.take_stdout(), v1::LOG_STREAM_STDOUT, options_.stdout_fd, sink); !started) return started;
    return capture(child_.take_stderr(), v1::LOG_STREAM_STDERR, options_.stderr_fd, sink);
  }

  /// Completes when the child has ended and its output is passed on; or when somebody wants us gone while a reader of
  /// ours blocks that, see abandoned().
  asio::awaitable<void> watch() {
    asio::co_spawn(io_, forward_signals(), asio::detached);
    asio::co_spawn(io_, await_exit(), asio::detached);

    const auto has_ended = [this] { return end_.has_value(); };
    const auto outputs_ended = [this] { return abandoned_ || all_captures_ended(); };
    if (options_.timeout && !co_await until(has_ended, steady_clock::now() + *options_.timeout)) {
      timed_out_ = true;
      child_.send(SIGTERM);
      child_.send(SIGCONT);
      if (!co_await until(has_ended, steady_clock::now() + options_.kill_grace)) child_.send_to_all(SIGKILL);
    }
    co_await until(has_ended, std::nullopt);
    if (!co_await until(outputs_ended, steady_clock::now() + options_.output_grace)) {
      for (const auto& one : captures_) one->drain_and_end();
      co_await until(outputs_ended, std::nullopt);
    }
  }

  /// Stops listening for signals and for the child's end.
  void stop() {
    boost::system::error_code ignored;
    signals_.cancel(ignored);
    pidfd_.cancel(ignored);
  }

  [[nodiscard]] const ExitStatus& end() const { return *end_; }
  [[nodiscard]] bool timed_out() const noexcept { return timed_out_; }
  /// Output that the child had written could not be passed on; the captures still block.
  [[nodiscard]] bool abandoned() const noexcept { return abandoned_ && !all_captures_ended(); }

 private:
  Result<void> capture(Descriptor from, v1::LogStream stream, int to, const RunSink& sink) {
    if (!from) return {};
    CaptureOptions capture_options;
    capture_options.stream = stream;
    capture_options.to = to;
    auto capture = Capture::start(
        std::move(from), capture_options, [sink](v1::LogRecord record) { sink.log(std::move(record)); },
        [this] { asio::post(io_, [this] { changed_.cancel(); }); });
    if (!capture) return capture.error();
    captures_.push_back(std::move(*capture));
    return {};
  }

  [[nodiscard]] bool all_captures_ended() const noexcept {
    return std::all_of(captures_.begin(), captures_.end(), [](const auto& one) { return one->ended(); });
  }

  /// Waits for a condition that some other task here makes true and announces by changed_.cancel().
  /// False: the deadline came first.
  asio::awaitable<bool> until(std::function<bool()> condition, std::optional<steady_clock::time_point> deadline) {
    while (!condition()) {
      if (deadline && steady_clock::now() >= *deadline) co_return false;
      changed_.expires_at(deadline.value_or(steady_clock::time_point::max()));
      boost::system::error_code ignored;
      co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_return true;
  }

  asio::awaitable<void> await_exit() {
    boost::system::error_code error;
    co_await pidfd_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (!error) take_changes();
  }

  asio::awaitable<void> forward_signals() {
    for (;;) {
      boost::system::error_code error;
      co_await signals_.async_wait(asio::posix::stream_descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      signalfd_siginfo info{};
      while (::read(signals_.native_handle(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) on_signal(info);
    }
  }

  void on_signal(const signalfd_siginfo& info) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      take_changes();
      return;
    }
    if (end_) {
      if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT) abandoned_ = true;
      changed_.cancel();
      return;
    }
    // What the terminal sends goes to the whole foreground group: the child has it already.
    const bool from_terminal = info.ssi_code == SI_KERNEL;
    if (!from_terminal || child_.own_group()) child_.send(signal);
  }

  void take_changes() {
    while (const auto change = child_.poll_change()) {
      if (change->ended) {
        end_ = change->ended;
        changed_.cancel();
      }
      const bool by_job_control = change->stopped_by == SIGTSTP || change->stopped_by == SIGTTIN || change->stopped_by == SIGTTOU;
      // The shell must see its job stop: that is us. Its "fg" continues the group, and so both.
      if (by_job_control && !child_.own_group()) ::raise(SIGSTOP);
    }
  }

  asio::io_context& io_;
  Child& child_;
  const ExecOptions& options_;
  asio::steady_timer changed_;
  asio::posix::stream_descriptor signals_;
  asio::posix::stream_descriptor pidfd_;
  std::vector<std::unique_ptr<Capture>> captures_;
  std::optional<ExitStatus> end_;
  bool timed_out_ = false;
  bool abandoned_ = false;
};

/// The variables that the child finds, besides those it inherits.
std::vector<std::pair<std::string, std::string>> child_environment(const ExecOptions& options, const Run& run, const Intake* intake,
                                                                   const Proxy* proxy) {
  std::vector<std::pair<std::string, std::string>> variables{
      {"RUNFOLD_RUN_ID", run.run_id()},
      {"RUNFOLD_ATTEMPT", std::to_string(run.attempt())},
      {"RUNFOLD_CONNECTOR", options.settings.connector_id},
      {"TRACEPARENT", run.traceparent()},
  };
  if (!options.settings.version.empty()) variables.emplace_back("RUNFOLD_VERSION", options.settings.version);
  if (!options.settings.site.empty()) variables.emplace_back("RUNFOLD_SITE", options.settings.site);
  if (intake != nullptr) {
    variables.emplace_back("RUNFOLD_INTAKE_URL", intake->url());
    variables.emplace_back("RUNFOLD_INTAKE_TOKEN", intake->token());
  }
  if (proxy != nullptr) variables.emplace_back("CONTAINER_API_URL", proxy->url());
  return variables;
}

/// What the delivery thread says of Kafka: printed, and remembered.
class KafkaTrouble {
 public:
  void tell(const kafka::Error& error) {
    if (error.code == kafka::Errc::kUnreachable) unreachable_.store(true, std::memory_order_relaxed);
    print_(error);
  }
  [[nodiscard]] bool unreachable() const noexcept { return unreachable_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> unreachable_{false};
  TroublePrinter print_;
};

/// Waits for a first acknowledgement, which shows that Kafka is there. False: there was none in the time that it may take.
bool is_kafka_there(Producer& producer, const KafkaTrouble& trouble, const ExecOptions& options) {
  const auto is_there = [](const ProducerReport& report) { return report.acknowledged > 0; };
  const auto most = std::min(options.flush_timeout, options.first_flush_timeout);
  const auto first = std::min(most, options.unreachable_flush_timeout);
  if (producer.wait(is_there, first)) return true;
  const auto decided = [&](const ProducerReport& report) { return is_there(report) || trouble.unreachable(); };
  return producer.wait(decided, most - first) && is_there(producer.report());
}

/// Gives what is still on its way to Kafka a bounded time, and says on stderr what did not get there.
void close_producer(Producer& producer, const KafkaTrouble& trouble, const ExecOptions& options, const std::string& run_id) {
  const std::string servers = options.settings.kafka.get("bootstrap.servers").value_or("");
  if (servers.empty()) return;
  const bool there = is_kafka_there(producer, trouble, options);
  const ProducerReport report = producer.close(there ? options.flush_timeout : milliseconds(0));
  if (report.acknowledged == report.emitted) return;
  std::string reasons;
  for (const auto& [reason, records] : report.dropped) reasons += (reasons.empty() ? "" : ", ") + reason + " " + std::to_string(records);
  warn(std::to_string(report.emitted - report.acknowledged) + " of " + std::to_string(report.emitted) + " records of run " + run_id +
       " did not reach Kafka at " + servers + " (" + reasons + ")");
}

}  // namespace

Result<int> exec(ExecOptions options) {
  const SavedSignalMask saved_mask;
  ChildOptions child_options{options.command, options.record_stdout, options.record_stderr};
  auto forked = Child::fork(std::move(child_options));
  if (!forked) return forked.error();
  Child child = std::move(*forked);

  // From here on there may be threads. The child waits; it goes when this function is left.
  asio::io_context io(1);
  std::optional<Run> run;
  const RunSink sink{[&run](v1::LogRecord record) { return run->log(std::move(record)); },
                     [&run](v1::SyncEvent event) { return run->emit(std::move(event)); }};
  std::unique_ptr<Intake> intake;
  std::unique_ptr<Proxy> proxy;
  if (!options.container_api.empty()) {
    ProxyOptions proxy_options;
    proxy_options.upstream = options.container_api;
    proxy_options.ca_file = options.container_api_ca_file;
    proxy_options.step = [&intake] { return intake ? intake->open_step() : std::string(); };
    auto listening = Proxy::listen(io.get_executor(), sink, std::move(proxy_options));
    if (!listening && listening.error().code == Errc::kInvalid) return listening.error();
    // A connector that can do its work without being watched does it.
    if (!listening) warn(listening.error().message + "; the command calls the Container API directly");
    if (listening) proxy = std::move(*listening);
  }

  const auto trouble = std::make_shared<KafkaTrouble>();
  if (!options.settings.on_trouble) options.settings.on_trouble = [trouble](const kafka::Error& error) { trouble->tell(error); };
  auto created = options.make_client ? Producer::create(options.settings, options.make_client) : Producer::create(options.settings);
  if (!created) return Error{Errc::kInvalid, created.error().message};
  const std::unique_ptr<Producer> producer = std::move(*created);
  if (!options.settings.kafka.get("bootstrap.servers")) {
    warn("no Kafka is configured, so this run is not recorded; set RUNFOLD_BOOTSTRAP_SERVERS or --bootstrap-servers");
  }
  options.run.os_pid = static_cast<std::uint64_t>(child.pid());
  run.emplace(producer->start_run(options.run));

  IntakeOptions intake_options;
  intake_options.run_id = run->run_id();
  auto listening = Intake::listen(io.get_executor(), sink, std::move(intake_options));
  if (!listening) warn(listening.error().message + "; the command runs without RUNFOLD_INTAKE_URL");
  if (listening) intake = std::move(*listening);

  Supervision supervision(io, child, options);
  if (auto started = supervision.start(sink); !started) {
    run->finish({v1::RUN_RESULT_ERROR, std::nullopt, std::nullopt, started.error().message});
    close_producer(*producer, *trouble, options, run->run_id());
    return started.error();
  }
  ProcessEnd process;
  process.launch_failure = child.release(child_environment(options, *run, intake.get(), proxy.get()));
  if (process.launch_failure) warn(process.launch_failure->message);

  if (intake) asio::co_spawn(io, intake->run(), asio::detached);
  if (proxy) asio::co_spawn(io, proxy->run(), asio::detached);
  const auto finish = [&]() -> asio::awaitable<void> {
    co_await supervision.watch();
    supervision.stop();
    if (intake) intake->stop(milliseconds(200));
    if (proxy) proxy->stop(milliseconds(200));
  };
  std::exception_ptr failure;
  asio::co_spawn(io, finish(), [&failure](std::exception_ptr thrown) { failure = std::move(thrown); });
  io.run();
  if (failure) std::rethrow_exception(failure);

  process.status = supervision.end();
  if (process.launch_failure) process.status = ExitStatus{process.launch_failure->exit_code, std::nullopt, false};
  if (supervision.timed_out()) process.timed_out_after = options.timeout;
  run->finish(merge_end(intake ? intake->declared_end() : std::nullopt, process));
  close_producer(*producer, *trouble, options, run->run_id());
  const int code = process.status.shell_code();
  if (supervision.abandoned()) {
    // A capture still blocks in a write that nobody reads; only the end of the process ends it.
    std::fflush(nullptr);
    ::_exit(code);
  }
  return code;
}

}  // namespace runfold::agent

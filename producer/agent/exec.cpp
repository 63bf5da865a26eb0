// Puts the agent together: child, capture, intake, proxy and run, from fork to the last acknowledgement.
#include "producer/agent/exec.hpp"

#include "producer/agent/child.hpp"
#include "producer/agent/end.hpp"
#include "producer/agent/intake.hpp"
#include "producer/agent/out_of_memory.hpp"
#include "producer/agent/proxy.hpp"
#include "producer/agent/run_environment.hpp"
#include "producer/agent/supervision.hpp"
#include "producer/sdk/environment.hpp"
#include "producer/sdk/line.hpp"
#include "producer/sdk/trace_context.hpp"
#include "producer/sdk/trouble.hpp"
#include "transport/kafka/sasl_plugins.hpp"

#include <boost/asio.hpp>
#include <boost/url/parse.hpp>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// How long requests under way at the command's end may take to finish.
constexpr milliseconds kServerGrace{200};

/// Whether there is anywhere to record to.
bool has_kafka(const Settings& settings) {
  return !settings.kafka.get("bootstrap.servers").value_or("").empty();
}

void warn(std::string_view message) {
  print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING, message);
}

/// Gives the thread its signal mask back.
class SavedSignalMask {
 public:
  SavedSignalMask() { ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  ~SavedSignalMask() { ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }
  SavedSignalMask(const SavedSignalMask&) = delete;
  SavedSignalMask& operator=(const SavedSignalMask&) = delete;

  /// Takes the signals that came too late to be passed on: they must not replace the command's exit code.
  void drop_pending() const noexcept {
    sigset_t late;
    sigemptyset(&late);
    for (const int signal : forwarded_signals()) {
      if (sigismember(&mask_, signal) == 0) sigaddset(&late, signal);
    }
    const timespec at_once{};
    while (::sigtimedwait(&late, nullptr, &at_once) > 0 || errno == EINTR) errno = 0;
  }

 private:
  sigset_t mask_;
};

/// A client that goes through an HTTP proxy would look for us behind it, and show it the intake's token.
void append_own_addresses(Variables& variables) {
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    const char* const inherited = std::getenv(name);
    std::string hosts = inherited == nullptr ? "" : inherited;
    if (hosts == "*") continue;
    if (!hosts.empty()) hosts += ',';
    variables.emplace_back(name, hosts + "127.0.0.1");
  }
}

/// The variables that the child finds, besides those it inherits.
Variables child_environment(const ExecOptions& options, const Run& run, const Intake* intake, const Proxy* proxy) {
  const RunNames names{.run_id = run.run_id(),
                       .attempt = run.attempt(),
                       .connector = options.settings.connector_id,
                       .version = options.settings.version,
                       .site = options.settings.site,
                       .traceparent = run.traceparent(),
                       .intake_url = intake != nullptr ? intake->url() : "",
                       .intake_token = intake != nullptr ? intake->token() : ""};
  Variables variables = run_environment(names);
  // What speaks for this run in the command leaves its beginning and end to us; where we record nothing, it does not.
  variables.emplace_back("RUNFOLD_AGENT_RUN", intake != nullptr && has_kafka(options.settings) ? run.run_id() : "");
  // A tracestate belongs to the traceparent that it came with: of one that cannot be read, the command has another.
  if (environment("TRACESTATE") && !parse_traceparent(environment("TRACEPARENT").value_or(""))) variables.emplace_back("TRACESTATE", "");
  if (proxy != nullptr) variables.emplace_back("CONTAINER_API_URL", proxy->url());
  if (intake != nullptr || proxy != nullptr) append_own_addresses(variables);
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

/// Reads the signals that come while the producer is closed, and makes that end at once when one asks us to end.
class Haste {
 public:
  /// `signal_fd` below 0: no signals are there to be read.
  Haste(int signal_fd, bool asked, Producer& producer) : signal_fd_(signal_fd), producer_(producer), asked_(asked) {
    auto wake = make_wake();
    if (signal_fd_ < 0 || !wake) return;  // then nothing can hasten it: it takes the time that it may
    wake_ = std::move(*wake);
    try {
      thread_ = std::thread([this] { read_signals(); });
    } catch (const std::system_error&) {
      return;  // as above
    }
  }
  ~Haste() {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
    thread_.join();
  }
  Haste(const Haste&) = delete;
  Haste& operator=(const Haste&) = delete;

  [[nodiscard]] bool asked() const noexcept { return asked_.load(std::memory_order_acquire); }

 private:
  void read_signals() {
    for (;;) {
      std::array<pollfd, 2> watched{{{signal_fd_, POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return;
      signalfd_siginfo info{};
      while (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (!asks_to_end(static_cast<int>(info.ssi_signo))) continue;
        asked_.store(true, std::memory_order_release);
        producer_.close(milliseconds(0));
      }
      if (watched[1].revents != 0) return;
    }
  }

  int signal_fd_;
  Producer& producer_;
  Descriptor wake_;
  std::atomic<bool> asked_;
  std::thread thread_;
};

/// Waits for a first acknowledgement, which shows that Kafka is there. False: there was none in the time that it may take.
bool is_kafka_there(Producer& producer, const KafkaTrouble& trouble, const Haste& haste, const ExecOptions& options) {
  const auto is_there = [](const ProducerReport& report) { return report.acknowledged > 0; };
  const auto most = std::min(options.flush_timeout, options.first_flush_timeout);
  // What the spool keeps need not wait for a Kafka that refuses connections.
  const auto first = options.settings.spool_folder.empty() ? std::min(most, options.unreachable_flush_timeout) : milliseconds(0);
  if (producer.wait([&](const ProducerReport& report) { return is_there(report) || haste.asked(); }, first) && !haste.asked()) return true;
  const auto decided = [&](const ProducerReport& report) { return is_there(report) || trouble.unreachable() || haste.asked(); };
  return producer.wait(decided, most - first) && is_there(producer.report());
}

/// Gives what is still on its way to Kafka a bounded time, and says on stderr what did not get there, and what became of it.
/// True: all is settled, and nobody has waited for the client's end.
bool close_producer(Producer& producer, const KafkaTrouble& trouble, const ExecOptions& options, const std::string& run_id,
                    Supervision& supervision) {
  if (!has_kafka(options.settings)) return false;
  const Haste haste(supervision.signal_fd(), supervision.told_to_leave(), producer);
  // At once: a command that was done sooner than the client gathers records would wait for that.
  producer.begin_close(options.flush_timeout);
  const bool there = is_kafka_there(producer, trouble, haste, options);
  const auto limit = there && !haste.asked() ? options.flush_timeout : milliseconds(0);
  const auto all_settled = [](const ProducerReport& report) { return report.pending == 0; };
  const bool settled = options.ends_process && options.settings.spool_folder.empty() &&
                       producer.wait([&](const auto& report) { return all_settled(report) || haste.asked(); }, limit) &&
                       all_settled(producer.report());
  const ProducerReport report = settled ? producer.report() : producer.close(limit);
  for (const auto& sentence : what_did_not_arrive(report, options.settings, "records of run " + run_id)) warn(sentence);
  return settled;
}

/// One run of one command, and everything that serves it.
///
/// Lives on the heap: when a name look-up for the proxy is still under way at the end, and look-ups cannot be cancelled,
/// it is left to the end of the process instead of waiting for that.
class Execution {
 public:
  Execution(ExecOptions options, Child child) : options_(std::move(options)), child_(std::move(child)) {}
  /// The child first: what reads its output would wait for its end.
  ~Execution() { child_.end(); }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  /// Makes the client, the run, the intake and the proxy. Errors: before the command runs.
  Result<void> prepare();
  /// Lets the command run, to its end and that of its records. Gives the exit code.
  int run();

  /// Ends a run that was begun and whose command never ran.
  void fail(const std::string& why) {
    if (run_ && !run_->finished()) run_->finish({v1::RUN_RESULT_ERROR, std::nullopt, std::nullopt, why});
  }

  /// False: something of it is still at work, and it must not be destroyed.
  [[nodiscard]] bool at_rest() const noexcept { return at_rest_; }
  /// Ends the process when a capture still blocks in a write that nobody reads: nothing else ends that. Or when it may end here.
  void exit_if_over(int code) {
    if (!supervision_->abandoned() && !settled_) return;
    supervision_->leave_captures();
    std::fflush(nullptr);
    ::_exit(code);
  }

 private:
  Result<void> open_proxy();
  void open_intake();
  asio::awaitable<void> watch_and_stop();

  ExecOptions options_;
  Child child_;
  asio::io_context io_{1};
  std::shared_ptr<KafkaTrouble> trouble_ = std::make_shared<KafkaTrouble>();
  std::unique_ptr<Producer> producer_;
  std::optional<Run> run_;
  const RunSink sink_{[this](const v1::LogRecord& record) { return run_->log(record); },
                      [this](v1::SyncEvent event) { return run_->emit(std::move(event)); }};
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Proxy> proxy_;
  std::optional<Supervision> supervision_;
  bool at_rest_ = true;
  bool settled_ = false;
};

Result<void> Execution::open_proxy() {
  if (options_.container_api.empty()) return {};
  ProxyOptions proxy_options;
  proxy_options.upstream = options_.container_api;
  proxy_options.ca_file = options_.container_api_ca_file;
  proxy_options.redactor = options_.settings.redactor;
  if (const auto url = boost::urls::parse_uri(options_.container_api); url && url->has_password()) {
    static_cast<void>(options_.settings.redactor->add(url->password()));  // too short for a secret: the patterns see it in a URL
  }
  proxy_options.step = [this] { return intake_ ? intake_->open_step() : std::string(); };
  auto listening = Proxy::listen(io_.get_executor(), sink_, std::move(proxy_options));
  if (listening) {
    proxy_ = std::move(*listening);
    return {};
  }
  if (options_.container_api_required && listening.error().code == Errc::kInvalid) return listening.error();
  // A connector that can do its work without being watched does it.
  warn(listening.error().message + "; the command calls the Container API directly, and failing calls are not recorded");
  return {};
}

void Execution::open_intake() {
  IntakeOptions intake_options;
  intake_options.run_id = run_->run_id();
  auto listening = Intake::listen(io_.get_executor(), sink_, std::move(intake_options));
  if (!listening) warn(listening.error().message + "; the command runs without RUNFOLD_INTAKE_URL");
  if (!listening) return;
  intake_ = std::move(*listening);
  // A random token is nothing that could be refused.
  static_cast<void>(options_.settings.redactor->add(intake_->token()));
}

Result<void> Execution::prepare() {
  kafka::leave_out_sasl_plugins(options_.settings.kafka);  // behind the fork: the command has its environment already
  if (auto opened = open_proxy(); !opened) return opened;
  if (!options_.settings.on_trouble) {
    options_.settings.on_trouble = [trouble = trouble_](const kafka::Error& error) { trouble->tell(error); };
  }
  auto created = options_.make_client ? Producer::create(options_.settings, options_.make_client) : Producer::create(options_.settings);
  if (!created) return Error{Errc::kInvalid, created.error().message};
  producer_ = std::move(*created);
  if (!has_kafka(options_.settings)) {
    warn("no Kafka is configured, so this run is not recorded; set RUNFOLD_BOOTSTRAP_SERVERS or --bootstrap-servers");
  }
  options_.run.os_pid = static_cast<std::uint64_t>(child_.pid());
  run_.emplace(producer_->start_run(options_.run));
  open_intake();

  supervision_.emplace(io_, child_,
                       SupervisionOptions{options_.timeout, options_.kill_grace, options_.output_grace, options_.stdout_fd,
                                          options_.stderr_fd, options_.stdout_bytes, options_.settings.redactor});
  if (auto started = supervision_->start(sink_); !started) {
    run_->finish({v1::RUN_RESULT_ERROR, std::nullopt, std::nullopt, started.error().message});
    close_producer(*producer_, *trouble_, options_, run_->run_id(), *supervision_);
    return started;
  }
  return {};
}

asio::awaitable<void> Execution::watch_and_stop() {
  co_await supervision_->watch();
  supervision_->stop();
  if (intake_) intake_->stop(kServerGrace);
  if (proxy_) proxy_->stop(kServerGrace);
}

int Execution::run() {
  ProcessEnd process;
  const OutOfMemory memory;
  process.launch_failure = child_.release(child_environment(options_, *run_, intake_.get(), proxy_.get()));
  if (process.launch_failure) warn(process.launch_failure->message);

  if (intake_) asio::co_spawn(io_, intake_->run(), asio::detached);
  if (proxy_) asio::co_spawn(io_, proxy_->run(), asio::detached);
  bool ended = false;
  std::exception_ptr failure;
  const auto on_end = [&](std::exception_ptr thrown) {
    ended = true;
    failure = std::move(thrown);
  };
  asio::co_spawn(io_, watch_and_stop(), on_end);
  while (!ended) io_.run_one();
  if (failure) std::rethrow_exception(failure);
  io_.run_for(2 * kServerGrace);
  at_rest_ = io_.stopped();

  process.status = supervision_->end();
  if (process.launch_failure) process.status = ExitStatus{process.launch_failure->exit_code, std::nullopt, false};
  process.out_of_memory = memory.since();
  if (supervision_->timed_out()) process.timed_out_after = options_.timeout;
  RunEnd run_end = merge_end(intake_ ? intake_->declared_end() : std::nullopt, process);
  // The command's own end: its output may have taken longer to be passed on.
  run_end.ended_at = supervision_->ended_at();
  run_->finish(run_end);
  settled_ = close_producer(*producer_, *trouble_, options_, run_->run_id(), *supervision_);
  return process.status.shell_code();
}

}  // namespace

Result<int> exec(ExecOptions options) {
  const SavedSignalMask saved_mask;
  // First of all: no thread and no Kafka client may be there yet. The child waits, and goes when this function is left.
  const bool recorded = has_kafka(options.settings);
  auto child = Child::fork(
      {options.command, recorded && options.record_stdout, recorded && options.record_stderr, options.stdout_fd, options.stderr_fd});
  if (!child) return child.error();
  std::unique_ptr<Execution> execution;
  try {
    execution = std::make_unique<Execution>(std::move(options), std::move(*child));
    if (auto prepared = execution->prepare(); !prepared) return prepared.error();
  } catch (const std::exception& error) {  // the event loop and the delivery thread throw when the system refuses them
    const std::string why = std::string("cannot set up what watches over the command: ") + error.what();
    if (execution) execution->fail(why);
    return Error{Errc::kSystem, why};
  }
  const int code = execution->run();
  saved_mask.drop_pending();
  execution->exit_if_over(code);
  if (!execution->at_rest()) {
    static auto* const left = new std::vector<std::unique_ptr<Execution>>;
    left->push_back(std::move(execution));
  }
  return code;
}

}  // namespace runfold::agent

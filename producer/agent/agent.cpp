// Puts the agent's server and its producer together, and ends them in order.
#include "producer/agent/agent.hpp"

#include "producer/sdk/line.hpp"

#include <boost/asio.hpp>

#include <csignal>
#include <exception>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace runfold::agent {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

/// How long requests under way may take once the agent is told to end.
constexpr milliseconds kLastAnswers{1'000};

void warn(const std::string& message) {
  print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_WARNING, "Runfold: " + message);
}

/// The agent as a process.
class Service {
 public:
  explicit Service(AgentOptions options) : options_(std::move(options)) {}

  Result<void> open();
  /// Serves to the first signal.
  void run();
  /// Waits for Kafka, or the second signal.
  void close();

 private:
  void on_signal(const boost::system::error_code& error);

  AgentOptions options_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  std::unique_ptr<Producer> producer_;
  std::unique_ptr<AgentServer> server_;
  /// How many signals have come.
  int told_ = 0;
  bool closed_ = false;
  std::size_t left_ = 0;
};

Result<void> Service::open() {
  options_.settings.connector_id = "runfold-agent";
  auto created = options_.make_client ? Producer::create(options_.settings, options_.make_client) : Producer::create(options_.settings);
  if (!created) return Error{Errc::kInvalid, created.error().message};
  producer_ = std::move(*created);
  auto listening = AgentServer::listen(io_.get_executor(), *producer_, options_.server);
  if (!listening) return listening.error();
  server_ = std::move(*listening);
  if (options_.on_listening) return options_.on_listening(server_->url());
  return {};
}

void Service::on_signal(const boost::system::error_code& error) {
  if (error || closed_) return;
  if (++told_ == 1) {
    say("the agent stops; a second signal ends it at once");
    server_->stop(kLastAnswers);
  } else {
    server_->stop(milliseconds(0));
    producer_->close(milliseconds(0));
  }
  signals_.async_wait([this](const boost::system::error_code& again, int) { on_signal(again); });
}

void Service::run() {
  signals_.async_wait([this](const boost::system::error_code& error, int) { on_signal(error); });
  say("the agent takes jobs at " + server_->url() + "/v1/jobs");
  bool ended = false;
  std::exception_ptr failure;
  const auto on_end = [&](std::exception_ptr thrown, std::size_t left) {
    ended = true;
    failure = std::move(thrown);
    left_ = left;
  };
  asio::co_spawn(io_, server_->run(), on_end);
  while (!ended) io_.run_one();
  if (failure) std::rethrow_exception(failure);
}

void Service::close() {
  if (left_ > 0) {
    warn("jobs under way: " + std::to_string(left_) +
         (server_->remembers_jobs()
              ? "; the next agent with this spool and port goes on with them"
              : "; their runs stay open: a job that goes on registers again with its run_id, of others the collector judges"));
  }
  std::thread closing([this, limit = told_ > 1 ? milliseconds(0) : options_.flush_timeout] {
    producer_->close(limit);
    asio::post(io_, [this] {
      closed_ = true;  // a signal that came just before is no reason to wait for another
      signals_.cancel();
    });
  });
  io_.restart();
  io_.run();
  closing.join();
  for (const auto& sentence : what_did_not_arrive(producer_->report(), options_.settings, "records")) warn(sentence);
}

}  // namespace

void say(std::string_view message) {
  print_line_if_writable(std::chrono::system_clock::now(), v1::SEVERITY_INFO, std::string("Runfold: ").append(message));
}

Result<void> serve(AgentOptions options) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    Service service(std::move(options));
    if (auto opened = service.open(); !opened) return opened;
    service.run();
    service.close();
  } catch (const std::exception& error) {  // the event loop and the threads throw when the system refuses them
    return Error{Errc::kSystem, std::string("the agent cannot go on: ") + error.what()};
  }
  return {};
}

}  // namespace runfold::agent

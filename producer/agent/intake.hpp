// The loopback HTTP endpoint where a connector in any language hands in log records and events of its one run.
#pragma once

#include "producer/agent/error.hpp"
#include "producer/agent/intake_run.hpp"
#include "producer/agent/sink.hpp"
#include "runfold/v1/event.pb.h"
#include "transport/http/server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace runfold::agent {

struct IntakeOptions {
  /// The run it takes records for; an event that names another one is refused.
  std::string run_id;
  /// What a connector must send as "Authorization: Bearer TOKEN". Empty: a new random one.
  std::string token;
  std::size_t body_bytes = 1024 * 1024;
};

/// Serves the intake of one run (see IntakeRun) on a free port of 127.0.0.1.
///
/// A Completed is kept and not emitted: the run ends when the process does (see declared_end()).
/// Thread: the executor's.
class Intake {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Intake>> listen(boost::asio::any_io_executor executor, RunSink sink, IntakeOptions options);

  /// http://127.0.0.1:PORT
  [[nodiscard]] std::string url() const;
  [[nodiscard]] const std::string& token() const noexcept { return options_.token; }

  /// Serves until stop().
  [[nodiscard]] boost::asio::awaitable<void> run() { return server_->run(); }
  void stop(std::chrono::milliseconds grace) { server_->stop(grace); }

  /// The Completed that the connector sent, if it sent one; the last one counts.
  [[nodiscard]] const std::optional<v1::Completed>& declared_end() const noexcept { return declared_end_; }
  /// The step under way, when exactly one is.
  [[nodiscard]] std::string open_step() const { return run_->open_step(); }

 private:
  Intake(RunSink sink, IntakeOptions options);
  [[nodiscard]] FoundRun find(const http::Request& request) const;

  IntakeOptions options_;
  std::optional<v1::Completed> declared_end_;
  std::shared_ptr<IntakeRun> run_;
  std::unique_ptr<http::Server> server_;
};

/// 64 hexadecimal digits from the kernel's random source.
[[nodiscard]] Result<std::string> random_token();

}  // namespace runfold::agent

// A reverse proxy in front of the Container API that records every call that fails.
#pragma once

#include "producer/agent/error.hpp"
#include "producer/agent/sink.hpp"
#include "producer/redact/redactor.hpp"
#include "transport/http/relay.hpp"
#include "transport/http/server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace runfold::agent {

struct ProxyOptions {
  /// The Container API as the connector would have called it, for example https://api.example.com/platform/v2.
  std::string upstream;
  /// A PEM file of further certificate authorities for it. Empty: the system's alone.
  std::string ca_file;
  /// How much of a failing call's response body is recorded.
  std::size_t recorded_body_bytes = 16 * 1024;
  /// Each holds two file descriptors and a read's worth of memory either way; more wait to be accepted.
  std::size_t connections = 128;
  /// How long each part of a call may take, and the size of heads.
  http::RelayLimits limits = {};
  /// The step under way, for the record; may be absent.
  std::function<std::string()> step;
  /// Finds secrets in a target before the record's message takes its path from it: one may go on behind the '?'. Not null.
  std::shared_ptr<const redact::Redactor> redactor = std::make_shared<const redact::Redactor>();
};

/// Passes what the connector sends to a free port of 127.0.0.1 on to the upstream as it comes, and back what the upstream answers (see
/// http::make_relay). An absolute target's scheme and host are left out: calls go to the upstream and nowhere else. A response of 400 and
/// above, and a call with no whole response, becomes a log record of the container_api stream. Request headers are never recorded;
/// what else holds secrets, the request's URI for one, is the sink's to redact. Thread: the executor's.
class Proxy {
 public:
  /// Errors: kInvalid when the upstream is not an http:// or https:// URL, or the file of authorities cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<Proxy>> listen(boost::asio::any_io_executor executor, RunSink sink, ProxyOptions options);

  /// What the connector is to use in the upstream's place: its user info and path, on http://127.0.0.1:PORT.
  [[nodiscard]] std::string url() const;

  /// Serves until stop().
  [[nodiscard]] boost::asio::awaitable<void> run() { return server_->run(); }
  void stop(std::chrono::milliseconds grace) { server_->stop(grace); }

 private:
  Proxy() = default;

  /// The upstream's user info and path.
  std::string user_info_;
  std::string base_path_;
  std::unique_ptr<http::Server> server_;
};

/// The log record of a failed call to `origin` (scheme://host:port).
[[nodiscard]] v1::LogRecord make_failure_record(const http::FailedCall& call, const std::string& origin, const ProxyOptions& options);

}  // namespace runfold::agent

// Posts each record as JSON to a URL.
#pragma once

#include "sinks/options.hpp"
#include "sinks/sink.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <set>
#include <string>

namespace runfold::sinks {

struct WebhookOptions {
  std::string name = "webhook";
  std::set<Kind> kinds{Kind::kApiFailure, Kind::kRun};
  /// http:// or https://. May hold secrets: no message shows more of it than scheme, host and port.
  std::string url{};
  /// For one request: resolving, connecting, sending, receiving. 100 ms to 5 min.
  std::chrono::milliseconds timeout{10'000};
  /// For one deliver(): what is not reached by then is not tried. At least `timeout`, at most an hour.
  std::chrono::milliseconds batch_timeout{60'000};
  /// A PEM file of further certificate authorities. Empty: the system's alone.
  std::string ca_file{};
};

/// A sink that makes one POST request a record, one after the other, following no redirect.
///
/// The body is {"kind": "run" | "api_failure", "id": ..., "run_id": ..., "data": the message as protobuf-JSON, with the names
/// of its .proto}; the field Idempotency-Key has the id. 2xx is delivered. 408, 425, 429, 5xx, redirects and requests without
/// an answer are tried again, as Retry-After says; every other answer rejects the record for good. After a request without an
/// answer or a 429 the rest is not tried.
/// Errors: names the option.
[[nodiscard]] OptionResult<std::unique_ptr<Sink>> make_webhook(boost::asio::any_io_executor executor, WebhookOptions options);

}  // namespace runfold::sinks

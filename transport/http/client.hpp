// An HTTP/1.1 client with one deadline a request.
#pragma once

#include "transport/http/error.hpp"
#include "transport/http/message.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::http {

struct ClientOptions {
  std::size_t response_bytes = 16 * 1024 * 1024;
  /// Says whether an address may be connected to; absent allows all. Asked once for each resolved address, and the
  /// connection goes to the very address that was asked about.
  std::function<bool(const boost::asio::ip::address&)> allow_address;
  /// A PEM file of further certificate authorities. Empty: the system's alone.
  std::string ca_file;
  std::string user_agent = "runfold";
};

struct ClientRequest {
  ClientRequest() = default;
  // No aggregate: g++ 12 destroys a braced aggregate that stands in the expression of a co_await twice.
  ClientRequest(std::string how, std::string where, Fields further = {}, std::string content = {})
      : method(std::move(how)), url(std::move(where)), fields(std::move(further)), body(std::move(content)) {}

  std::string method = "GET";
  /// http:// or https://
  std::string url;
  Fields fields;
  std::string body;
};

/// Sends requests, keeping idle connections for the next one to the same host.
///
/// Follows no redirect. Verifies TLS certificates and host names. User and password in a URL become Basic authorization.
/// A request that finds its kept connection dead before a byte came back is sent once more, if its method is idempotent.
/// Thread: the executor's, which runs one thing at a time. Outlives its send()s.
class Client {
 public:
  [[nodiscard]] static std::unique_ptr<Client> create(boost::asio::any_io_executor executor, ClientOptions options = {});
  virtual ~Client() = default;

  /// Completes with the response, whatever its status, or with why there is none. `limit` bounds the whole of it:
  /// resolving, connecting, sending and receiving. Errors name HOST:PORT and never hold user, password, path or query.
  /// Cancel: supported; ends with the exception of a cancelled coroutine.
  [[nodiscard]] virtual boost::asio::awaitable<Result<Response>> send(ClientRequest request, std::chrono::milliseconds limit) = 0;
};

/// Sends one request with no event loop of the caller's: for command line tools.
[[nodiscard]] Result<Response> send_blocking(ClientRequest request, std::chrono::milliseconds limit, ClientOptions options = {});

/// Percent-encodes one path segment or query value.
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace runfold::http

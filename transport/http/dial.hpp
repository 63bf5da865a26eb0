// Opens a connection to a URL's host: resolve, ask the address guard, connect, TLS.
#pragma once

#include "transport/http/client.hpp"
#include "transport/http/link.hpp"
#include "transport/http/url.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace runfold::http {

/// What one send() is doing, so that its deadline can end it and its error can say where it stood.
struct Attempt {
  std::string doing = "resolving the name";
  std::chrono::steady_clock::time_point until;
  std::unique_ptr<Link> link;
  /// Wakes the wait for a name that is being resolved. The look-up itself cannot be stopped, and is left to end by itself.
  boost::asio::steady_timer* lookup = nullptr;
  bool response_begun = false;
  /// Nothing new may be begun.
  bool aborted = false;

  void abort() {
    aborted = true;
    if (link) link->close();
    if (lookup != nullptr) lookup->cancel();
  }
};

/// Leaves an open connection in `attempt.link`. `lookups` counts the look-ups that have not ended.
///
/// An attempt aborted while dialling gives some error; the caller knows why it aborted.
[[nodiscard]] boost::asio::awaitable<Result<>> dial(boost::asio::any_io_executor executor, const Url& url, const ClientOptions& options,
                                                    boost::asio::ssl::context* tls, std::shared_ptr<int> lookups, Attempt& attempt);

}  // namespace runfold::http

// One request and its response on a connection that stands.
#pragma once

#include "transport/http/client.hpp"
#include "transport/http/dial.hpp"
#include "transport/http/url.hpp"

#include <string>

namespace runfold::http {

struct Exchanged {
  Response response;
  /// Whether the connection can serve another request.
  bool reusable = false;
};

/// The request line and header. Errors: kInvalid names the method or field that HTTP cannot carry.
[[nodiscard]] Result<std::string> request_head(const ClientRequest& request, const Url& url, const ClientOptions& options);

/// Sends on `attempt.link` and receives. Errors: kBroken, kTooLarge; `attempt.response_begun` says whether a byte came back.
[[nodiscard]] boost::asio::awaitable<Result<Exchanged>> exchange(const ClientRequest& request, const std::string& head, const Url& url,
                                                                 const ClientOptions& options, Attempt& attempt);

}  // namespace runfold::http

// A server's routes that say what they were asked, and requests for them.
#pragma once

#include "transport/http/router.hpp"

#include <string>

namespace runfold::test {

inline boost::asio::awaitable<http::Response> echo(const http::Request& request) {
  co_return http::Response::text(request.method + " " + request.path + " " + request.body);
}

inline http::Router echo_router() {
  http::Router router;
  router.add("GET", "/echo", {}, echo);
  router.add("POST", "/echo", {}, echo);
  return router;
}

/// A GET of `target` as it goes over the wire; `more`: further header lines, each with its end.
inline std::string get(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + more + "\r\n";
}

}  // namespace runfold::test

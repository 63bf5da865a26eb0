// Finds the handler of a request by method and path.
#pragma once

#include "transport/http/message.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::http {

/// May move the body out of the request.
using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

/// Maps method and path pattern to handlers.
///
/// A pattern is literal segments and {names}, for example "/api/v1/runs/{run_id}/logs"; a last segment {name...} matches
/// the rest of the path, which may be empty. A literal segment wins over a {name}. GET serves HEAD too. An unknown path is
/// a 404 problem document, a known path with another method a 405 with Allow. The pattern is chosen by the path alone.
/// The method "*" takes every method.
class Router {
 public:
  /// `known_query`: the query parameters the route takes; any other is a 400 that names it and the nearest known one.
  /// {"*"} takes every parameter. A route of every method and parameter whose pattern has a rest also takes what is not
  /// percent-encoded UTF-8, for it passes on what was sent: such a segment, name or value is left as it is.
  void add(std::string_view method, std::string_view pattern, std::vector<std::string> known_query, Handler handler);

  /// Runs the handler that fits; `request.path_parameters` is filled in on the way.
  [[nodiscard]] boost::asio::awaitable<Response> route(Request& request) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    std::vector<std::string> known_query;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace runfold::http

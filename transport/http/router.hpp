// Finds the handler of a request by method and path.
#pragma once

#include "transport/http/message.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace runfold::http {

/// May move the body out of the request.
using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;
/// Looks at a request whose body is not there yet: a response refuses it.
using Gate = std::function<std::optional<Response>(const Request&)>;

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
  /// `gate`: asked before the handler, and by a server once more before it reads the body, so that who may not send one sends none.
  void add(std::string_view method, std::string_view pattern, std::vector<std::string> known_query, Handler handler, Gate gate = {});

  /// Runs the handler that fits; `request.path_parameters` is filled in on the way.
  [[nodiscard]] boost::asio::awaitable<Response> route(Request& request) const;
  /// What refuses a request by its head alone: there is no such route, or its gate. Nothing: its body may come.
  [[nodiscard]] std::optional<Response> refusal(Request& head) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    std::vector<std::string> known_query;
    Handler handler;
    Gate gate;
  };
  /// The route that fits and lets it pass, or what refuses it.
  [[nodiscard]] std::variant<const Route*, Response> choose(Request& request) const;
  std::vector<Route> routes_;
};

}  // namespace runfold::http

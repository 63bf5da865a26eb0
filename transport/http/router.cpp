// Finds the handler of a request by method and path.
#include "transport/http/router.hpp"

#include "transport/http/syntax.hpp"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

namespace runfold::http {
namespace {

/// Takes what stands before `end` off the text, and `end` too; all of it when there is none.
std::string_view take_until(std::string_view& text, char end) {
  const auto at = static_cast<std::size_t>(std::find(text.begin(), text.end(), end) - text.begin());
  const std::string_view taken = text.substr(0, at);
  text = at == text.size() ? std::string_view() : text.substr(at + 1);
  return taken;
}

/// "/a/b" to {"a", "b"}; "/" to {""}.
std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  std::string_view rest = path.substr(1);
  while (!rest.empty()) segments.emplace_back(take_until(rest, '/'));
  if (path.ends_with('/')) segments.emplace_back();
  return segments;
}

bool is_rest(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with("...}");
}
bool is_name(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}') && !is_rest(segment);
}
std::string_view name_of(std::string_view segment) {
  return segment.substr(1, segment.size() - (is_rest(segment) ? 5 : 2));
}

/// 0 wins over 1, 1 over 2.
int rank(std::string_view segment) {
  return is_rest(segment) ? 2 : is_name(segment) ? 1 : 0;
}

/// Whether `path` fits the pattern. A {name} takes no empty segment.
bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_rest(pattern[i])) return true;
    if (i >= path.size()) return false;
    if (is_name(pattern[i]) ? path[i].empty() : pattern[i] != path[i]) return false;
  }
  return pattern.size() == path.size();
}

/// Whether `a` says more about the path than `b`: a literal at the first segment where they differ.
bool more_specific(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](const std::string& x, const std::string& y) { return rank(x) < rank(y); });
}

bool same_shape(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return !more_specific(a, b) && !more_specific(b, a);
}

/// The least number of insertions, removals, changes and swaps of neighbours that make `b` of `a`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

/// The known name that `unknown` was probably meant to be; empty: none is near.
std::string_view nearest(std::string_view unknown, const std::vector<std::string>& known) {
  if (unknown.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, unknown.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t d = distance(unknown, candidate);
    if (d < best_distance && d < candidate.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Problem unknown_parameter(const Request& request, const std::string& name, const std::vector<std::string>& known) {
  Problem problem{400,
                  "Unknown query parameter",
                  request.method + " " + printable(request.path) + " takes no parameter \"" + printable(name) + "\"",
                  {{"parameter", printable(name)}}};
  if (const std::string_view near = nearest(name, known); !near.empty()) {
    problem.detail += "; did you mean \"" + std::string(near) + "\"?";
    problem.members.emplace_back("suggestion", near);
  } else if (known.empty()) {
    problem.detail += "; it takes none.";
  } else {
    problem.detail += "; it takes " + joined(known) + ".";
  }
  return problem;
}

Problem not_decodable(std::string_view what) {
  return {400, "Malformed request", std::string(what) + " is not valid percent-encoded UTF-8.", {}};
}

struct TargetProblems {
  /// It has no path.
  std::optional<Problem> fatal;
  /// A part cannot be decoded, and is left as it was sent.
  std::optional<Problem> undecodable;
};

/// Fills in path and query of the target.
TargetProblems read_target(Request& request, std::vector<std::string>& segments) {
  TargetProblems problems;
  const auto decode = [&](std::string_view text, bool plus_is_space, const auto& what) {
    auto decoded = percent_decode(text, plus_is_space);
    if (!decoded && !problems.undecodable) problems.undecodable = not_decodable(what());
    return decoded ? std::move(*decoded) : std::string(text);
  };
  std::string_view target = request.target;
  if (const std::size_t scheme = target.find("://"); scheme != std::string_view::npos && !target.starts_with('/')) {  // absolute form
    target.remove_prefix(std::min(target.find_first_of("/?", scheme + 3), target.size()));
  }
  std::string_view query = take_until(target, '#');
  std::string_view path = take_until(query, '?');
  if (path.empty()) path = "/";
  if (!path.starts_with('/')) {
    problems.fatal = Problem{400, "Malformed request", "The request's target must begin with a slash.", {}};
    return problems;
  }

  request.path.clear();
  segments = split_path(path);
  for (std::string& segment : segments) {
    segment = decode(segment, false, [] { return std::string("The path"); });
    request.path += "/" + segment;
  }

  request.query.clear();
  while (!query.empty()) {
    std::string_view pair = take_until(query, '&');
    if (pair.empty()) continue;
    std::string name = decode(take_until(pair, '='), true, [] { return std::string("A query parameter's name"); });
    std::string value = decode(pair, true, [&] { return "The value of the query parameter \"" + name + "\""; });
    request.query.emplace_back(std::move(name), std::move(value));
  }
  return problems;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, std::vector<std::string> known_query, Handler handler, Gate gate) {
  assert(pattern.starts_with('/') && "a pattern begins with a slash");
  assert(handler && "a route has a handler");
  routes_.push_back({std::string(method), split_path(pattern), std::move(known_query), std::move(handler), std::move(gate)});
}

std::variant<const Router::Route*, Response> Router::choose(Request& request) const {
  std::vector<std::string> path;
  const TargetProblems problems = read_target(request, path);
  if (problems.fatal) return problems.fatal->to_response();

  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (fits(route.segments, path) && (best == nullptr || more_specific(route.segments, best->segments))) best = &route;
  }
  const auto takes_all = [](const Route& route) {
    return route.method == "*" && route.known_query.size() == 1 && route.known_query.front() == "*" && is_rest(route.segments.back());
  };
  if (problems.undecodable && (best == nullptr || !takes_all(*best))) return problems.undecodable->to_response();
  if (best == nullptr) return Problem{404, "Not Found", "There is nothing at " + printable(request.path) + ".", {}}.to_response();

  const Route* chosen = nullptr;
  std::vector<std::string> allowed;
  const auto serves = [&](const Route& route, std::string_view method) { return route.method == method || route.method == "*"; };
  for (const Route& route : routes_) {
    if (!fits(route.segments, path) || !same_shape(route.segments, best->segments)) continue;
    if (chosen == nullptr && serves(route, request.method)) chosen = &route;
    allowed.push_back(route.method);
    if (route.method == "GET") allowed.emplace_back("HEAD");
  }
  for (const Route& route : routes_) {
    if (chosen == nullptr && request.method == "HEAD" && fits(route.segments, path) && same_shape(route.segments, best->segments) &&
        serves(route, "GET")) {
      chosen = &route;
    }
  }
  if (chosen == nullptr) {
    std::sort(allowed.begin(), allowed.end());
    allowed.erase(std::unique(allowed.begin(), allowed.end()), allowed.end());
    Response response = Problem{
        405,
        "Method Not Allowed",
        printable(request.path) + " takes " + joined(allowed) + "; not " + printable(request.method) + ".",
        {}}.to_response();
    response.fields.set("Allow", joined(allowed));
    return response;
  }

  const bool any_query = chosen->known_query.size() == 1 && chosen->known_query.front() == "*";
  for (const auto& [name, value] : request.query) {
    if (!any_query && std::find(chosen->known_query.begin(), chosen->known_query.end(), name) == chosen->known_query.end()) {
      return unknown_parameter(request, name, chosen->known_query).to_response();
    }
  }

  request.path_parameters.clear();
  for (std::size_t i = 0; i < chosen->segments.size(); ++i) {
    const std::string& segment = chosen->segments[i];
    if (is_rest(segment)) {
      std::string rest;
      for (std::size_t j = i; j < path.size(); ++j) rest += (j > i ? "/" : "") + path[j];
      request.path_parameters.insert_or_assign(std::string(name_of(segment)), std::move(rest));
    } else if (is_name(segment)) {
      request.path_parameters.insert_or_assign(std::string(name_of(segment)), path[i]);
    }
  }
  if (chosen->gate) {
    if (auto refused = chosen->gate(request)) return *std::move(refused);
  }
  return chosen;
}

boost::asio::awaitable<Response> Router::route(Request& request) const {
  auto chosen = choose(request);
  if (auto* refused = std::get_if<Response>(&chosen)) co_return std::move(*refused);
  co_return co_await std::get<const Route*>(chosen)->handler(request);
}

std::optional<Response> Router::refusal(Request& head) const {
  auto chosen = choose(head);
  auto* refused = std::get_if<Response>(&chosen);
  return refused == nullptr ? std::nullopt : std::optional(std::move(*refused));
}

}  // namespace runfold::http

// What a relay writes of a message's head.
#include "transport/http/relay_head.hpp"

#include "transport/http/syntax.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace runfold::http {
namespace {

/// Fields that end here (RFC 9110, 7.6.1), and those that each side writes for itself.
constexpr std::array<std::string_view, 10> kHopByHop{
    "Connection",        "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade",    "Content-Length"};

void append_end_to_end(const Fields& fields, bool request, std::string& text) {
  std::vector<std::string_view> named;
  for (const auto& [name, value] : fields.all()) {
    if (equal_fold(name, "Connection")) named.push_back(value);
  }
  for (const auto& field : fields.all()) {
    const std::string_view name = field.first;
    const auto is_name = [&](std::string_view other) { return equal_fold(name, other); };
    if (std::any_of(kHopByHop.begin(), kHopByHop.end(), is_name) || (request && equal_fold(name, "Host"))) continue;
    if (std::any_of(named.begin(), named.end(), [&](std::string_view list) { return list_holds(list, name); })) continue;
    text.append(name).append(": ").append(field.second).append("\r\n");
  }
}

void append_status_line(const StreamHead& response, std::string& text) {
  text.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(response.reason).append("\r\n");
}

}  // namespace

std::optional<std::string> path_and_query(std::string_view target) {
  if (target.starts_with('/')) return std::string(target);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_fold(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t end = std::min(target.find_first_of("/?#", scheme.size()), target.size());
    std::string rest(target.substr(end));
    if (!rest.starts_with('/')) rest.insert(0, "/");
    return rest;
  }
  return std::nullopt;
}

std::optional<Problem> refusal(const StreamHead& request) {
  const auto malformed = [](std::string detail) { return Problem{400, "Malformed request", std::move(detail), {}}; };
  // Only a path goes on to the upstream: an absolute target must not choose another host.
  if (!path_and_query(request.target)) return malformed("The request's target is neither a path nor an http:// or https:// URL.");
  const auto& fields = request.fields.all();
  const auto hosts = std::count_if(fields.begin(), fields.end(), [](const auto& field) { return equal_fold(field.first, "Host"); });
  if (hosts > 1 || (hosts == 0 && !request.http_1_0)) return malformed("An HTTP/1.1 request has exactly one Host field.");
  if (const auto coding = request.fields.get("Transfer-Encoding")) {
    if (request.http_1_0) return malformed("An HTTP/1.0 request has no Transfer-Encoding.");
    if (!equal_fold(*coding, "chunked")) {
      return Problem{501,
                     "Not Implemented",
                     "The transfer coding \"" + printable(*coding) + "\" is not supported; send the body chunked or with its length.",
                     {}};
    }
  }
  return std::nullopt;
}

std::string relayed_request(const StreamHead& request, const std::string& target, const Url& upstream) {
  std::string text = request.method + " " + target + " HTTP/1.1\r\nHost: " + upstream.host_field() + "\r\n";
  append_end_to_end(request.fields, true, text);
  if (request.chunked) {
    text += "Transfer-Encoding: chunked\r\n";
  } else if (request.content_length) {
    text += "Content-Length: " + std::to_string(*request.content_length) + "\r\n";
  }
  return text + "\r\n";
}

std::string relayed_response(const StreamHead& response, const RelayedFraming& framing) {
  std::string text;
  append_status_line(response, text);
  append_end_to_end(response.fields, false, text);
  if (response.content_length && response.status != 204) text += "Content-Length: " + std::to_string(*response.content_length) + "\r\n";
  if (framing.chunked(response)) text += "Transfer-Encoding: chunked\r\n";
  if (!framing.keep_alive) {
    text += "Connection: close\r\n";
  } else if (framing.http_1_0) {
    text += "Connection: keep-alive\r\n";
  }
  return text + "\r\n";
}

std::string relayed_interim(const StreamHead& response) {
  std::string text;
  append_status_line(response, text);
  append_end_to_end(response.fields, false, text);
  return text + "\r\n";
}

}  // namespace runfold::http

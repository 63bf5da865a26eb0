// Forwards the connector's calls to the Container API and records those that fail.
#include "producer/agent/proxy.hpp"

#include "producer/agent/text.hpp"

#include <boost/url.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::agent {
namespace {

/// Each holds a request's body and a response's: this bounds the memory.
constexpr std::size_t kConnections = 32;

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

/// The names that a message's Connection header makes hop-by-hop.
std::vector<std::string> named_by_connection(const http::Fields& fields) {
  std::vector<std::string> names;
  for (const auto& [name, value] : fields.all()) {
    if (!same_name(name, "Connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
      while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
      if (!item.empty()) names.emplace_back(item);
    }
  }
  return names;
}

/// Headers that end here (RFC 9110, 7.6.1), and those that each side writes for itself.
http::Fields end_to_end(const http::Fields& fields, bool request) {
  static constexpr std::array<std::string_view, 11> kHopByHop{"Connection",
                                                              "Keep-Alive",
                                                              "Proxy-Authenticate",
                                                              "Proxy-Authorization",
                                                              "Proxy-Connection",
                                                              "TE",
                                                              "Trailer",
                                                              "Transfer-Encoding",
                                                              "Upgrade",
                                                              "Content-Length",
                                                              "Expect"};
  const std::vector<std::string> named = named_by_connection(fields);
  http::Fields kept;
  for (const auto& [name, value] : fields.all()) {
    const auto is_this = [&, &field = name](std::string_view other) { return same_name(field, other); };
    if (std::any_of(kHopByHop.begin(), kHopByHop.end(), is_this) || std::any_of(named.begin(), named.end(), is_this)) continue;
    if (request && same_name(name, "Host")) continue;
    kept.add(name, value);
  }
  return kept;
}

/// Path and query of a request's target, as sent; of an absolute one, what follows its host. Nothing: it is neither.
std::optional<std::string> path_and_query(std::string_view target) {
  if (target.starts_with('/')) return std::string(target);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_name(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t end = std::min(target.find_first_of("/?#", scheme.size()), target.size());
    std::string rest(target.substr(end));
    if (!rest.starts_with('/')) rest.insert(0, "/");
    return rest;
  }
  return std::nullopt;
}

/// The body of an answer whose length is not known.
boost::asio::awaitable<std::optional<std::string>> no_more() {
  co_return std::nullopt;
}

/// What a person reads of a body: text as it is, anything else as a note of what it was.
std::string readable_body(const http::Response& response, std::size_t limit, bool& truncated) {
  const std::string_view encoding = response.fields.get("content-encoding").value_or("identity");
  if (!same_name(encoding, "identity") && !response.body.empty()) {
    return std::string("(")
        .append(std::to_string(response.body.size()))
        .append(" bytes, content-encoding ")
        .append(to_utf8(encoding))
        .append(")");
  }
  const std::string_view kept = utf8_prefix(response.body, limit);
  truncated = kept.size() < response.body.size();
  return to_utf8(kept);
}

}  // namespace

v1::LogRecord make_failure_record(const FailedCall& call, std::size_t recorded_body_bytes) {
  v1::LogRecord record;
  record.set_stream(v1::LOG_STREAM_CONTAINER_API);
  record.set_severity(v1::SEVERITY_ERROR);
  v1::ApiCall& api_call = *record.mutable_api_call();
  api_call.set_method(to_utf8(call.method));
  api_call.set_request_uri(to_utf8(without_credentials(call.url)));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(call.duration);
  api_call.mutable_duration()->set_seconds(seconds.count());
  api_call.mutable_duration()->set_nanos(static_cast<std::int32_t>((call.duration - seconds).count()));

  std::string_view path = api_call.request_uri();
  if (const std::size_t scheme = path.find("://"); scheme != std::string_view::npos) {
    path.remove_prefix(std::min(path.find('/', scheme + 3), path.size()));
  }
  path = path.substr(0, path.find('?'));
  std::string message = api_call.method() + " " + std::string(path.empty() ? "/" : path);
  if (call.response != nullptr) {
    bool truncated = false;
    api_call.set_response_code(call.response->status);
    api_call.set_response_body(readable_body(*call.response, recorded_body_bytes, truncated));
    api_call.set_response_body_truncated(truncated);
    message += " answered " + std::to_string(call.response->status);
  } else {
    api_call.set_transport_error(to_utf8(call.transport_error));
    message += " got no response: " + api_call.transport_error();
  }
  record.set_message(std::move(message));
  return record;
}

Proxy::Proxy(boost::asio::any_io_executor executor, RunSink sink, ProxyOptions options)
    : sink_(std::move(sink)), options_(std::move(options)) {
  http::ClientOptions client_options;
  client_options.response_bytes = options_.body_bytes;
  client_options.ca_file = options_.ca_file;
  client_options.reuse_only_if_idempotent = true;
  client_ = http::Client::create(std::move(executor), std::move(client_options));
}

Result<std::unique_ptr<Proxy>> Proxy::listen(boost::asio::any_io_executor executor, RunSink sink, ProxyOptions options) {
  const auto url = boost::urls::parse_uri(options.upstream);
  if (!url || (url->scheme() != "http" && url->scheme() != "https") || url->encoded_host().empty()) {
    return Error{Errc::kInvalid, "the Container API's URL \"" + without_credentials(options.upstream) +
                                     "\" is not an http:// or https:// URL; set --container-api or CONTAINER_API_URL to one"};
  }
  if (url->has_query() || url->has_fragment()) {
    return Error{Errc::kInvalid, "the Container API's URL \"" + without_credentials(options.upstream) +
                                     "\" has a query or a fragment; give scheme, host and path only"};
  }
  http::ServerLimits limits;
  limits.header_bytes = 64 * 1024;
  limits.body_bytes = options.body_bytes;
  limits.connections = kConnections;
  limits.request_time = options.limit;
  limits.response_time = options.limit + std::chrono::seconds(10);
  std::unique_ptr<Proxy> proxy(new Proxy(executor, std::move(sink), std::move(options)));
  proxy->origin_ = std::string(url->scheme()) + "://" + std::string(url->encoded_host_and_port());
  proxy->user_info_ = url->has_userinfo() ? std::string(url->encoded_userinfo()) + "@" : std::string();
  proxy->base_path_ = std::string(url->encoded_path());

  http::Router router;
  router.add("*", "/{path...}", {"*"}, [self = proxy.get()](http::Request& request) { return self->forward(request); });
  auto server = http::Server::listen(std::move(executor), "127.0.0.1:0", std::move(router), limits);
  if (!server) return Error{Errc::kSystem, "cannot open the Container API proxy: " + server.error().message};
  proxy->server_ = std::move(*server);
  return proxy;
}

std::string Proxy::url() const {
  return "http://" + user_info_ + server_->address() + base_path_;
}

boost::asio::awaitable<http::Response> Proxy::forward(http::Request& request) {
  // Only a path goes on to the upstream: an absolute target must not choose another host.
  const auto target = path_and_query(request.target);
  if (!target) {
    co_return http::Problem{400, "Malformed request", "The request's target is neither a path nor an http:// or https:// URL.", {}}
        .to_response();
  }
  http::ClientRequest call;
  call.method = request.method;
  call.url = origin_;
  call.target = *target;
  call.fields = end_to_end(request.fields, true);
  call.body = std::move(request.body);

  FailedCall seen{request.method, origin_ + *target, nullptr, {}, {}};
  const auto begun = std::chrono::steady_clock::now();
  auto answer = co_await client_->send(std::move(call), options_.limit);
  seen.duration = std::chrono::steady_clock::now() - begun;

  http::Response response;
  if (answer) {
    seen.response = &*answer;
    response.status = answer->status;
    response.fields = end_to_end(answer->fields, false);
    if (request.method == "HEAD") {
      const auto length = answer->fields.get("Content-Length");
      if (length) response.fields.set("Content-Length", *length);
      if (!length) response.next_chunk = no_more;
    }
  } else {
    seen.transport_error = answer.error().message;
    response = http::Problem{502, "Container API not reachable", without_credentials(answer.error().message), {}}.to_response();
  }
  if (response.status >= 400) {
    v1::LogRecord record = make_failure_record(seen, options_.recorded_body_bytes);
    if (options_.step) record.set_step_id(options_.step());
    sink_.log(std::move(record));
  }
  if (answer) response.body = std::move(answer->body);
  co_return response;
}

}  // namespace runfold::agent

// Forwards the connector's calls to the Container API and records those that fail.
#include "producer/agent/proxy.hpp"

#include "producer/agent/text.hpp"
#include "producer/redact/redactor.hpp"
#include "transport/http/connection.hpp"
#include "transport/http/syntax.hpp"
#include "transport/http/tls.hpp"

#include <boost/url.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace runfold::agent {
namespace {

/// What a person reads of a body: text as it is, anything else as a note of what it was.
std::string readable_body(const http::FailedCall& call, std::size_t limit, bool& truncated) {
  if (!call.content_encoding.empty() && !http::equal_fold(call.content_encoding, "identity") && call.body_bytes > 0) {
    return std::string("(")
        .append(std::to_string(call.body_bytes))
        .append(" bytes, content-encoding ")
        .append(to_utf8(call.content_encoding))
        .append(")");
  }
  const std::string_view kept = utf8_prefix(call.body, limit);
  truncated = kept.size() < call.body_bytes || !call.error.empty();
  return to_utf8(kept);
}

}  // namespace

v1::LogRecord make_failure_record(const http::FailedCall& call, const std::string& origin, const ProxyOptions& options) {
  v1::LogRecord record;
  record.set_stream(v1::LOG_STREAM_CONTAINER_API);
  record.set_severity(v1::SEVERITY_ERROR);
  v1::ApiCall& api_call = *record.mutable_api_call();
  api_call.set_method(to_utf8(call.method));
  const std::string target = to_utf8(call.target);
  api_call.set_request_uri(origin + target);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(call.duration);
  api_call.mutable_duration()->set_seconds(seconds.count());
  api_call.mutable_duration()->set_nanos(static_cast<std::int32_t>((call.duration - seconds).count()));

  const std::string clean = options.redactor->replaced(target).value_or(target);
  std::string message = api_call.method() + " " + clean.substr(0, clean.find('?'));
  const unsigned status = call.status.value_or(0);
  if (status >= 400) {
    bool truncated = false;
    api_call.set_response_code(status);
    api_call.set_response_body(readable_body(call, options.recorded_body_bytes, truncated));
    api_call.set_response_body_truncated(truncated);
    message += " answered " + std::to_string(status);
  } else {
    api_call.set_transport_error(to_utf8(call.error));
    message +=
        (status == 0 ? " got no response: " : " answered " + std::to_string(status) + " and broke off: ") + api_call.transport_error();
  }
  record.set_message(std::move(message));
  return record;
}

Result<std::unique_ptr<Proxy>> Proxy::listen(boost::asio::any_io_executor executor, RunSink sink, ProxyOptions options) {
  const auto url = boost::urls::parse_uri(options.upstream);
  if (!url || (url->scheme() != "http" && url->scheme() != "https") || url->encoded_host().empty()) {
    return Error{Errc::kInvalid, "the Container API's URL \"" + redact::without_credentials(options.upstream) +
                                     "\" is not an http:// or https:// URL; set --container-api or CONTAINER_API_URL to one"};
  }
  if (url->has_query() || url->has_fragment()) {
    return Error{Errc::kInvalid, "the Container API's URL \"" + redact::without_credentials(options.upstream) +
                                     "\" has a query or a fragment; give scheme, host and path only"};
  }
  const std::string origin = std::string(url->scheme()) + "://" + std::string(url->encoded_host_and_port());
  const auto upstream = http::parse_url(origin);
  if (!upstream) return Error{Errc::kInvalid, upstream.error().message};

  const auto relaying = std::make_shared<http::Relaying>();
  relaying->upstream = *upstream;
  relaying->limits = options.limits;
  relaying->kept_body_bytes = options.recorded_body_bytes;
  if (upstream->tls) {
    auto tls = http::client_tls(options.ca_file);
    if (!tls) return Error{Errc::kInvalid, tls.error().message};
    relaying->tls = std::move(*tls);
  }
  const std::size_t connections = options.connections;
  relaying->on_failure = [sink = std::move(sink), options = std::move(options), origin](const http::FailedCall& call) {
    v1::LogRecord record = make_failure_record(call, origin, options);
    if (options.step) record.set_step_id(options.step());
    sink.log(std::move(record));
  };
  auto make = [relaying](boost::asio::ip::tcp::socket client) -> std::shared_ptr<http::Connection> {
    return http::make_relay(std::move(client), relaying);
  };
  auto server = http::Server::listen(std::move(executor), "127.0.0.1:0", std::move(make), connections);
  if (!server) return Error{Errc::kSystem, "cannot open the Container API proxy: " + server.error().message};
  std::unique_ptr<Proxy> proxy(new Proxy());
  proxy->user_info_ = url->has_userinfo() ? std::string(url->encoded_userinfo()) + "@" : std::string();
  proxy->base_path_ = std::string(url->encoded_path());
  proxy->server_ = std::move(*server);
  return proxy;
}

std::string Proxy::url() const {
  return "http://" + user_info_ + server_->address() + base_path_;
}

}  // namespace runfold::agent

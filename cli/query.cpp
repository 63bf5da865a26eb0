// Asks the collector's query API.
#include "cli/query.hpp"

#include "cli/duration.hpp"
#include "cli/table.hpp"
#include "producer/redact/redactor.hpp"
#include "transport/http/client.hpp"
#include "transport/kafka/embedded_broker.hpp"

#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <cstdlib>

namespace runfold::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kLimit{30};
constexpr std::size_t kPage = 500;

/// The URL as it may stand in a message: without user, password and tokens, also where a slash in the password ends the host early.
std::string shown(std::string url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  if (const std::size_t at = url.rfind('@'); at != std::string::npos && at >= begin) url.erase(begin, at + 1 - begin);
  return printable(redact::without_credentials(url));
}

/// What a response that is not a 200 means for the person who asked.
Failure refusal_of(const http::Response& response, const std::string& url, const std::string& base) {
  json::error_code error;
  const json::value body = json::parse(response.body, error);
  std::string words;
  std::string detail;
  if (!error && body.is_object()) {
    const std::string title = text_of(body.get_object(), "title");
    detail = text_of(body.get_object(), "detail");
    words = title + (title.empty() || detail.empty() ? "" : ": ") + detail;
  }
  // The page's words, for those who asked by a path, are a command's words here.
  if (response.status == 404) {
    if (const std::size_t hint = detail.find("; GET "); hint != std::string::npos) words = detail.substr(0, hint) + " (" + base + ")";
  }
  if (words.empty()) words = url + " answered " + std::to_string(response.status);
  Failure failure{kNotReachable, printable(words)};
  if (response.status == 404) failure.exit_code = kNotSo;
  if (response.status == 400 || response.status == 422) failure.exit_code = kUsage;
  if (response.status == 401 || response.status == 403) failure.exit_code = kConfiguration;
  return failure;
}

}  // namespace

void add_query_flags(CLI::App& command, QueryFlags& flags) {
  command.add_option("--collector", flags.collector, "The collector's URL (or RUNFOLD_COLLECTOR_URL)")->type_name("URL");
  command.add_flag("--json", flags.json, "Print JSON: one document, or one a line for lists");
}

CLI::Option* add_attempt_flag(CLI::App& command, std::string& attempt) {
  return command.add_option("--attempt", attempt, "Which try of the run, from 1; else the last")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
}

std::string collector_url(const QueryFlags& flags) {
  std::string url = flags.collector;
  if (const char* set = std::getenv("RUNFOLD_COLLECTOR_URL"); url.empty() && set != nullptr) url = set;
  if (url.empty()) {
    if (const auto embedded = kafka::read_embedded_address()) url = embedded->collector_url;
  }
  if (url.empty()) url = "http://127.0.0.1:8730";
  if (url.find("://") == std::string::npos) url.insert(0, "http://");
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Outcome<json::value> get_document(const QueryFlags& flags, std::string_view path, const Parameters& parameters) {
  const std::string base = collector_url(flags);
  http::ClientRequest request;
  request.url = base + std::string(path);
  char separator = '?';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    request.url.push_back(separator);
    request.url.append(name).append("=").append(http::percent_encode(value));
    separator = '&';
  }
  request.fields.set("Accept", "application/json");
  const std::string url = shown(base) + request.url.substr(base.size());
  const auto response = http::send_blocking(std::move(request), kLimit);
  if (!response) {
    const int code = response.error().code == http::Errc::kInvalid ? kConfiguration : kNotReachable;
    return Failure{code, "the collector at " + shown(base) + " cannot be asked: " + response.error().message +
                             " Is runfold-collector running there? Name another with --collector or RUNFOLD_COLLECTOR_URL."};
  }
  if (response->status != 200) return refusal_of(*response, url, shown(base));
  json::error_code error;
  json::value body = json::parse(response->body, error);
  if (error || !body.is_object()) return Failure{kNotReachable, url + " did not answer with a JSON object; is it a runfold-collector?"};
  return body;
}

Outcome<std::size_t> for_each_item(const QueryFlags& flags, std::string_view path, Parameters parameters, std::size_t limit,
                                   const std::function<void(const json::object&)>& on_item) {
  std::size_t count = 0;
  std::string cursor;
  for (;;) {
    Parameters page = parameters;
    page.emplace_back("limit", std::to_string(limit == 0 ? kPage : std::min(kPage, limit - count)));
    page.emplace_back("cursor", cursor);
    const auto body = get_document(flags, path, page);
    if (!body) return body.error();
    const json::value* items = body->get_object().if_contains("items");
    if (items == nullptr || !items->is_array()) {
      return Failure{kNotReachable,
                     shown(collector_url(flags)) + std::string(path) + " did not answer with a list; is it a runfold-collector?"};
    }
    for (const json::value& item : items->get_array()) {
      if (!item.is_object()) continue;
      on_item(item.get_object());
      if (++count == limit) return Outcome<std::size_t>(boost::system::in_place_value, count);
    }
    const std::string next = text_of(body->get_object(), "next_cursor");
    if (next.empty() || next == cursor || items->get_array().empty()) return Outcome<std::size_t>(boost::system::in_place_value, count);
    cursor = next;
  }
}

std::string text_of(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains(member);
  if (value == nullptr || value->is_null()) return {};
  if (const json::string* text = value->if_string()) return std::string(*text);
  return json::serialize(*value);
}

Outcome<std::string> time_parameter(std::string_view flag, const std::string& value) {
  if (value.empty()) return std::string();
  const auto time = parse_time(value, std::chrono::system_clock::now());
  if (time) return *time;
  return Failure{kUsage, std::string(flag) + " " + printable(value) +
                             " is not a time; write 2026-05-16T14:32:11Z, 2026-05-16, or how long ago, for example 2h"};
}

}  // namespace runfold::cli

// HTTP requests and responses as plain values.
#include "transport/http/message.hpp"

#include "transport/http/syntax.hpp"

#include <boost/json.hpp>

#include <cassert>
#include <limits>

namespace runfold::http {

void Fields::set(std::string_view name, std::string_view value) {
  std::erase_if(fields_, [&](const auto& field) { return equal_fold(field.first, name); });
  add(name, value);
}

void Fields::add(std::string_view name, std::string_view value) {
  fields_.emplace_back(name, value);
}

std::optional<std::string_view> Fields::get(std::string_view name) const noexcept {
  for (const auto& [known, value] : fields_) {
    if (equal_fold(known, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const noexcept {
  for (const auto& [known, value] : query) {
    if (known == name) return value;
  }
  return std::nullopt;
}

std::string_view Request::path_parameter(std::string_view name) const {
  const auto found = path_parameters.find(name);
  assert(found != path_parameters.end() && "the route's pattern has no such {name}");
  return found == path_parameters.end() ? std::string_view() : found->second;
}

Response Response::json(std::string body, unsigned status) {
  Response response;
  response.status = status;
  response.fields.add("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

Response Response::text(std::string body, unsigned status) {
  Response response;
  response.status = status;
  response.fields.add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
  return response;
}

Response Problem::to_response() const {
  const auto safe = [](const std::string& text) { return printable(text, std::numeric_limits<std::size_t>::max()); };
  boost::json::object document;
  document["type"] = "about:blank";
  document["title"] = safe(title);
  document["status"] = status;
  document["detail"] = safe(detail);
  for (const auto& [name, value] : members) document[safe(name)] = safe(value);
  Response response = Response::json(boost::json::serialize(document), status);
  response.fields.set("Content-Type", "application/problem+json");
  return response;
}

}  // namespace runfold::http

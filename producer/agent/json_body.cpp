// One JSON value a body.
#include "producer/agent/json_body.hpp"

#include <boost/json.hpp>

namespace runfold::agent {

namespace json = boost::json;

std::string kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "a number";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
  }
  return "something else";
}

Parsed<json::value> parse_json(std::string_view body) {
  json::parse_options options;
  options.max_depth = 64;
  json::error_code error;
  json::stream_parser parser({}, options);
  std::size_t consumed = parser.write_some(body.data(), body.size(), error);
  if (!error && consumed < body.size() && body.find_first_not_of(" \t\r\n", consumed) != std::string_view::npos) {
    return BadInput{{}, "The body is not one JSON value: something follows it at byte " + std::to_string(consumed) + "."};
  }
  if (!error) parser.finish(error);
  if (error) {
    return BadInput{{}, "The body is not valid JSON at byte " + std::to_string(consumed) + ": " + error.message() + "."};
  }
  return parser.release();
}

}  // namespace runfold::agent

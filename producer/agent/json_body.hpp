// What the readers of the intake's bodies share: one JSON value a body, or what is wrong with it.
#pragma once

#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace runfold::agent {

/// What is wrong with a body, and where.
struct BadInput {
  /// A JSON pointer to the member, for example "/3/level"; empty when it is the whole body.
  std::string member;
  /// One sentence that says what is wrong and what would be right.
  std::string message;
};

[[noreturn]] inline void throw_exception_from_error(const BadInput& error, const boost::source_location&) {
  throw std::runtime_error(error.member + ": " + error.message);
}

template <class T>
using Parsed = boost::system::result<T, BadInput>;

/// The body's one value, nested at most 64 deep.
[[nodiscard]] Parsed<boost::json::value> parse_json(std::string_view body);

/// "a string", "an object", ...: what a value is, for messages.
[[nodiscard]] std::string kind_name(const boost::json::value& value);

}  // namespace runfold::agent

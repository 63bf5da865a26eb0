// Asks the collector's query API.
#pragma once

#include "cli/command.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace runfold::cli {

[[noreturn]] inline void throw_exception_from_error(const Failure& failure, const boost::source_location&) {
  throw std::runtime_error(failure.message);
}

template <class T = void>
using Outcome = boost::system::result<T, Failure>;

/// The flags that all commands which ask the collector share.
struct QueryFlags {
  std::string collector;
  bool json = false;
};
void add_query_flags(CLI::App& command, QueryFlags& flags);

/// --attempt, for what is asked of one run: without it, the API takes the highest there is.
CLI::Option* add_attempt_flag(CLI::App& command, std::string& attempt);

/// Parameters of a query; those with an empty value are left out.
using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Where the collector is: the flag, else RUNFOLD_COLLECTOR_URL, else the embedded collector's address, else http://127.0.0.1:8730.
[[nodiscard]] std::string collector_url(const QueryFlags& flags);

/// GETs one document, for example of "/api/v1/runs/ID".
[[nodiscard]] Outcome<boost::json::value> get_document(const QueryFlags& flags, std::string_view path, const Parameters& parameters);

/// GETs a list page by page and hands over its items in order, until `limit` of them (0: all).
[[nodiscard]] Outcome<std::size_t> for_each_item(const QueryFlags& flags, std::string_view path, Parameters parameters, std::size_t limit,
                                                 const std::function<void(const boost::json::object&)>& on_item);

/// A member as text; empty when there is none. Numbers and booleans as JSON writes them.
[[nodiscard]] std::string text_of(const boost::json::object& object, std::string_view member);

/// Reads --from or --to; see parse_time.
[[nodiscard]] Outcome<std::string> time_parameter(std::string_view flag, const std::string& value);

}  // namespace runfold::cli

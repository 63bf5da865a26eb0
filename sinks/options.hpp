// What is wrong with a sink's options, by the key it stands under.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace runfold::sinks {

struct OptionProblem {
  /// The key in the sink's part of the configuration, for example "url".
  std::string key;
  /// The rest of the sentence that begins with the key: "is \"ftp\", give http:// or https://". Never holds a secret.
  std::string what;
};

/// Lets `result.value()` throw at start-up, where exceptions are allowed.
[[noreturn]] inline void throw_exception_from_error(const OptionProblem& problem, const boost::source_location&) {
  throw std::runtime_error(problem.key + " " + problem.what);
}

template <class T>
using OptionResult = boost::system::result<T, OptionProblem>;

}  // namespace runfold::sinks

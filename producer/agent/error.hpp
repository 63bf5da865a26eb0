// What can go wrong in the agent, as values.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace runfold::agent {

enum class Errc {
  kSystem,   ///< The operating system refused a pipe, a process or a socket. Retry later.
  kInvalid,  ///< A setting or an argument is wrong. Do not retry.
};

struct Error {
  Errc code = Errc::kSystem;
  /// One sentence that names what failed, where, and what to do.
  std::string message;
};

/// Lets `result.value()` throw at start-up, where exceptions are allowed.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace runfold::agent

// What can be wrong with a secret that is to be replaced, as values.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace runfold::redact {

/// None of them goes away by trying again.
enum class Errc {
  kEmpty,             ///< There is nothing to look for.
  kTooShort,          ///< So short that it would be found everywhere.
  kTooLong,           ///< Longer than what can be held back to find it.
  kNotText,           ///< Not UTF-8, which is what records hold.
  kInTheReplacement,  ///< It would stand in what replaces it.
  kTooMany,           ///< More secrets than are looked for.
  kNotSet,            ///< The environment variable is not set.
  kUnreadable,        ///< The file cannot be read.
};

struct Error {
  Errc code = Errc::kEmpty;
  /// One sentence that names what is wrong, where, and what to do. Never the secret itself.
  std::string message;
};

/// Lets `result.value()` throw at start-up, where exceptions are allowed.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace runfold::redact

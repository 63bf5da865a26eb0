// What can go wrong with HTTP, as values.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace runfold::http {

enum class Errc {
  kInvalid,       ///< A URL, address or argument is wrong. Do not retry.
  kAddressInUse,  ///< Another process listens there. Choose another address.
  kResolve,       ///< The host name has no address. Retry.
  kConnect,       ///< Nobody answers at the address. Retry.
  kTls,           ///< The TLS handshake or the certificate's verification failed. Do not retry soon.
  kTimedOut,      ///< The deadline passed. Retry.
  kTooLarge,      ///< The response is larger than the limit. Do not retry.
  kBroken,        ///< The connection broke, or what came was not HTTP. Retry.
  kForbidden,     ///< The address guard does not allow this address. Do not retry.
};

struct Error {
  Errc code = Errc::kBroken;
  /// One sentence that names what failed, where, and what to do.
  std::string message;

  [[nodiscard]] bool retryable() const noexcept {
    return code == Errc::kResolve || code == Errc::kConnect || code == Errc::kTimedOut || code == Errc::kBroken;
  }
};

/// Lets `result.value()` throw at start-up, where exceptions are allowed.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace runfold::http

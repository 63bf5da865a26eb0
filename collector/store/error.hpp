// What can go wrong with a store, as values.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace runfold::collector {

enum class StoreErrc {
  kUnavailable,  ///< The database cannot be reached or opened. Retry.
  kBusy,         ///< Another process holds a lock. Retry.
  kFull,         ///< The disk or the quota is full. Retry once there is space.
  kReadOnly,     ///< The database or its folder cannot be written. Retry once it can.
  kFenced,       ///< A partition has been claimed by another collector. Drop what was folded of it.
  kCorrupt,      ///< The database is damaged or of an unknown schema version. Do not retry.
  kInvalid,      ///< An argument (a URL, a cursor) is wrong. Do not retry.
};

struct StoreError {
  StoreErrc code = StoreErrc::kUnavailable;
  /// One sentence that names what failed, where, and what to do.
  std::string message;

  [[nodiscard]] bool retryable() const noexcept {
    return code == StoreErrc::kUnavailable || code == StoreErrc::kBusy || code == StoreErrc::kFull || code == StoreErrc::kReadOnly;
  }
};

/// Lets `result.value()` throw at start-up, where exceptions are allowed.
[[noreturn]] inline void throw_exception_from_error(const StoreError& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using StoreResult = boost::system::result<T, StoreError>;

}  // namespace runfold::collector

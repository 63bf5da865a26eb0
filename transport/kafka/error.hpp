// What can go wrong with Kafka, as values.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>

namespace runfold::kafka {

/// Sorts librdkafka's error codes by what a caller can do about them.
enum class Errc {
  kUnreachable,   ///< No broker answers at the configured addresses. Retry.
  kQueueFull,     ///< The client's bounded queue is full. Poll, then retry.
  kTimedOut,      ///< The broker did not answer in time. Retry.
  kTooLarge,      ///< The record is larger than the topic or the client allows. Do not retry.
  kUnauthorised,  ///< The broker refuses this client or this operation. Do not retry.
  kNotFound,      ///< The topic, partition or group does not exist. Do not retry.
  kOutOfRange,    ///< The offset is no longer, or not yet, in the partition. Do not retry.
  kInvalid,       ///< A property, name or argument is wrong. Do not retry.
  kFenced,        ///< Another client has taken this one's place. Do not retry.
  kFatal,         ///< The client is broken and must be made anew.
  kOther,         ///< Anything else; the message has librdkafka's words.
};

struct Error {
  Errc code = Errc::kOther;
  /// One sentence that names what failed, where, and what to do.
  std::string message;

  [[nodiscard]] bool retryable() const noexcept {
    return code == Errc::kUnreachable || code == Errc::kQueueFull || code == Errc::kTimedOut;
  }
};

/// Lets `result.value()` throw at start-up, where exceptions are allowed.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using Result = boost::system::result<T, Error>;

/// Sorts one librdkafka error code (an rd_kafka_resp_err_t).
[[nodiscard]] Errc classify(int rdkafka_error) noexcept;

/// Makes an Error of a librdkafka code; `doing` says what was tried, for example "create topic runfold.runs".
[[nodiscard]] Error make_error(int rdkafka_error, std::string doing, std::string detail = {});

}  // namespace runfold::kafka

// Records as they lie in the ring: written by the emitting thread, read by the delivery thread.
#pragma once

#include "producer/delivery/ring.hpp"
#include "producer/delivery/run_account.hpp"
#include "producer/redact/redactor.hpp"
#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace runfold::delivery {

/// What a record means for the debug records before it.
enum class Weight : std::uint8_t {
  kDebug,    ///< one of them
  kPlain,    ///< nothing
  kTrouble,  ///< they are wanted: a log record of severity error or worse, or a StepFailed
};

/// A record taken from the ring. Views into it.
struct Queued {
  RunAccount* run = nullptr;
  Channel channel = Channel::kEvents;
  Weight weight = Weight::kPlain;
  std::int64_t time_ns = 0;
  /// Of events only; empty: not traced.
  std::string_view traceparent;
  std::string_view tracestate;
  /// A LogRecord, or a SyncEvent but for its identity and sequence, in wire format.
  std::string_view body;
  /// What belongs behind an event's body: the trace, where it is the run's own.
  std::string_view trace_field = {};
};
[[nodiscard]] Queued read_queued(std::span<const std::byte> record) noexcept;

/// A log record as views, for the call that must be cheap.
struct LogView {
  std::int64_t logged_at_ns = 0;
  v1::Severity severity = v1::SEVERITY_INFO;
  v1::LogStream stream = v1::LOG_STREAM_APPLICATION;
  std::string_view message = {};
  std::string_view step_id = {};
  /// One JSON value in text form, or empty.
  std::string_view detail_json = {};
};

/// What became of an attempt to queue a record.
struct Outcome {
  /// Absent: it is queued.
  std::optional<Drop> dropped;
  /// Bytes of the ring in use afterwards.
  std::size_t used_bytes = 0;
};

/// How much of the ring's bound records of each importance may fill, in eighths: when the reader falls behind, debug stops
/// first, then info and notice, warnings, errors; events have the last eighth to themselves.
[[nodiscard]] constexpr std::size_t share_in_eighths(v1::Severity severity) noexcept {
  switch (severity) {
    case v1::SEVERITY_DEBUG:
      return 4;
    case v1::SEVERITY_UNSPECIFIED:
    case v1::SEVERITY_INFO:
    case v1::SEVERITY_NOTICE:
      return 5;
    case v1::SEVERITY_WARNING:
      return 6;
    default:
      return 7;
  }
}

/// Queues a log record. Allocates nothing when its text is valid UTF-8 and fits `record_bytes`; else makes it fit (see fit()).
[[nodiscard]] Outcome queue_log(Ring& ring, RunAccount& run, const LogView& record, std::size_t record_bytes);
/// `logged_at_ns`: when, if the record does not say it.
[[nodiscard]] Outcome queue_log(Ring& ring, RunAccount& run, const v1::LogRecord& record, std::int64_t logged_at_ns,
                                std::size_t record_bytes);

/// What an event is given where it does not say it itself.
struct EventDefaults {
  std::int64_t occurred_at_ns = 0;
  /// The span it happened in. Empty: the run's own.
  std::string_view traceparent = {};
};

/// Queues an event, without its identity and sequence: they must not be set. Allocates nothing when it fits; else makes it
/// fit (see fit()).
[[nodiscard]] Outcome queue_event(Ring& ring, RunAccount& run, const v1::SyncEvent& event, const EventDefaults& defaults,
                                  std::size_t record_bytes);

// What most records are: a Progress, or a log record without detail, with short texts in ASCII where nothing can begin that is a
// secret. Of those nothing needs to be replaced, checked or cut; they are written by hand, in as little code as it takes. A thread that
// was interrupted pays for each line of code and each branch, as its processor has forgotten them.

inline constexpr std::size_t kPlainTextBytes = 1024;
inline constexpr std::size_t kPlainTraceBytes = 64;
/// Fits any of them, with a run's tracestate as large as the W3C asks to pass on (512 bytes).
inline constexpr std::size_t kPlainRecordBytes = 4096;

/// Whether they are a plain record's.
[[nodiscard]] bool texts_are_plain(const redact::Redactor& redactor, std::string_view message, std::string_view step_id) noexcept;
/// Queues a plain log record; also another that fits as it is: UTF-8, no secrets, of a size that the wire takes.
[[nodiscard]] Outcome queue_plain(Ring& ring, RunAccount& run, const LogView& record) noexcept;
/// Queues an event that is no more than a plain Progress, with a traceparent of at most kPlainTraceBytes.
[[nodiscard]] Outcome queue_plain(Ring& ring, RunAccount& run, const v1::Progress& progress, const EventDefaults& defaults) noexcept;

[[nodiscard]] std::int64_t to_ns(const google::protobuf::Timestamp& at) noexcept;

}  // namespace runfold::delivery

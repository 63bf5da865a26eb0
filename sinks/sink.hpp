// The contract of a sink: somewhere that derived records are delivered to, at least once.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace runfold::sinks {

/// What a sink can be handed.
enum class Kind : std::uint8_t {
  kApiFailure = 1,  ///< payload: a serialized runfold.v1.ApiFailure
  kRun = 2,         ///< payload: a serialized runfold.v1.Run
};

[[nodiscard]] constexpr std::string_view kind_name(Kind kind) noexcept {
  return kind == Kind::kRun ? "run" : "api_failure";
}

/// One record to deliver.
struct Item {
  /// Rises with each record of a sink; names the outbox row.
  std::int64_t outbox_id = 0;
  Kind kind = Kind::kApiFailure;
  /// The same at every delivery of the same record, across restarts: receivers recognise repeats by it.
  std::string idempotency_key;
  /// Records with the same key are delivered in the order of outbox_id.
  std::string run_id;
  std::string payload;
  /// How often delivery has been tried before.
  std::uint32_t attempts = 0;
};

enum class Outcome : std::uint8_t {
  kDelivered,  ///< The receiver has it.
  kRetry,      ///< Not now; try again later.
  kRejected,   ///< Never; the receiver refuses this record for good.
};

struct Verdict {
  Outcome outcome = Outcome::kRetry;
  /// One sentence that says why not; empty when delivered. Never holds a secret.
  std::string reason;
  /// How long the receiver asks to be left alone; 0 leaves it to the backoff.
  std::chrono::milliseconds retry_after{0};
  /// False for a kRetry that was not sent at all, because of what became of one before it: that was no attempt.
  bool tried = true;
};

/// Delivers records somewhere.
///
/// Thread: the executor it was made with; one deliver() at a time.
class Sink {
 public:
  virtual ~Sink() = default;

  /// The name from the configuration; the label of its metrics and the column of its outbox rows.
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  [[nodiscard]] virtual bool accepts(Kind kind) const noexcept = 0;

  /// Delivers the items in order and gives one verdict each, in the same order. An item whose run had a kRetry before it
  /// in this call must be kRetry too, so that a run's records stay in order. When it is the receiver and not the record that
  /// is in trouble, it need not try the rest.
  /// Bounds its own time: completes within its configured timeout. Never throws for an expected failure.
  /// Cancel: supported; what was not judged counts as kRetry.
  [[nodiscard]] virtual boost::asio::awaitable<std::vector<Verdict>> deliver(std::span<const Item> items) = 0;
};

/// The outbox could not be read or written; nothing was changed.
struct OutboxError {
  /// One sentence that names what failed, where, and what to do.
  std::string message;
};

/// Lets `result.value()` throw, in tests.
[[noreturn]] inline void throw_exception_from_error(const OutboxError& error, const boost::source_location&) {
  throw std::runtime_error(error.message);
}

template <class T = void>
using OutboxResult = boost::system::result<T, OutboxError>;

/// Where undelivered records wait: written by the collector in the transaction of the aggregates they derive from.
///
/// Thread: one at a time, any. Calls wait for the disk: keep them off event loops.
/// Errors: every call may be tried again; a record judged in vain is delivered once more.
class Outbox {
 public:
  virtual ~Outbox() = default;

  /// The first records due at `now`, by outbox_id, at most `limit`. A run whose earlier record is not due is left out.
  [[nodiscard]] virtual OutboxResult<std::vector<Item>> due(const std::string& sink, std::chrono::system_clock::time_point now,
                                                            std::size_t limit) = 0;

  /// The first time after `now` at which a record that was put off is due; absent when none is put off that long.
  [[nodiscard]] virtual OutboxResult<std::optional<std::chrono::system_clock::time_point>> next_due(
      const std::string& sink, std::chrono::system_clock::time_point now) = 0;

  struct Judged {
    std::int64_t outbox_id = 0;
    Verdict verdict;
    /// When to try again; read for kRetry only.
    std::chrono::system_clock::time_point next_attempt;
  };
  /// Removes the delivered, keeps the rejected aside with their reason, puts off the rest: all or nothing.
  [[nodiscard]] virtual OutboxResult<> judge(const std::string& sink, std::span<const Judged> judged) = 0;

  struct Backlog {
    std::uint64_t records = 0;
    std::chrono::milliseconds oldest_age{0};
  };
  [[nodiscard]] virtual OutboxResult<Backlog> backlog(const std::string& sink, std::chrono::system_clock::time_point now) = 0;
};

}  // namespace runfold::sinks

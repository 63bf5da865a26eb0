// What the delivery thread does, one step at a time, with the clock as an argument.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/flight_recorder.hpp"
#include "producer/delivery/outbox.hpp"
#include "producer/delivery/queued.hpp"
#include "producer/delivery/ring.hpp"
#include "producer/delivery/run_account.hpp"
#include "producer/delivery/sleeper.hpp"
#include "runfold/v1/event.pb.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace runfold::delivery {

/// Two readings of now.
struct Now {
  Clock::time_point steady;
  std::int64_t wall_ns = 0;
};

/// When to step again: at a time, or when something of an urgency happens.
struct NextStep {
  Clock::time_point at = Clock::time_point::max();
  Urgency least = Urgency::kRecord;
};

/// Takes records from the ring, numbers them, gathers log records into batches, and sends all that to the outbox.
///
/// Records of a run leave in the order in which they were queued, each topic for itself. A record gets its sequence number
/// when it is taken from the ring, so what was refused before has none. While the outbox has no room nothing is taken: the
/// ring is the buffer, and it decides what is dropped.
/// Debug records of a run that has a flight recorder wait there. Before a record of error or worse, before a StepFailed, and
/// before an end that is no success, or that nobody told when this closes, they are numbered and sent; after a success they
/// are let go.
/// Thread: open(), finish(), release() from any; all else from one.
class Dispatcher {
 public:
  struct Options {
    std::chrono::milliseconds batch_age{100};
    std::size_t batch_bytes = 64 * 1024;
    /// Bound on log batches under way, all runs together: above it the oldest is sent though young.
    std::size_t open_batches_bytes = 2 * 1024 * 1024;
    /// Bound on what the flight recorder holds, all runs together.
    std::size_t recordings_bytes = 2 * 1024 * 1024;
  };

  Dispatcher(Options options, Ring& ring, Outbox& outbox, Ledger& ledger, Sleeper& sleeper);

  /// Takes a run into the books. It stays until released.
  [[nodiscard]] RunAccount& open(RunDescription description);
  /// Ends a run: `completed` is sent behind all that was queued for it, with the totals filled in. It does not go through
  /// the ring, so a full ring does not lose it.
  void finish(RunAccount& run, v1::SyncEvent completed, ToldBy told_by = ToldBy::kUs);
  /// The caller will not use the run again.
  void release(RunAccount& run) noexcept;

  /// Does what is due now. With `hurry`, batches leave whatever their age.
  NextStep step(const Now& now, bool hurry = false);
  /// True when nothing is left to send or to account for.
  [[nodiscard]] bool settled();

  /// Refuses whatever comes from now on, as late. Thread: any.
  void shut();
  /// Puts all that is left on disk, where there is a spool; gives up the rest, as delivery_timeout. After shut().
  void abandon(const Now& now);
  /// Runs on the books.
  [[nodiscard]] std::size_t runs();

 private:
  struct Finishing {
    RunAccount* run;
    std::uint64_t behind;  ///< the ring's position that must be passed first
    v1::SyncEvent completed;
    ToldBy told_by;
  };

  void take_notices(const Now& now);
  /// Returns whether it stopped because it had done enough for one step.
  bool take_records(const Now& now);
  void take_record(const Queued& record, const Now& now);
  void take_log(RunAccount& run, std::int64_t time_ns, std::string_view body, const Now& now);
  void send_recording(RunAccount& run, const Now& now);
  void send_recordings_without_end(const Now& now);
  void send_event(RunAccount& run, const Queued& event, const Now& now);
  void send_batch(RunAccount& run);
  void send_old_batches(const Now& now, bool hurry);
  void complete_runs(const Now& now);
  void send_heartbeats(const Now& now);
  void watch_heartbeat(RunAccount& run, Clock::time_point due);
  void free_released(const Now& now);
  [[nodiscard]] NextStep next_step(const Now& now, bool more, bool hurry) const;

  const Options options_;
  Ring& ring_;
  Outbox& outbox_;
  Ledger& ledger_;
  Sleeper& sleeper_;
  FlightRecorder recorder_;

  // What other threads say. The lock is taken when a run starts or ends, never for a record.
  std::mutex mutex_;
  std::unordered_map<RunAccount*, std::unique_ptr<RunAccount>> runs_;
  std::vector<RunAccount*> opened_;
  std::vector<Finishing> finished_;
  std::vector<RunAccount*> released_;
  bool shut_ = false;
  std::atomic<bool> notices_{false};
  std::atomic<std::size_t> finishing_runs_{0};

  // The stepping thread's own.
  std::deque<Finishing> finishing_;
  std::vector<RunAccount*> leaving_;
  std::list<RunAccount*> open_batches_;  ///< oldest first
  std::size_t open_batches_bytes_ = 0;
  std::set<std::pair<Clock::time_point, RunAccount*>> heartbeats_;
  std::optional<Clock::time_point> napping_since_;
  std::optional<Clock::time_point> took_records_at_;
};

}  // namespace runfold::delivery

// Rebuilds a store from the topics: what is read, by whom, and when it is done.
#pragma once

#include "collector/observer.hpp"
#include "collector/pipeline.hpp"
#include "collector/store/store.hpp"
#include "transport/kafka/consumer.hpp"
#include "transport/kafka/record.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace runfold::collector {

/// The store is made ready for a replay: the offset of every partition stands in it, so that whoever goes on, be it a
/// replay that was broken off or an ordinary collector, goes on from there.
///
/// `resume`: the store may hold something; what it has an offset of goes on there. Without it, a store that holds anything
/// is refused. Gives the ranges that are left to read, those with nothing left out.
/// Errors: kInvalid when the store is not empty; the store's.
[[nodiscard]] StoreResult<std::vector<kafka::Range>> prepare_replay(Store& store, std::vector<kafka::Range> ranges, bool resume);

/// How far a replay has come. Thread: any.
struct ReplayProgress {
  /// Offsets to go through, and those gone through and committed.
  std::int64_t all = 0;
  std::atomic<std::int64_t> committed = 0;
};

/// Clients for a pipeline that replays: a consumer of the ranges outside of any group, and a producer that takes dead letters
/// and sends nothing. `on_done` runs on the pipeline's thread, once, when everything in the ranges is in the store.
/// `progress` outlives the pipeline.
[[nodiscard]] KafkaClients replay_clients(std::vector<kafka::Range> ranges, ReplayProgress& progress, std::function<void()> on_done);

/// Counts what a replay folded.
class ReplayCounts final : public Observer {
 public:
  void committed(const Counts& counts, std::chrono::nanoseconds duration) override;
  void commit_failed(std::string_view) override {}
  void dead_letter(std::string_view topic, std::string_view reason) override;
  void lag(std::string_view, std::int32_t, std::int64_t) override {}
  void lag_gone(std::string_view, std::int32_t) override {}
  void partitions_stopped(std::size_t) override {}
  void removed(std::string_view, std::uint64_t) override {}
  void store_bytes(std::string_view, std::uint64_t) override {}
  void retention_failed() override {}

  struct Sums {
    std::uint64_t records = 0;
    std::uint64_t duplicates = 0;
    /// By topic and reason.
    std::map<std::pair<std::string, std::string>, std::uint64_t> dead_letters;
  };
  [[nodiscard]] Sums sums() const;

 private:
  mutable std::mutex mutex_;
  Sums sums_;
};

}  // namespace runfold::collector

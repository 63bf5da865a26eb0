// Some hundreds of runs, made up from a seed: their events, logs and operations, and what must become of them.
#pragma once

#include "tests/broker/collector/oracle.hpp"
#include "transport/kafka/producer.hpp"
#include "transport/kafka/topics.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace runfold::collector::test {

/// What befalls the records on their way, beyond the few repeats and swaps that there always are.
struct Mischief {
  /// Of a hundred events of numbered runs, so many come twice.
  unsigned repeats_percent = 2;
  /// Of a hundred events, so many are overtaken by up to `reorder_within` records of others and of their own run.
  unsigned reordered_percent = 0;
  std::size_t reorder_within = 64;
  /// Of a thousand events, so many come when all else has been sent, long after their run has ended and an hour late by its clock.
  unsigned late_per_mille = 0;
  /// Of a thousand records, so many are followed by one that cannot be read.
  unsigned poison_per_mille = 0;
};

/// Sends a made-up world to Kafka, bit by bit, and keeps the oracle of what was sent.
///
/// Half of the runs number their records; some of those records come twice, some in another order. The other half do not:
/// a record of theirs that the collector folds twice shows in a sum. Each run has a connector of its own choosing, steps
/// that are tried again, commits that add up, failing API calls, and mostly an end.
/// Thread: one.
class Workload {
 public:
  /// `events` is about how many events there will be; there are about a tenth as many batches of logs. The topics have kPartitions each.
  Workload(const kafka::Properties& properties, kafka::TopicNames topics, std::uint64_t seed, std::size_t runs, std::size_t events,
           Mischief mischief = {});
  ~Workload();

  /// Sends about so many records. False when there is no more to send.
  bool send(std::size_t records);
  /// Waits until Kafka has all of it, ends each partition of events and logs with a record that says so (see all_folded() in compare.hpp),
  /// and gives what must become of it all. Call it once, when send() has said false.
  [[nodiscard]] Oracle finish(std::int32_t partitions = kPartitions);

  /// Waits until Kafka has all that was sent so far, and says where each partition ends.
  const std::map<std::pair<std::string, std::int32_t>, std::int64_t>& settle();
  /// The topic was made anew: it ends where it begins.
  void forget(const std::string& topic);

  /// Different events sent so far: what is to be folded.
  [[nodiscard]] std::uint64_t events_sent() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runfold::collector::test

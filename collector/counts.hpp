// What a batch adds to the metrics, gathered while folding and counted once the batch is committed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace runfold::collector {

/// The values of runfold.v1.DropReason.
inline constexpr std::size_t kDropReasons = 8;

/// What folding one batch found out about one connector. All are increments unless named otherwise.
///
/// A run, a step and its results are counted as they first became known: when an earlier end supersedes one that was
/// counted, the aggregate changes and the count stays. A run that is called lost or timed out is counted as that, and once
/// more as what is declared of it later; called lost, heard of again and called lost again, it is counted as lost twice.
struct ConnectorCounts {
  std::uint64_t runs_started = 0;
  /// By runfold.v1.RunResult.
  std::array<std::uint64_t, 7> runs_finished{};
  /// Runs that began to run, less those that ended; for the gauge.
  std::int64_t runs_active = 0;
  std::vector<double> run_durations_s;
  /// When a run last succeeded, Unix time in seconds; 0: none in this batch.
  double last_success_s = 0;

  std::uint64_t steps_completed = 0;
  std::uint64_t steps_failed = 0;
  std::vector<double> step_durations_s;
  std::uint64_t entities = 0;
  std::uint64_t relationships = 0;

  std::uint64_t entities_created = 0, entities_updated = 0, entities_deleted = 0;
  std::uint64_t relationships_created = 0, relationships_updated = 0, relationships_deleted = 0;

  /// By syslog severity, then by runfold.v1.LogStream.
  std::array<std::array<std::uint64_t, 5>, 8> log_records{};
  /// Log records that producers say they dropped, by runfold.v1.DropReason.
  std::array<std::uint64_t, kDropReasons> log_records_dropped{};
  /// By the first digit of the response code; 0: no response.
  std::array<std::uint64_t, 6> api_failures{};
};

/// What one topic gave to a batch: Kafka records that could be decoded, duplicates among them.
struct TopicCounts {
  std::uint64_t records = 0;
  /// Of their values.
  std::uint64_t bytes = 0;
  /// Of which all was seen before. A log batch that is new in part is none.
  std::uint64_t duplicates = 0;
  /// Kafka records that are known to be lost, and how often some were, by reason; see LossRow.
  std::uint64_t lost = 0;
  std::uint64_t retention_losses = 0;
  std::uint64_t recreations = 0;
};

/// What one batch adds up to.
struct Counts {
  std::map<std::string, ConnectorCounts, std::less<>> connectors;
  std::map<std::string, TopicCounts, std::less<>> topics;
  /// The oldest Kafka timestamp of what this batch folded, Unix nanoseconds; 0: it folded nothing. Freshness is the time of
  /// commit less this. Not the time that a record tells of itself: a connector may log what happened last year.
  std::int64_t oldest_emitted_ns = 0;
};

}  // namespace runfold::collector

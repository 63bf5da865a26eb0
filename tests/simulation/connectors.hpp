// The model's connectors: runs that emit events and logs through several sources, and a network that mistreats the records.
#pragma once

#include "tests/simulation/kafka.hpp"
#include "tests/simulation/log.hpp"
#include "tests/simulation/random.hpp"
#include "tests/simulation/time.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace runfold::simulation {

/// What may go wrong on the way from a connector to the log. Unit of the chances: percent of records.
struct Manners {
  std::size_t duplicated = 0;
  std::size_t lost = 0;
  std::size_t an_hour_late = 0;
  std::size_t dropped = 0;
  std::size_t poison = 0;
  bool reordered = false;
  bool wrong_clocks = false;
  bool unnumbered_sources = false;
  /// Kafka timestamps are the producers', not the broker's.
  bool create_time = false;
  /// A run's records go where the partition count of the moment says, not where its first one went.
  bool follow_partitions = false;
};

class Connectors {
 public:
  /// Records are reordered within this many.
  static constexpr std::size_t kReorder = 64;

  Connectors(Random& random, ModelKafka& kafka, const Manners& manners, const Trace& trace)
      : random_(random), kafka_(kafka), manners_(manners), trace_(trace) {}

  /// How often a run that has nothing else to say shows that it lives.
  static constexpr std::int64_t kHeartbeat = 10 * kSecond;

  /// Something happens to a run: it starts, goes on, logs, ends, or dies.
  void act();
  /// Runs that have said nothing for long send a heartbeat, or a line of log.
  void keep_alive();
  /// Some of what is under way reaches the log.
  void deliver(std::size_t records);
  void deliver_what_is_not_late();
  /// All of it does, however late.
  void deliver_all();
  [[nodiscard]] std::size_t under_way() const noexcept;

 private:
  struct Source {
    std::string name;
    bool numbered = true;
    bool ended = false;
    std::int64_t skew_ns = 0;
    std::uint64_t event_sequence = 0;
    std::uint64_t log_sequence = 0;
    v1::TopicTotals events;
    v1::TopicTotals logs;
    std::optional<v1::LogBatch> last_batch;
    std::int32_t last_partition = 0;
  };
  struct Run {
    std::string id;
    std::uint32_t attempt = 1;
    std::string connector;
    std::string version;
    std::string site;
    std::string traceparent;
    std::vector<Source> sources;
    std::int32_t partition = 0;
    bool begun = false;
    int steps = 0;
    std::optional<std::pair<std::string, std::uint32_t>> step;
    /// The next try of one that failed.
    std::optional<std::pair<std::string, std::uint32_t>> again;
    std::size_t left = 0;
    std::int64_t last_ns = 0;
    /// It shows that it lives by its logs.
    bool logs_instead = false;
  };
  struct Flight {
    Entry entry;
    std::int64_t not_before_ns = 0;
  };

  void begin_run();
  void emit_event(Run& run, Source& source);
  void send_event(Run& run, Source& source, v1::SyncEvent event);
  void emit_logs(Run& run, Source& source);
  void emit_operation();
  void emit_poison();
  void fill_event(Run& run, Source& source, v1::SyncEvent& event);
  void end_step(Run& run, v1::SyncEvent& event);
  void complete(Source& source, v1::SyncEvent& event);
  void fill_identity(const Run& run, const Source& source, v1::RunIdentity& identity);
  void send(kafka::TopicPartition at, std::int64_t timestamp_ns, Sent sent);
  [[nodiscard]] std::int64_t clock(const Source& source) const;
  [[nodiscard]] std::int32_t partition(const Run& run) const;
  bool maybe_dropped(v1::TopicTotals& totals);

  Random& random_;
  ModelKafka& kafka_;
  const Manners& manners_;
  const Trace& trace_;
  std::vector<Run> active_;
  std::map<kafka::TopicPartition, std::vector<Flight>> flights_;
  int runs_ = 0;
};

}  // namespace runfold::simulation

// What stands in the topics of events and logs, as a collector sees it: by run, source and number, first sightings only.
#pragma once

#include "runfold/v1/event.pb.h"
#include "runfold/v1/log.pb.h"
#include "tests/support/wait_until.hpp"
#include "transport/kafka/ranges.hpp"
#include "transport/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace runfold::test {

class Arrived {
 public:
  /// Run, source, topic.
  using Row = std::tuple<std::string, std::string, std::string>;

  /// Reads all that is there. A record whose number is lower than one seen before must be a repeat.
  explicit Arrived(const kafka::Properties& properties, const kafka::TopicNames& topics = {}) {
    const std::vector<std::string> names{topics.events, topics.logs};
    const auto ranges = kafka::find_ranges(properties, names, {}, kPatience);
    EXPECT_TRUE(ranges.has_value()) << (ranges ? "" : ranges.error().message);
    const auto on_message = [&](const kafka::Message& message) {
      take(message.record(), topics);
      return true;
    };
    const auto read = kafka::read_ranges(properties, ranges.value(), on_message, kPatience);
    EXPECT_TRUE(read.has_value()) << (read ? "" : read.error().message);
  }

  /// The numbers of each row: contiguous from 1 up to this, or 0 when one is missing.
  [[nodiscard]] std::uint64_t contiguous(const Row& row) const {
    const auto at = numbers_.find(row);
    return at == numbers_.end() || at->second.highest != at->second.seen ? 0 : at->second.highest;
  }
  [[nodiscard]] std::vector<Row> rows_of(const std::string& run_id) const {
    std::vector<Row> out;
    for (const auto& [row, numbers] : numbers_) {
      if (std::get<0>(row) == run_id) out.push_back(row);
    }
    return out;
  }
  /// Different records of the run, events and logs.
  [[nodiscard]] std::uint64_t records_of(const std::string& run_id) const {
    std::uint64_t sum = 0;
    for (const auto& row : rows_of(run_id)) sum += numbers_.at(row).seen;
    return sum;
  }
  /// How many of them are heartbeats: whoever counts the others does not know how long the run took.
  [[nodiscard]] std::uint64_t heartbeats_of(const std::string& run_id) { return heartbeats_[run_id]; }
  /// The run's messages in the order of the topic, repeats left out.
  [[nodiscard]] const std::vector<std::string>& lines(const std::string& run_id) { return lines_[run_id]; }
  /// Its terminal event, if it is there.
  [[nodiscard]] const v1::Completed* completed(const std::string& run_id) const {
    const auto at = completed_.find(run_id);
    return at == completed_.end() ? nullptr : &at->second;
  }

 private:
  struct Numbers {
    std::uint64_t highest = 0;
    std::uint64_t seen = 0;
  };

  void take(const kafka::InRecord& record, const kafka::TopicNames& topics) {
    const std::string value(record.value.value_or(""));
    if (record.topic == topics.events) {
      v1::SyncEvent event;
      ASSERT_TRUE(event.ParseFromString(value));
      if (!is_new(event.identity(), record, event.sequence())) return;
      if (event.has_heartbeat()) ++heartbeats_[event.identity().run_id()];
      if (event.has_completed()) completed_[event.identity().run_id()] = event.completed();
      return;
    }
    v1::LogBatch batch;
    ASSERT_TRUE(batch.ParseFromString(value));
    for (int i = 0; i < batch.records_size(); ++i) {
      if (!is_new(batch.identity(), record, batch.first_sequence() + static_cast<std::uint64_t>(i))) continue;
      lines_[batch.identity().run_id()].push_back(batch.records(i).message());
    }
  }
  bool is_new(const v1::RunIdentity& who, const kafka::InRecord& record, std::uint64_t number) {
    auto& numbers = numbers_[Row{who.run_id(), who.source_id(), std::string(record.topic)}];
    if (number <= numbers.highest) return false;
    numbers.highest = number;
    ++numbers.seen;
    return true;
  }

  std::map<Row, Numbers> numbers_;
  std::map<std::string, std::vector<std::string>> lines_;
  std::map<std::string, v1::Completed> completed_;
  std::map<std::string, std::uint64_t> heartbeats_;
};

}  // namespace runfold::test

// Reads dead letters from their topic to where it ended when the command began.
#include "cli/dead_letter_search.hpp"

#include "cli/duration.hpp"
#include "cli/table.hpp"
#include "transport/kafka/ranges.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace runfold::cli {
namespace {

/// Work that is done before that shows no progress.
constexpr std::chrono::seconds kProgressEvery{2};

Outcome<std::optional<std::int64_t>> time_ms(std::string_view flag, const std::string& value) {
  using Time = std::optional<std::int64_t>;
  if (value.empty()) return Outcome<Time>(boost::system::in_place_value, Time());
  const Time time = parse_time_ms(value, std::chrono::system_clock::now());
  if (time) return Outcome<Time>(boost::system::in_place_value, time);
  return Failure{kUsage, std::string(flag) + " " + printable(value) +
                             " is not a time; write 2026-05-16T14:32:11Z, 2026-05-16, or how long ago, for example 2h"};
}

}  // namespace

Failure failure_of(const kafka::Error& error) {
  switch (error.code) {
    case kafka::Errc::kInvalid:
    case kafka::Errc::kUnauthorised:
      return {kConfiguration, error.message};
    case kafka::Errc::kNotFound:
      return {kNotSo, error.message};
    default:
      return {kNotReachable, error.message};
  }
}

void add_letter_flags(CLI::App& command, LetterFlags& flags) {
  add_kafka_flags(command, flags.kafka);
  command.add_option("--dead-letters-topic", flags.topic, "The topic of the dead letters")->type_name("TOPIC")->capture_default_str();
  command.add_option("--timeout", flags.timeout, "How long Kafka may keep silent")->type_name("DURATION")->capture_default_str();
  command.add_flag("--json", flags.json, "Print JSON, one document a line");
}

void add_filter_flags(CLI::App& command, LetterFilter& filter) {
  command.add_option("--reason", filter.reason, "Only with this reason: empty, truncated, malformed, identity, no_event, ...")
      ->type_name("REASON");
  command.add_option("--topic", filter.origin, "Only those that were first in this topic")->type_name("TOPIC");
  command.add_option("--from", filter.from, "Only those that became dead letters at this time or later: RFC 3339, a day, or 2h")
      ->type_name("TIME");
  command.add_option("--to", filter.to, "Only those that became dead letters before this time")->type_name("TIME");
}

Outcome<LetterSearch> LetterSearch::make(const LetterFlags& flags, const LetterFilter& filter) {
  LetterSearch search;
  search.topic_ = flags.topic;
  search.reason_ = filter.reason;
  search.origin_ = filter.origin;
  const auto from = time_ms("--from", filter.from);
  if (!from) return from.error();
  search.from_ms_ = *from;
  const auto to = time_ms("--to", filter.to);
  if (!to) return to.error();
  search.to_ms_ = *to;
  const auto timeout = parse_duration(flags.timeout);
  if (!timeout || timeout->count() == 0) return Failure{kUsage, "--timeout " + printable(flags.timeout) + " is not a duration; write 30s"};
  search.timeout_ = *timeout;
  if (const auto applied = apply_kafka_flags(flags.kafka, search.properties_); !applied) return applied.error();
  if (!search.properties_.get("bootstrap.servers")) {
    return Failure{kConfiguration, "no Kafka is configured; set RUNFOLD_BOOTSTRAP_SERVERS or --bootstrap-servers"};
  }
  return search;
}

bool LetterSearch::matches(const DeadLetterView& letter) const {
  if (!reason_.empty() && letter.reason != reason_) return false;
  if (!origin_.empty() && letter.topic != origin_) return false;
  if (from_ms_ && letter.timestamp_ms < *from_ms_) return false;
  return !to_ms_ || letter.timestamp_ms < *to_ms_;
}

Outcome<> LetterSearch::each(std::vector<LetterAddress> addresses, std::ostream& progress,
                             const std::function<bool(const DeadLetterView&)>& on_letter) const {
  auto ranges = kafka::find_ranges(properties_, {&topic_, 1}, {}, timeout_);
  if (!ranges) return failure_of(ranges.error());
  const std::set<LetterAddress> wanted(addresses.begin(), addresses.end());
  if (!wanted.empty()) {
    // Of each partition what lies between the first and the last one asked for.
    for (kafka::Range& range : *ranges) {
      const auto first = wanted.lower_bound({range.at.partition, 0});
      const auto behind = wanted.lower_bound({range.at.partition + 1, 0});
      if (first == behind) {
        range.end = range.first;
        continue;
      }
      range.first = std::max(range.first, first->offset);
      range.end = std::min(range.end, std::prev(behind)->offset + 1);
    }
  }
  std::int64_t all = 0;
  std::map<std::int32_t, std::int64_t> firsts;
  for (const kafka::Range& range : *ranges) {
    all += std::max<std::int64_t>(0, range.end - range.first);
    firsts[range.at.partition] = range.first;
  }

  using Clock = std::chrono::steady_clock;
  auto due = Clock::now() + kProgressEvery;
  std::int64_t read = 0;
  const auto on_message = [&](const kafka::Message& message) {
    const DeadLetterView letter = read_dead_letter(message);
    read += letter.address.offset + 1 - std::exchange(firsts[letter.address.partition], letter.address.offset + 1);
    if (const auto now = Clock::now(); now >= due) {
      due = now + kProgressEvery;
      progress << "runfold: read " << read << " of " << all << " dead letters (" << read * 100 / std::max<std::int64_t>(1, all) << "%)\n";
      progress.flush();
    }
    if (!wanted.empty() && !wanted.contains(letter.address)) return true;
    return !matches(letter) || on_letter(letter);
  };
  if (const auto done = kafka::read_ranges(properties_, std::move(*ranges), on_message, timeout_); !done) return failure_of(done.error());
  return {};
}

}  // namespace runfold::cli

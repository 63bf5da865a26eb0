// Which dead letters a command is about, and reading them from their topic.
#pragma once

#include "cli/dead_letter.hpp"
#include "cli/kafka_flags.hpp"
#include "transport/kafka/topics.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace runfold::cli {

/// Shared by list, show and redrive.
struct LetterFlags {
  KafkaFlags kafka;
  std::string topic = kafka::TopicNames().dead_letters;
  /// How long Kafka may give nothing.
  std::string timeout = "30s";
  bool json = false;
};
void add_letter_flags(CLI::App& command, LetterFlags& flags);

struct LetterFilter {
  std::string reason;
  std::string origin;
  std::string from;
  std::string to;

  [[nodiscard]] bool any() const { return !(reason.empty() && origin.empty() && from.empty() && to.empty()); }
};
void add_filter_flags(CLI::App& command, LetterFilter& filter);

/// The Kafka of the flags, and what the filter says, once read.
class LetterSearch {
 public:
  /// Errors: kUsage for a time or duration that is none, kConfiguration for Kafka's settings.
  [[nodiscard]] static Outcome<LetterSearch> make(const LetterFlags& flags, const LetterFilter& filter);

  /// Reads what the topic holds at this moment, or only `addresses` when there are any, and calls `on_letter` with each that
  /// matches, until that returns false. Long work shows how far it is on `progress`.
  /// Errors: kNotSo when the topic is not there, kNotReachable, kConfiguration.
  [[nodiscard]] Outcome<> each(std::vector<LetterAddress> addresses, std::ostream& progress,
                               const std::function<bool(const DeadLetterView&)>& on_letter) const;

  [[nodiscard]] const kafka::Properties& properties() const noexcept { return properties_; }
  [[nodiscard]] std::chrono::milliseconds timeout() const noexcept { return timeout_; }

 private:
  [[nodiscard]] bool matches(const DeadLetterView& letter) const;

  kafka::Properties properties_;
  std::string topic_;
  std::chrono::milliseconds timeout_{};
  std::string reason_;
  std::string origin_;
  /// RFC 3339, UTC, to the millisecond; empty: no bound.
  std::optional<std::int64_t> from_ms_;
  std::optional<std::int64_t> to_ms_;
};

/// What an error of Kafka means for the person who asked.
[[nodiscard]] Failure failure_of(const kafka::Error& error);

}  // namespace runfold::cli

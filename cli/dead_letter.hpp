// One dead letter as its headers tell it: where it came from, why it is there, and what goes back.
#pragma once

#include "transport/kafka/consumer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runfold::cli {

/// Where a dead letter stands in its own topic, as `list` prints it and `show` and `redrive` take it: "3/1042".
struct LetterAddress {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  auto operator<=>(const LetterAddress&) const = default;
};
[[nodiscard]] std::string text_of(const LetterAddress& address);
/// Absent when the text is no address.
[[nodiscard]] std::optional<LetterAddress> parse_address(std::string_view text);

/// The header that counts how often a record was sent back, so that loops can be seen.
inline constexpr std::string_view kRedrivenHeader = "runfold.redriven";

/// What the headers of a dead letter say. Views into its message.
struct DeadLetterView {
  LetterAddress address;
  std::int64_t timestamp_ms = -1;  ///< When it became a dead letter; -1: unknown.
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  /// All of them, in order.
  std::vector<kafka::Header> headers;

  /// Where it first stood; empty when the headers do not say.
  std::string_view topic, partition, offset;
  std::string_view reason, exception_class, message;
  /// The record's own time, milliseconds since the Unix epoch.
  std::optional<std::int64_t> record_time_ms;
  /// How often it was sent back before.
  std::uint64_t redriven = 0;
  /// Kafka found it too large, so this is not all of it.
  bool value_omitted = false;
  bool headers_omitted = false;
};
[[nodiscard]] DeadLetterView read_dead_letter(const kafka::Message& message);

/// Why a letter cannot be sent back; absent: it can.
[[nodiscard]] std::optional<std::string_view> why_not_redriven(const DeadLetterView& letter);

/// The headers to send it back with: its own ones, and how often it was sent back, `count`.
[[nodiscard]] std::vector<kafka::Header> headers_to_redrive(const DeadLetterView& letter, std::string_view count);

/// Bytes sixteen a line: offset, hexadecimal, text.
[[nodiscard]] std::string hex_dump(std::string_view bytes);

/// Text as it is, other bytes as "0x..."; at most about `most` bytes, and then "...".
[[nodiscard]] std::string shortened(std::string_view bytes, std::size_t most);

/// "2026-05-16T14:32:11.123Z"; empty for a negative time.
[[nodiscard]] std::string rfc3339_of(std::int64_t timestamp_ms);

}  // namespace runfold::cli

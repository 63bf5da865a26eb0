// A record as it lies in a spool's file: length, checksum, and all that sending it takes.
#pragma once

#include "producer/delivery/counts.hpp"
#include "producer/delivery/run_account.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold::delivery {

/// CRC-32C of `bytes`, going on from `before`.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0) noexcept;

/// One Kafka record of one run, as views.
struct SpoolFrame {
  /// Its place in its producer's spool, from 1.
  std::uint64_t ordinal = 0;
  /// Its place in the writing process's outbox, and the run's number there. They say nothing to another process.
  std::uint64_t token = 0;
  std::uint64_t run_number = 0;

  Channel channel = Channel::kEvents;
  std::uint32_t records = 0;
  std::uint64_t sequence = 0;
  std::int64_t time_ns = 0;
  RunNames names;
  std::string_view traceparent;
  std::string_view tracestate;
  std::string_view value;
};

/// Before the frame's payload: its length and the checksum of both, in little-endian.
struct FrameHead {
  static constexpr std::size_t kBytes = 8;
  /// What no payload exceeds.
  static constexpr std::size_t kMostPayload = 64 * 1024 * 1024;

  std::uint32_t payload_bytes = 0;
  std::uint32_t checksum = 0;
  [[nodiscard]] static FrameHead read(const char* bytes) noexcept;
  [[nodiscard]] bool fits(std::string_view payload) const noexcept;
};

/// Appends head and payload.
void append_frame(std::string& out, const SpoolFrame& frame);
/// Nothing when it is no frame's. The views are into `payload`.
[[nodiscard]] std::optional<SpoolFrame> read_frame(std::string_view payload) noexcept;

}  // namespace runfold::delivery

// W3C trace context: which span a record belongs to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runfold {

/// One span: of a run, or of a step within it.
struct Span {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};
  std::uint8_t flags = 1;

  /// "00-<trace-id>-<span-id>-<flags>", lower-case hexadecimal.
  [[nodiscard]] std::string traceparent() const;
};

/// Reads a traceparent strictly, as the recommendation has it: lower-case hexadecimal, no zero ids, version not ff; a later
/// version may have more behind the flags, version 00 may not. Absent: it is not one, and a new trace must be begun.
[[nodiscard]] std::optional<Span> parse_traceparent(std::string_view text) noexcept;

/// The tracestate if it may be passed on (printable ASCII, at most 512 bytes), else empty.
[[nodiscard]] std::string usable_tracestate(std::string text);

/// A span of a new trace, sampled.
[[nodiscard]] Span new_trace();
/// A new span in the trace of `parent`.
[[nodiscard]] Span child_of(const Span& parent);

}  // namespace runfold

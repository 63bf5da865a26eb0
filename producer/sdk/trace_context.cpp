// Reading and writing traceparent.
#include "producer/sdk/trace_context.hpp"

#include "producer/sdk/random_id.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace runfold {
namespace {

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

bool all_zero(std::span<const std::uint8_t> bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<Span> parse_traceparent(std::string_view text) noexcept {
  constexpr std::size_t kSize = 55;
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::uint8_t version = 0;
  Span out;
  if (!read_hex(text, {&version, 1}) || !read_hex(text.substr(3), out.trace_id) || !read_hex(text.substr(36), out.span_id) ||
      !read_hex(text.substr(53), {&out.flags, 1})) {
    return std::nullopt;
  }
  if (version == 0xff || all_zero(out.trace_id) || all_zero(out.span_id)) return std::nullopt;
  if (text.size() > kSize && (version == 0 || text[kSize] != '-')) return std::nullopt;
  return out;
}

std::string Span::traceparent() const {
  return "00-" + hex(trace_id) + "-" + hex(span_id) + "-" + hex({&flags, 1});
}

std::string usable_tracestate(std::string text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return printable && text.size() <= 512 ? std::move(text) : std::string();
}

Span new_trace() {
  Span out;
  // An id of nothing but zeros means "no trace"; random bytes are that once in the life of no universe, yet it costs nothing.
  do random_bytes(out.trace_id);
  while (all_zero(out.trace_id));
  return child_of(out);
}

Span child_of(const Span& parent) {
  Span out = parent;
  out.flags &= 1;  // sampled; the other flags are not ours to pass on
  do random_bytes(out.span_id);
  while (all_zero(out.span_id));
  return out;
}

}  // namespace runfold

// The parts of the contract that all records share: text, time, identity, trace context.
#include "collector/decode_wire.hpp"

namespace runfold::collector::wire {

bool valid_utf8(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = at + text.size();
  const auto continues = [](unsigned char byte) { return (byte & 0xc0) == 0x80; };
  while (at != end) {
    if (end - at >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080U) == 0) {
        at += 8;
        continue;
      }
    }
    const unsigned char lead = *at;
    if (lead < 0x80) {
      ++at;
    } else if (lead < 0xc2) {
      return false;
    } else if (lead < 0xe0) {
      if (end - at < 2 || !continues(at[1])) return false;
      at += 2;
    } else if (lead < 0xf0) {
      if (end - at < 3 || !continues(at[1]) || !continues(at[2])) return false;
      if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] >= 0xa0)) return false;
      at += 3;
    } else {
      if (lead > 0xf4 || end - at < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3])) return false;
      if ((lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] >= 0x90)) return false;
      at += 4;
    }
  }
  return true;
}

std::string_view bounded(std::string_view text, std::size_t most) noexcept {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

void Time::read(Fields& fields) noexcept {
  at = fields.bytes().data();
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    switch (parts.tag()) {
      case varint_tag(1):
        seconds = static_cast<std::int64_t>(parts.number());
        break;
      case varint_tag(2):
        nanos = static_cast<std::int32_t>(parts.number());
        break;
      default:
        break;
    }
  }
}

namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
/// The whole seconds in the greatest 64-bit number of nanoseconds.
constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / kNanosPerSecond;

}  // namespace

std::optional<TimeNs> Time::timestamp(Trouble& trouble) const noexcept {
  if (at == nullptr) return std::nullopt;
  if (seconds < 0 || seconds >= kMaxSeconds || nanos < 0 || nanos >= kNanosPerSecond) {
    trouble.meet(DecodeErrc::kValue, at);
    return std::nullopt;
  }
  return seconds * kNanosPerSecond + nanos;
}

std::optional<DurationNs> Time::duration(Trouble& trouble) const noexcept {
  if (at == nullptr) return std::nullopt;
  const bool signs_differ = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0);
  if (signs_differ || seconds <= -kMaxSeconds || seconds >= kMaxSeconds || nanos <= -kNanosPerSecond || nanos >= kNanosPerSecond) {
    trouble.meet(DecodeErrc::kValue, at);
    return std::nullopt;
  }
  return seconds * kNanosPerSecond + nanos;
}

void read_identity(Fields& fields, IdentityView& out) noexcept {
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    switch (parts.tag()) {
      case bytes_tag(1):
        parts.name(out.run_id);
        break;
      case bytes_tag(2):
        parts.name(out.connector_id);
        break;
      case bytes_tag(3):
        parts.beginning(out.version);
        break;
      case bytes_tag(4):
        parts.beginning(out.site);
        break;
      case varint_tag(5):
        out.attempt = static_cast<std::uint32_t>(parts.number());
        break;
      case bytes_tag(6):
        parts.name(out.source_id);
        break;
      default:
        break;
    }
  }
}

void read_trace(Fields& fields, std::optional<TraceView>& out) noexcept {
  if (!out) out.emplace();
  Fields parts(fields.bytes(), fields.trouble());
  while (parts.next()) {
    switch (parts.tag()) {
      case bytes_tag(1):
        parts.text(out->traceparent);
        break;
      case bytes_tag(2):
        parts.text(out->tracestate);
        break;
      default:
        break;
    }
  }
}

void check_identity(const IdentityView& identity, std::string_view value, Trouble& trouble) noexcept {
  if (identity.run_id.empty()) trouble.meet(DecodeErrc::kIdentity, value.data() + value.size());
}

}  // namespace runfold::collector::wire

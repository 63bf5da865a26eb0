// Numbers as varints, texts behind their lengths, in one fixed order.
#include "producer/delivery/spool_frame.hpp"

#include "producer/delivery/wire.hpp"

#include <array>
#include <cassert>
#include <cstring>

namespace runfold::delivery {
namespace {

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

/// table[n][b]: what byte b does to the checksum n bytes further on; eight bytes are taken at once.
constexpr Table make_table() noexcept {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // Castagnoli's, reflected
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? kPolynomial : 0);
    table[0][byte] = value;
  }
  for (std::size_t n = 1; n < table.size(); ++n) {
    for (std::size_t byte = 0; byte < 256; ++byte) table[n][byte] = (table[n - 1][byte] >> 8) ^ table[0][table[n - 1][byte] & 0xff];
  }
  return table;
}
constexpr Table kTable = make_table();

std::uint32_t read_fixed(const char* bytes) noexcept {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

void write_fixed(char* to, std::uint32_t value) noexcept {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(value >> (8 * i));
}

void append_varint(std::string& out, std::uint64_t value) {
  char bytes[16 + wire::kSpareBytes];
  out.append(bytes, static_cast<std::size_t>(wire::write_varint(bytes, value) - bytes));
}

void append_text(std::string& out, std::string_view text) {
  append_varint(out, text.size());
  out.append(text);
}

/// Reads what append_varint() and append_text() wrote; `ok` is false once it was something else.
struct Reader {
  std::string_view left;
  bool ok = true;

  std::uint64_t number() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !left.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(left.front());
      left.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    ok = false;
    return 0;
  }
  std::string_view text() noexcept {
    const auto size = number();
    if (size > left.size()) ok = false;
    if (!ok) return {};
    const auto out = left.substr(0, size);
    left.remove_prefix(size);
    return out;
  }
};

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) noexcept {
  std::uint32_t crc = ~before;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    const std::uint32_t low = crc ^ read_fixed(bytes.data());
    crc = kTable[7][low & 0xff] ^ kTable[6][low >> 8 & 0xff] ^ kTable[5][low >> 16 & 0xff] ^ kTable[4][low >> 24] ^ kTable[3][byte(4)] ^
          kTable[2][byte(5)] ^ kTable[1][byte(6)] ^ kTable[0][byte(7)];
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) crc = (crc >> 8) ^ kTable[0][(crc ^ byte(i)) & 0xff];
  return ~crc;
}

FrameHead FrameHead::read(const char* bytes) noexcept {
  return {.payload_bytes = read_fixed(bytes), .checksum = read_fixed(bytes + 4)};
}

bool FrameHead::fits(std::string_view payload) const noexcept {
  char length[4];
  write_fixed(length, payload_bytes);
  return payload.size() == payload_bytes && crc32c(payload, crc32c({length, sizeof length})) == checksum;
}

void append_frame(std::string& out, const SpoolFrame& frame) {
  const std::size_t head = out.size();
  out.append(FrameHead::kBytes, '\0');
  append_varint(out, frame.ordinal);
  append_varint(out, frame.token);
  append_varint(out, frame.run_number);
  append_varint(out, static_cast<std::uint64_t>(frame.channel));
  append_varint(out, frame.records);
  append_varint(out, frame.sequence);
  append_varint(out, static_cast<std::uint64_t>(frame.time_ns));
  append_varint(out, frame.names.attempt);
  append_text(out, frame.names.run_id);
  append_text(out, frame.names.source_id);
  append_text(out, frame.names.connector_id);
  append_text(out, frame.traceparent);
  append_text(out, frame.tracestate);
  append_text(out, frame.value);
  const auto payload = std::string_view(out).substr(head + FrameHead::kBytes);
  assert(payload.size() <= FrameHead::kMostPayload);
  write_fixed(out.data() + head, static_cast<std::uint32_t>(payload.size()));
  write_fixed(out.data() + head + 4, crc32c(payload, crc32c(std::string_view(out).substr(head, 4))));
}

std::optional<SpoolFrame> read_frame(std::string_view payload) noexcept {
  Reader in{.left = payload};
  SpoolFrame out;
  out.ordinal = in.number();
  out.token = in.number();
  out.run_number = in.number();
  const auto channel = in.number();
  out.channel = static_cast<Channel>(channel);
  const auto records = in.number();
  out.records = static_cast<std::uint32_t>(records);
  out.sequence = in.number();
  out.time_ns = static_cast<std::int64_t>(in.number());
  out.names.attempt = static_cast<std::uint32_t>(in.number());
  out.names.run_id = in.text();
  out.names.source_id = in.text();
  out.names.connector_id = in.text();
  out.traceparent = in.text();
  out.tracestate = in.text();
  out.value = in.text();
  if (!in.ok || !in.left.empty() || channel >= kChannels.size() || records == 0 || records != out.records) return std::nullopt;
  return out;
}

}  // namespace runfold::delivery

// Makes text safe to keep: valid UTF-8, bounded.
#include "producer/agent/text.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace runfold::agent {
namespace {

/// The length of the UTF-8 character that `bytes` begins with; 0 when it begins with none.
std::size_t character_size(std::string_view bytes) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  unsigned char second_low = 0x80;
  unsigned char second_high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) second_low = 0xA0;
    if (lead == 0xED) second_high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) second_low = 0x90;
    if (lead == 0xF4) second_high = 0x8F;
  } else {
    return 0;
  }
  if (bytes.size() < size || byte(1) < second_low || byte(1) > second_high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return size;
}

std::size_t ascii_prefix(std::string_view bytes) noexcept {
  const auto end = std::find_if(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  return static_cast<std::size_t>(end - bytes.begin());
}

}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
  for (;;) {
    bytes.remove_prefix(ascii_prefix(bytes));
    if (bytes.empty()) return true;
    const std::size_t size = character_size(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
}

std::string to_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  bool in_bad_run = false;
  while (!bytes.empty()) {
    const std::size_t size = character_size(bytes);
    if (size > 0) out.append(bytes.substr(0, size));
    if (size == 0 && !in_bad_run) out.append("\xEF\xBF\xBD");
    in_bad_run = size == 0;
    bytes.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::string_view utf8_prefix(std::string_view bytes, std::size_t limit) noexcept {
  if (bytes.size() <= limit) return bytes;
  std::size_t end = limit;
  while (end > 0 && limit - end < 3 && (static_cast<unsigned char>(bytes[end]) & 0xC0) == 0x80) --end;
  const bool still_inside = (static_cast<unsigned char>(bytes[end]) & 0xC0) == 0x80;
  return bytes.substr(0, still_inside || end == 0 ? limit : end);
}

std::uint64_t count_lines(std::string_view bytes) noexcept {
  using Block = std::uint8_t __attribute__((vector_size(16)));
  constexpr std::size_t kMostInALane = 255;
  std::uint64_t lines = 0;
  while (bytes.size() >= sizeof(Block)) {
    const std::size_t blocks = std::min(bytes.size() / sizeof(Block), kMostInALane);
    Block lanes{};
    for (std::size_t i = 0; i < blocks; ++i) {
      Block block;
      std::memcpy(&block, bytes.data() + i * sizeof block, sizeof block);
      lanes -= static_cast<Block>(block == '\n');  // where it is so, all bits are set: -1
    }
    for (std::size_t i = 0; i < sizeof(Block); ++i) lines += lanes[i];
    bytes.remove_prefix(blocks * sizeof(Block));
  }
  return lines + static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

std::optional<v1::Severity> parse_severity(std::string_view text) noexcept {
  if (text.size() == 1 && text[0] >= '0' && text[0] <= '7') return static_cast<v1::Severity>(text[0] - '0' + 1);
  static constexpr std::array<std::pair<std::string_view, v1::Severity>, 15> kNames{{
      {"emergency", v1::SEVERITY_EMERGENCY},
      {"emerg", v1::SEVERITY_EMERGENCY},
      {"alert", v1::SEVERITY_ALERT},
      {"critical", v1::SEVERITY_CRITICAL},
      {"crit", v1::SEVERITY_CRITICAL},
      {"fatal", v1::SEVERITY_CRITICAL},
      {"error", v1::SEVERITY_ERROR},
      {"err", v1::SEVERITY_ERROR},
      {"warning", v1::SEVERITY_WARNING},
      {"warn", v1::SEVERITY_WARNING},
      {"notice", v1::SEVERITY_NOTICE},
      {"info", v1::SEVERITY_INFO},
      {"informational", v1::SEVERITY_INFO},
      {"debug", v1::SEVERITY_DEBUG},
      {"trace", v1::SEVERITY_DEBUG},
  }};
  const auto same = [&](std::string_view name) {
    return std::equal(name.begin(), name.end(), text.begin(), text.end(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + ('a' - 'A')) : b); });
  };
  for (const auto& [name, severity] : kNames) {
    if (same(name)) return severity;
  }
  return std::nullopt;
}

}  // namespace runfold::agent

// Reads the headers of a dead letter, and makes those that it goes back with.
#include "cli/dead_letter.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

namespace runfold::cli {
namespace {

constexpr std::string_view kErrors = "__connect.errors.";
constexpr std::string_view kReason = "runfold.reason";
constexpr std::string_view kTimestamp = "runfold.timestamp";
constexpr std::string_view kValueOmitted = "runfold.value_omitted";
constexpr std::string_view kHeadersOmitted = "runfold.headers_omitted";

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

/// Whether the bytes may stand in a line of text: UTF-8 with no control characters.
bool is_text(std::string_view bytes) {
  int follow = 0;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (follow > 0) {
      if ((byte & 0xc0) != 0x80) return false;
      --follow;
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return false;
      follow = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    } else if (byte == 0x7f || (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')) {
      return false;
    }
  }
  return follow == 0;
}

/// What the collector added to the record.
bool is_of_the_dead_letter(std::string_view name) {
  return name.starts_with(kErrors) || name == kReason || name == kTimestamp || name == kValueOmitted || name == kHeadersOmitted;
}

}  // namespace

std::string text_of(const LetterAddress& address) {
  return std::to_string(address.partition) + "/" + std::to_string(address.offset);
}

std::optional<LetterAddress> parse_address(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto partition = number_of<std::int32_t>(text.substr(0, slash));
  const auto offset = number_of<std::int64_t>(text.substr(slash + 1));
  if (!partition || !offset || *partition < 0 || *offset < 0) return std::nullopt;
  return LetterAddress{*partition, *offset};
}

DeadLetterView read_dead_letter(const kafka::Message& message) {
  const kafka::InRecord& record = message.record();
  DeadLetterView letter;
  letter.address = {record.partition, record.offset};
  letter.timestamp_ms = record.timestamp_ms;
  letter.key = record.key;
  letter.value = record.value;
  letter.headers = message.headers();
  for (const kafka::Header& header : letter.headers) {
    const std::string_view value = header.value.value_or(std::string_view{});
    if (header.name == kReason) {
      letter.reason = value;
    } else if (header.name == kTimestamp) {
      letter.record_time_ms = number_of<std::int64_t>(value);
    } else if (header.name == kRedrivenHeader) {
      letter.redriven = number_of<std::uint64_t>(value).value_or(0);
    } else if (header.name == kValueOmitted) {
      letter.value_omitted = true;
    } else if (header.name == kHeadersOmitted) {
      letter.headers_omitted = true;
    } else if (header.name.starts_with(kErrors)) {
      const std::string_view name = header.name.substr(kErrors.size());
      if (name == "topic") letter.topic = value;
      if (name == "partition") letter.partition = value;
      if (name == "offset") letter.offset = value;
      if (name == "exception.class.name") letter.exception_class = value;
      if (name == "exception.message") letter.message = value;
    }
  }
  return letter;
}

std::optional<std::string_view> why_not_redriven(const DeadLetterView& letter) {
  if (letter.topic.empty()) return "its headers do not say which topic it came from";
  if (letter.value_omitted) return "its value was too large for the dead-letter topic and is not in it";
  return std::nullopt;
}

std::vector<kafka::Header> headers_to_redrive(const DeadLetterView& letter, std::string_view count) {
  std::vector<kafka::Header> headers;
  for (const kafka::Header& header : letter.headers) {
    if (!is_of_the_dead_letter(header.name) && header.name != kRedrivenHeader) headers.push_back(header);
  }
  headers.push_back({kRedrivenHeader, count});
  return headers;
}

std::string hex_dump(std::string_view bytes) {
  constexpr std::size_t kPerLine = 16;
  std::string dump;
  for (std::size_t at = 0; at < bytes.size(); at += kPerLine) {
    const std::string_view line = bytes.substr(at, kPerLine);
    std::array<char, 24> number{};
    std::snprintf(number.data(), number.size(), "%08zx ", at);
    dump += number.data();
    std::string text;
    for (std::size_t i = 0; i < kPerLine; ++i) {
      if (i % 8 == 0) dump += ' ';
      if (i >= line.size()) {
        dump += "   ";
        continue;
      }
      const auto byte = static_cast<unsigned char>(line[i]);
      std::snprintf(number.data(), number.size(), "%02x ", byte);
      dump += number.data();
      text += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
    }
    dump += " |" + text + "|\n";
  }
  return dump;
}

std::string shortened(std::string_view bytes, std::size_t most) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  bool cut = false;
  if (is_text(bytes)) {
    cut = bytes.size() > most;
    std::size_t size = std::min(bytes.size(), most);
    while (cut && size > 0 && (static_cast<unsigned char>(bytes[size]) & 0xc0) == 0x80) --size;
    text = bytes.substr(0, size);
  } else {
    const std::string_view shown = bytes.substr(0, most / 2);
    cut = shown.size() < bytes.size();
    text = "0x";
    for (const char c : shown) {
      const auto byte = static_cast<unsigned char>(c);
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
  }
  return cut ? text + "..." : text;
}

std::string rfc3339_of(std::int64_t timestamp_ms) {
  if (timestamp_ms < 0) return {};
  const std::time_t seconds = static_cast<std::time_t>(timestamp_ms / 1000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 40> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(timestamp_ms % 1000));
  return std::string(date.data()) + fraction.data();
}

}  // namespace runfold::cli
